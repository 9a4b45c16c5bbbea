"""People, teams and tokens in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.core import mail
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse

from cerply import clock
from cerply.accounts import passwords, tokens
from cerply.accounts.models import ApiToken, Membership, Organization, Team, TeamRole, User
from cerply.permissions import Role
from cerply.tracks.models import Item, Track
from tests.api.client import Api
from tests.console import action_of, events, page_of, typed
from tests.factories import (
    Cast,
    make_staff,
    make_team,
    make_token,
    make_user,
)


def new_member(cast: Cast, **values: Any) -> dict[str, Any]:
    return {
        "organization": str(cast.organization.id),
        "name": "Zoë",
        "email": "zoe@example.com",
        "role": "learner",
        "locale": "de",
        "timezone": "Europe/Berlin",
    } | values


def test_a_member_is_made_and_changed(console: Client, cast: Cast) -> None:
    assert console.post(page_of(User, "add"), new_member(cast)).status_code == 302
    user = User.objects.get(email="zoe@example.com")
    path = page_of(User, "change", user.pk)
    assert console.post(path, typed(console, path, role="manager")).status_code == 302
    assert events("role_changed")[0].metadata == {"before": "learner", "after": "manager"}
    assert console.post(path, typed(console, path, is_active=False)).status_code == 302
    user.refresh_from_db()
    assert (user.is_active, user.role) == (False, "manager")
    assert len(events("user_deactivated")) == 1


def test_what_is_refused_is_said_and_nothing_typed_is_lost(console: Client, cast: Cast) -> None:
    path = page_of(User, "change", cast.admin.pk)
    page = console.post(path, typed(console, path, name="Amina Y.", role="learner")).content.decode()
    assert "last active admin" in page
    assert 'value="Amina Y."' in page
    for wrong, said in (
        ({"email": cast.admin.email.upper()}, "has this e-mail address already"),
        ({"password": "short"}, "This password is too short"),
        ({"locale": "klingon!"}, "Give a language tag"),
        ({"role": ""}, "A member of an organization has a role"),
        ({"organization": ""}, "Staff have no role"),
        ({"name": "Ma\u202eya"}, "direction overrides are not allowed"),
        ({"name": "Ma\x07ya"}, "Control characters"),
    ):
        answer = console.post(page_of(User, "add"), new_member(cast, timezone="Europe/Oslo") | wrong)
        assert answer.status_code == 200
        assert said in answer.content.decode()
        assert 'value="Europe/Oslo"' in answer.content.decode()
    assert not User.objects.filter(name__startswith="Ma\u202e").exists()
    assert not User.objects.filter(email="zoe@example.com").exists()


def test_a_member_keeps_a_role(console: Client, cast: Cast) -> None:
    path = page_of(User, "change", cast.learner.pk)
    answer = console.post(path, typed(console, path, role=""))
    assert answer.status_code == 200
    assert "This field is required" in answer.content.decode()


def test_a_page_of_a_person_that_was_open_for_long_changes_only_what_was_changed_in_it(
    console: Client, cast: Cast
) -> None:
    path = page_of(User, "change", cast.learner.pk)
    stale = typed(console, path)
    console.post(path, typed(console, path, role="manager", name="Maya L."))
    assert console.post(path, stale | {"locale": "sv"}).status_code == 302
    cast.learner.refresh_from_db()
    assert (cast.learner.role, cast.learner.name, cast.learner.locale) == ("manager", "Maya L.", "sv")


def test_superusers_alone_appoint_staff_and_make_tokens_for_them(cast: Cast) -> None:
    plain = make_user(None, None, is_staff=True)
    boss = make_staff()
    console = Client()
    console.force_login(plain)
    page = console.post(page_of(User, "add"), new_member(cast, organization="", role="")).content.decode()
    assert "Superusers alone appoint staff" in page
    page = console.post(page_of(ApiToken, "add"), token_form(boss)).content.decode()
    assert "Superusers alone make tokens for staff" in page
    assert not ApiToken.objects.exists()
    console.post(page_of(ApiToken, "add"), token_form(cast.learner))
    assert ApiToken.objects.get().user == cast.learner


@pytest.mark.parametrize(
    "term", ["Maya Lindqvist", "maya lind", "  MAYA   LINDQVIST ", "lindqvist", "maya@Example.com", "hr-0815", "id"]
)
def test_people_are_found_by_name_address_external_id_and_id(console: Client, cast: Cast, term: str) -> None:
    User.objects.filter(id=cast.learner.id).update(email="maya@example.com", external_id="hr-0815")
    term = str(cast.learner.id) if term == "id" else term
    assert list(console.get(page_of(User, "changelist"), {"q": term}).context["cl"].result_list) == [cast.learner]


def test_the_searches_find_by_an_index(cast: Cast) -> None:
    for model, term in (
        (User, "maya l"),
        (User, "maya@example.com"),
        (Team, "grid op"),
        (Track, "fire s"),
        (Item, "a b"),
    ):
        model_admin = admin.site.get_model_admin(model)
        rows = model_admin.get_search_results(RequestFactory().get("/"), model._default_manager.order_by(), term)[0]
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "Index Scan" in rows.explain()
        assert "Seq Scan" not in rows.explain()


def test_a_password_link_is_for_exactly_this_person_and_asked_for_by_staff(console: Client, cast: Cast) -> None:
    make_user(cast.outside, email=cast.learner.email)
    page = console.post(action_of(cast.learner, "password-link"), follow=True).content.decode()
    assert "on its way" in page
    [event] = events("password_link_requested")
    assert (event.subject_id, event.actor_label) == (cast.learner.id, "staff")
    passwords.mail_owed()
    [message] = mail.outbox
    assert "Nordlys Energy" in message.subject
    assert len(events("password_link_requested")) == 1


def test_who_could_not_come_in_gets_no_password_link(console: Client, cast: Cast) -> None:
    User.objects.filter(id=cast.learner.id).update(is_active=False)
    assert "is not active" in console.post(action_of(cast.learner, "password-link")).content.decode()
    Organization.objects.filter(id=cast.organization.id).update(closed_at=clock.now())
    assert "is closed" in console.post(action_of(cast.colleague, "password-link")).content.decode()
    assert events("password_link_requested") == []


def test_the_last_superuser_stays_active(console: Client) -> None:
    staff = User.objects.get(email="staff@cerply.example")
    path = page_of(User, "change", staff.pk)
    page = console.post(path, typed(console, path, is_active=False)).content.decode()
    assert "last active superuser" in page
    other = make_staff()
    assert console.post(path, typed(console, path, name="Stina S.")).status_code == 302
    path = page_of(User, "change", other.pk)
    assert console.post(path, typed(console, path, is_active=False)).status_code == 302
    other.refresh_from_db()
    assert not other.is_active
    assert events("user_updated")[0].metadata == {"changes": {"name": {"before": "Stina Staff", "after": "Stina S."}}}


def token_form(user: User) -> dict[str, Any]:
    tomorrow = clock.now() + timedelta(days=1)
    form = {"user": str(user.id), "name": "robot", "scopes": ["read", "write"]}
    return form | {"expires_at_0": f"{tomorrow:%Y-%m-%d}", "expires_at_1": f"{tomorrow:%H:%M:%S}"}


def test_a_token_is_shown_once(console: Client, cast: Cast) -> None:
    page = console.post(page_of(ApiToken, "add"), token_form(cast.learner), follow=True).content.decode()
    secret = page.partition("shown this once: ")[2].split("<")[0].strip()
    assert Api().get("/auth/me", by=secret).body["id"] == str(cast.learner.id)
    token = ApiToken.objects.get(name="robot")
    assert secret not in console.get(page_of(ApiToken, "change", token.pk)).content.decode()
    console.post(action_of(token, "revoke"))
    assert Api().get("/auth/me", by=secret).status == 401


def test_what_a_token_does_is_audited_with_its_id(console: Client, cast: Cast) -> None:
    token = make_token(cast.admin)
    Api().patch(f"/learners/{cast.learner.id}", {"name": "Maya L."}, by=token)
    path = page_of(User, "change", cast.learner.pk)
    console.post(path, typed(console, path, name="Maya Li."))
    by_token, by_hand = events("user_updated")
    assert by_token.actor_id == cast.admin.id
    assert by_token.metadata["tokenId"] == str(ApiToken.objects.get(digest=tokens.digest(token)).id)
    assert by_hand.metadata == {"changes": {"name": {"before": "Maya L.", "after": "Maya Li."}}}


# -- teams --


def test_a_team_is_made_filled_and_emptied(console: Client, cast: Cast) -> None:
    console.post(page_of(Team, "add"), {"organization": str(cast.organization.id), "name": "Night shift"})
    team = Team.objects.get(name="Night shift")
    people = [str(cast.colleague.id), str(cast.manager.id)]
    assert console.post(action_of(team, "add-people"), {"people": people, "role": "member"}).status_code == 302
    console.post(action_of(team, "add-people"), {"people": people[1], "role": "manager"})
    assert len(events("team_member_added")) == 3
    page = console.get(page_of(Team, "change", team.pk)).content.decode()
    assert "Jonas Weber" in page
    again = console.post(action_of(team, "add-people"), {"people": people, "role": "member"}, follow=True)
    assert "Nothing has changed." in again.content.decode()
    assert console.post(action_of(team, "remove-people"), {"people": people[1], "role": "member"}).status_code == 302
    assert set(team.memberships.values_list("user", "role")) == {
        (cast.colleague.id, "member"),
        (cast.manager.id, "manager"),
    }
    [removed] = events("team_member_removed")
    assert removed.metadata == {"userId": people[1], "role": "member"}
    membership = team.memberships.get(user=cast.colleague)
    assert console.post(page_of(Membership, "delete", membership.pk), {"post": "yes"}).status_code == 302
    assert len(events("team_member_removed")) == 2


def test_a_team_takes_its_own_organization_s_people_and_managers_who_may(console: Client, cast: Cast) -> None:
    for person, role in ((cast.outsider, "member"), (cast.colleague, "manager")):
        answer = console.post(action_of(cast.team, "add-people"), {"people": [str(person.id)], "role": role})
        assert answer.status_code == 200
    assert cast.team.memberships.count() == 2


def test_the_pickers_of_a_team_offer_whom_it_may_take_or_has(console: Client, cast: Cast) -> None:
    def offered(**query: str) -> set[str]:
        field = {"app_label": "accounts", "model_name": "membership", "field_name": "user"}
        answer = console.get(reverse("admin:autocomplete"), field | query)
        return {row["id"] for row in answer.json()["results"]}

    mine = {str(user.id) for user in (cast.learner, cast.manager, cast.colleague, cast.admin, cast.auditor)}
    assert offered(team=str(cast.team.id)) == mine
    assert offered(team=str(cast.team.id), term="jonas weber") == {str(cast.colleague.id)}
    assert offered(team=str(cast.team.id), present="yes") == {str(cast.learner.id), str(cast.manager.id)}
    assert "team=" in console.get(action_of(cast.team, "add-people")).content.decode()


def test_a_team_s_name_is_unique_and_its_loss_is_shown_as_a_number(console: Client, cast: Cast) -> None:
    other = make_team(cast.organization)
    path = page_of(Team, "change", other.pk)
    page = console.post(path, typed(console, path, name=cast.team.name.upper())).content.decode()
    assert "has a team of this name already" in page
    page = console.get(page_of(Team, "delete", cast.team.pk)).content.decode()
    assert "Maya" not in page
    assert "emberships" in page


def test_a_team_of_thousands_is_shown_changed_and_grows(console: Client, cast: Cast) -> None:
    users = User.objects.bulk_create(
        User(organization=cast.organization, role=Role.LEARNER, name=f"P {number}", email=f"p{number}@example.com")
        for number in range(3000)
    )
    Membership.objects.bulk_create(Membership(team=cast.team, user=user, role=TeamRole.MEMBER) for user in users)
    path = page_of(Team, "change", cast.team.pk)
    page = console.get(path).content.decode()
    assert "all 3,001" in page
    assert page.count("/accounts/user/") < 100
    assert console.post(path, typed(console, path, name="Large")).status_code == 302
    people = {"people": [str(cast.colleague.id)], "role": "member"}
    assert console.post(action_of(cast.team, "add-people"), people).status_code == 302
    assert cast.team.memberships.count() == 3003
