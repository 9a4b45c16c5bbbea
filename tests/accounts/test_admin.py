"""The admin: staff alone come in, every page opens, and what is done there is audited."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import ApiToken, Organization, Team, User
from cerply.tracks.models import Item, Track
from certificates.models import Certificate, SigningKey
from gamification.models import Badge, BadgeRule
from notifications.models import ManagerNotification
from ops import features
from ops.models import FeatureRollout
from tests.api.client import Api
from tests.factories import (
    Cast,
    complete,
    give_answers,
    make_organization,
    make_staff,
    make_token,
    make_track,
    make_user,
)

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def console(db: None) -> Client:
    client = Client()
    client.force_login(make_staff(email="staff@cerply.example", password="a long staff password"))
    return client


def page_of(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def events(type_: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(type=type_))


def test_members_and_strangers_stay_out(cast: Cast) -> None:
    client = Client()
    assert client.get("/admin/").status_code == 302
    client.force_login(cast.admin)
    assert client.get("/admin/").status_code == 302


def test_staff_sign_in_whoever_else_has_their_address_and_password(cast: Cast) -> None:
    staff = make_staff(email="both@example.com", password="a long staff password")
    make_user(cast.organization, email="both@example.com", password="a long staff password")
    form = {"username": "both@example.com", "password": "a long staff password"}
    answer = Client().post("/admin/login/?next=/admin/", form)
    assert answer.status_code == 302
    assert events("signed_in")[0].actor_id == staff.id
    assert Client().post("/admin/login/", form | {"password": "wrong"}).status_code == 200
    assert events("sign_in_failed")[0].metadata == {"email": "both@example.com"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_and_row_opens(console: Client, cast: Cast, model: Any) -> None:
    complete(cast.learner, cast.track)
    give_answers(cast.learner, cast.track, 25)
    make_token(cast.learner)
    assert console.get(page_of(model, "changelist")).status_code == 200
    assert console.get(page_of(model, "changelist"), {"q": "00000000-0000-4000-8000-000000000000"}).status_code == 200
    assert console.get(page_of(model, "changelist"), {"q": "a\0b"}).status_code == 400
    assert console.get(page_of(model, "add")).status_code in {200, 403}
    if (row := model._default_manager.first()) is not None:
        assert console.get(page_of(model, "change", row.pk)).status_code == 200
        assert console.get(page_of(model, "delete", row.pk)).status_code in {200, 403}


@pytest.mark.parametrize("model", [User, Certificate, ManagerNotification, ApiToken, Team, Track], ids=str)
def test_lists_ask_no_more_for_many_rows_than_for_few(console: Client, cast: Cast, model: Any) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert console.get(page_of(model, "changelist")).status_code == 200
        return len(queries)

    def more() -> None:
        for _ in range(5):
            organization = make_organization()
            learner = make_user(organization)
            make_token(learner)
            track = make_track(organization, items=1)
            complete(learner, track)
            Team.objects.create(organization=organization, name="A team")

    more()
    complete(cast.learner, cast.track)
    few = cost()
    more()
    assert cost() <= few


def test_the_front_page_shows_the_kpis(console: Client, cast: Cast) -> None:
    complete(cast.learner, cast.track)
    page = console.get("/admin/").content.decode()
    assert "Certificates issued" in page
    assert "Certificate issued" in page


# -- organizations --


def test_an_organization_is_opened_changed_closed_and_opened_again(console: Client) -> None:
    console.post(page_of(Organization, "add"), {"name": "New Ltd", "colour": "#112233"})
    organization = Organization.objects.get(name="New Ltd")
    assert features.decide(features.Feature.CERTIFICATES, organization.id).on
    change = page_of(Organization, "change", organization.pk)
    console.post(change, {"name": "Newer Ltd", "colour": "#112233"})
    assert events("organization_changed")[0].metadata == {"fields": ["name"]}
    console.post(f"{change.removesuffix('change/')}close-or-reopen/", {"reason": "They left."})
    organization.refresh_from_db()
    assert organization.closed_at is not None
    assert events("organization_closed")[0].metadata == {"reason": "They left."}
    console.post(f"{change.removesuffix('change/')}close-or-reopen/", {"reason": "They came back."})
    organization.refresh_from_db()
    assert organization.closed_at is None


def test_an_organization_with_anything_to_keep_is_not_deleted(console: Client, cast: Cast) -> None:
    empty = make_organization("Empty")
    assert console.post(page_of(Organization, "delete", cast.organization.pk), {"post": "yes"}).status_code == 403
    assert console.post(page_of(Organization, "delete", empty.pk), {"post": "yes"}).status_code == 302
    assert set(Organization.objects.values_list("name", flat=True)) == {"Nordlys Energy", "Outside Ltd"}
    assert len(events("organization_deleted")) == 1


def test_a_feature_is_switched_for_one_organization_with_a_reason(console: Client, cast: Cast) -> None:
    path = page_of(Organization, "change", cast.organization.pk).removesuffix("change/") + "gamification/"
    assert console.get(path).status_code == 200
    assert console.post(path, {"toggle": "off", "reason": ""}).status_code == 200
    assert features.is_on(features.Feature.GAMIFICATION, cast.organization.id)
    assert console.post(path, {"toggle": "off", "reason": "They asked."}).status_code == 302
    assert not features.is_on(features.Feature.GAMIFICATION, cast.organization.id)
    assert events("feature_switched")[0].metadata["reason"] == "They asked."


def test_a_logo_must_be_a_picture(console: Client, cast: Cast) -> None:
    path = page_of(Organization, "change", cast.organization.pk)
    evil = SimpleUploadedFile("logo.png", b"<svg onload=alert(1)>", "image/png")
    page = console.post(path, {"name": "x", "colour": "#112233", "logo": evil})
    assert "neither PNG nor JPEG" in page.content.decode()


# -- people --


def test_a_member_is_made_and_changed(console: Client, cast: Cast) -> None:
    form = {
        "organization": str(cast.organization.id),
        "name": "Zoë",
        "email": "zoe@example.com",
        "role": "learner",
        "locale": "de",
        "timezone": "Europe/Berlin",
    }
    assert console.post(page_of(User, "add"), form).status_code == 302
    user = User.objects.get(email="zoe@example.com")
    del form["organization"]
    path = page_of(User, "change", user.pk)
    assert console.post(path, form | {"role": "manager", "is_active": "on"}).status_code == 302
    assert events("role_changed")[0].metadata == {"before": "learner", "after": "manager"}
    assert console.post(path, form | {"role": "manager"}).status_code == 302
    user.refresh_from_db()
    assert (user.is_active, user.role) == (False, "manager")
    assert len(events("user_deactivated")) == 1


def test_what_is_refused_is_said(console: Client, cast: Cast) -> None:
    form = {"name": "Amina", "email": cast.admin.email, "role": "learner", "locale": "en", "timezone": "UTC"}
    page = console.post(page_of(User, "change", cast.admin.pk), form | {"is_active": "on"}, follow=True)
    assert "last active admin" in page.content.decode()
    form |= {"organization": str(cast.organization.id)}
    page = console.post(page_of(User, "add"), form, follow=True)
    assert "has this e-mail address already" in page.content.decode()


def test_a_token_is_shown_once(console: Client, cast: Cast) -> None:
    tomorrow = clock.now() + timedelta(days=1)
    form = {"user": str(cast.learner.id), "name": "robot"}
    form |= {"expires_at_0": f"{tomorrow:%Y-%m-%d}", "expires_at_1": f"{tomorrow:%H:%M:%S}"}
    page = console.post(page_of(ApiToken, "add"), form, follow=True).content.decode()
    secret = page.partition("shown this once: ")[2].split("<")[0].strip()
    assert Api().get("/auth/me", by=secret).body["id"] == str(cast.learner.id)
    token = ApiToken.objects.get(name="robot")
    assert secret not in console.get(page_of(ApiToken, "change", token.pk)).content.decode()
    console.post(page_of(ApiToken, "change", token.pk).removesuffix("change/") + "revoke/")
    assert Api().get("/auth/me", by=secret).status == 401


def test_teams_are_made_and_filled(console: Client, cast: Cast) -> None:
    console.post(page_of(Team, "add"), {"organization": str(cast.organization.id), "name": "Night shift"})
    team = Team.objects.get(name="Night shift")
    form = {"name": "Night shift", "members": [str(cast.colleague.id)], "managers": [str(cast.manager.id)]}
    assert console.post(page_of(Team, "change", team.pk), form).status_code == 302
    assert {membership.user for membership in team.memberships.all()} == {cast.colleague, cast.manager}
    assert len(events("team_member_added")) == 2


# -- material, badges, certificates, features --


def test_an_item_with_answers_is_retired_and_one_without_is_deleted(console: Client, cast: Cast) -> None:
    give_answers(cast.learner, cast.track, 1)
    answered, other, *rest = cast.track.items.order_by("position")
    form: dict[str, Any] = {"title": cast.track.title, "language": "en", "certifies_from": "any", "valid_months": 12}
    form |= {"items-INITIAL_FORMS": 4, "items-TOTAL_FORMS": 5}
    for number, item in enumerate([answered, other, *rest]):
        form |= {
            f"items-{number}-id": str(item.id),
            f"items-{number}-track": str(cast.track.id),
            f"items-{number}-title": item.title,
            f"items-{number}-position": item.position,
        }
    form |= {"items-0-remove": "on", "items-1-remove": "on", "items-4-title": "New", "items-4-position": 9}
    form["items-4-track"] = str(cast.track.id)
    assert console.post(page_of(Track, "change", cast.track.pk), form).status_code == 302
    answered.refresh_from_db()
    assert answered.retired_at is not None
    assert not Item.objects.filter(id=other.id).exists()
    assert Item.objects.filter(track=cast.track, title="New", position=9).exists()
    assert Track.objects.get(id=cast.track.id).valid_months == 12
    assert len(events("items_changed")) == 3


def test_a_badge_is_edited_and_criteria_that_do_not_fit_are_refused(console: Client) -> None:
    badge = Badge.objects.get(slug="perfectionist")
    form = {"slug": "perfectionist", "name": "Perfectionist", "description": "x", "icon": "🎯", "position": 3}
    form |= {"is_active": "on", "kind": "streak", "rules-TOTAL_FORMS": 0, "rules-INITIAL_FORMS": 0}
    page = console.post(page_of(Badge, "change", badge.pk), form | {"count": ""})
    assert "Say how many earn the badge" in page.content.decode()
    assert console.post(page_of(Badge, "change", badge.pk), form | {"count": 5}).status_code == 302
    assert BadgeRule.objects.get(badge=badge, superseded_at=None).count == 5
    assert events("badge_changed")[0].actor_label == "staff"
    assert "5 correct answers in a row" in console.get(page_of(Badge, "changelist")).content.decode()


def test_a_certificate_is_revoked_with_a_reason(console: Client, cast: Cast) -> None:
    [certificate] = complete(cast.learner, cast.track).certificates
    path = page_of(Certificate, "change", certificate.pk).removesuffix("change/") + "revoke/"
    page = console.get(path).content.decode()
    assert "Maya Lindqvist" in page
    assert "was revoked by the organization" in page
    assert console.post(path, {"reason": ""}).status_code == 200
    assert console.post(path, {"reason": "Issued by mistake."}).status_code == 302
    certificate.refresh_from_db()
    assert certificate.revocation_reason == "Issued by mistake."
    assert events("certificate_revoked")[0].actor_label == "staff"
    again = console.post(path, {"reason": "Another reason."}, follow=True)
    assert "revoked already" in again.content.decode()
    assert len(events("certificate_revoked")) == 1


def test_a_key_is_rotated_and_its_private_half_is_nowhere(console: Client, cast: Cast) -> None:
    complete(cast.learner, cast.track)
    key = SigningKey.objects.get()
    path = page_of(SigningKey, "change", key.pk)
    page = console.get(path).content.decode()
    assert bytes(key.public_key).hex() in page
    assert bytes(key.sealed_private_key).hex()[24:60] not in page
    assert console.post(path.removesuffix("change/") + "rotate/").status_code == 302
    assert "retired already" in console.post(path.removesuffix("change/") + "rotate/", follow=True).content.decode()
    assert SigningKey.objects.active().get() != key


def test_a_rollout_is_shown_before_it_is_done(console: Client, cast: Cast) -> None:
    rollout = FeatureRollout.objects.get(feature="certificates")
    path = page_of(FeatureRollout, "change", rollout.pk).removesuffix("change/") + "rollout/"
    assert console.post(path, {"percentage": 50}).headers["Location"] == "?to=50"
    page = console.get(path, {"to": 50})
    assert "Switched off" in page.content.decode()
    answer = {"reason": "Carefully.", "shown": page.context["form"].initial["shown"]}
    for _ in range(2):
        make_organization()
    # What was shown would not be what is done.
    again = console.post(f"{path}?to=50", answer)
    assert (again.status_code, again.headers["Location"]) == (302, f"{path}?to=50")
    rollout.refresh_from_db()
    assert rollout.percentage is None
    answer["shown"] = console.get(path, {"to": 50}).context["form"].initial["shown"]
    assert console.post(f"{path}?to=50", answer).status_code == 302
    rollout.refresh_from_db()
    assert rollout.percentage == 50
    assert events("rollout_changed")[0].metadata["reason"] == "Carefully."
