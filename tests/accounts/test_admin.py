"""The admin: staff alone come in, every page opens, and what is done there is audited."""

from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cerply import clock
from cerply.accounts.models import ApiToken, Organization, Team, User
from cerply.tracks.models import Track
from certificates.models import Certificate, SigningKey
from notifications.models import ManagerNotification
from ops.models import FeatureRollout
from tests.api.client import Api
from tests.console import action_of, events, page_of
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


def test_the_front_page_shows_the_kpis_and_who_did_what_where(console: Client, cast: Cast) -> None:
    complete(cast.learner, cast.track)
    console.post(page_of(Team, "add"), {"organization": str(cast.organization.id), "name": "Night shift"})
    page = console.get("/admin/").content.decode()
    assert "Stina Staff" in page
    assert "Nordlys Energy" in page
    assert "Certificates issued" in page
    assert "Certificate issued" in page


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


def test_changing_one_s_own_password_asks_for_the_old_one_and_is_audited(console: Client) -> None:
    path = reverse("admin:password_change")
    form = {"old_password": "wrong", "new_password1": "another long password", "new_password2": "another long password"}
    assert console.post(path, form).status_code == 200
    assert events("password_changed") == []
    assert console.post(path, form | {"old_password": "a long staff password"}).status_code == 302
    [event] = events("password_changed")
    staff = User.objects.get(email="staff@cerply.example")
    assert (event.subject_id, event.actor_id) == (staff.id, staff.id)
    assert console.get("/admin/").status_code == 200


def test_signing_out_is_audited_once_wherever_it_is_done(console: Client, cast: Cast) -> None:
    console.post(reverse("admin:logout"))
    assert len(events("signed_out")) == 1
    api = Api()
    api.client.force_login(cast.learner)
    api.get("/auth/me")
    assert api.post("/auth/logout", **{"X-CSRFToken": api.client.cookies["csrftoken"].value}).status == 204
    assert [event.subject_id for event in events("signed_out")][1:] == [cast.learner.id]


def test_certificates_are_filtered_by_days_in_utc(console: Client, cast: Cast) -> None:
    with clock.moved_to(datetime(2026, 3, 10, 23, 59, tzinfo=UTC)):
        complete(cast.learner, cast.track)
    for days, number in ((("2026-03-10", "2026-03-10"), 1), (("2026-03-11", ""), 0), (("", "2026-03-09"), 0)):
        query = dict(zip(("issued_at_from", "issued_at_to"), days, strict=True))
        answer = console.get(page_of(Certificate, "changelist"), query)
        assert answer.context["cl"].result_count == number


def test_history_leads_to_the_audit(console: Client, cast: Cast) -> None:
    for path in (action_of(cast.team, "trail"), page_of(Team, "history", cast.team.pk)):
        assert console.get(path).headers["Location"] == f"/admin/audit/auditevent/?q={cast.team.id}"


def test_long_lists_count_to_a_limit_and_say_so(console: Client, cast: Cast) -> None:
    with mock.patch("cerply.console.MOST_COUNTED", 3):
        page = console.get(page_of(User, "changelist")).content.decode()
    assert "3+" in page
    assert "3 results" not in page


def test_an_address_without_a_row_is_no_error(console: Client) -> None:
    for model in (Organization, Certificate, ApiToken, SigningKey, User, Team):
        for key in ("nonsense", "00000000-0000-4000-8000-000000000000"):
            assert console.get(page_of(model, "change", key)).status_code == 302
