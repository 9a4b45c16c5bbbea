"""People over the API: created, updated, listed, deactivated; whole or not at all."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from cerply.accounts.models import User
from tests.api.client import Api
from tests.factories import Cast, make_team, make_user


def row(**fields: Any) -> dict[str, Any]:
    return {"name": "Zoë Müller", "email": f"{uuid4()}@example.com", **fields}


def test_one_is_created(api: Api, cast: Cast) -> None:
    given = row(externalId="hr-1", locale="de", timezone="Europe/Berlin")
    answer = api.post("/learners", given, by=cast.admin)
    assert answer.status == 201
    assert answer.body == given | {"id": answer.body["id"], "role": "learner", "active": True, "teams": []}
    assert AuditEvent.objects.filter(type="user_created").count() == 1


def test_a_known_external_id_makes_it_an_update_of_what_is_given(api: Api, cast: Cast) -> None:
    made = api.post("/learners", row(externalId="hr-1", role="manager", locale="de"), by=cast.admin).body
    answer = api.post("/learners", {"externalId": "hr-1", "name": "Zoe", "role": "admin"}, by=cast.admin)
    assert (answer.status, answer.body) == (200, made | {"name": "Zoe"})


def test_a_list_is_taken_whole(api: Api, cast: Cast) -> None:
    api.post("/learners", row(externalId="hr-1"), by=cast.admin)
    rows = [row(externalId="hr-1"), row(externalId="hr-2"), row()]
    answer = api.post("/learners", {"learners": rows}, by=cast.admin)
    assert (answer.status, answer.body["created"], answer.body["updated"]) == (200, 2, 1)
    assert [person["email"] for person in answer.body["learners"]] == [given["email"] for given in rows]


def test_a_list_with_one_bad_row_is_not_taken(api: Api, cast: Cast) -> None:
    before = User.objects.count()
    rows = [row(), row(email="nonsense"), {"name": 5}, "text", row(nonsense=1)]
    answer = api.post("/learners", {"learners": rows}, by=cast.admin)
    assert answer.status == 400
    problems = answer.details["learners"]
    assert {key: sorted(value) for key, value in problems.items()} == {
        "1": ["email"],
        "2": ["email", "name"],
        "3": ["nonFieldErrors"],
        "4": ["nonsense"],
    }
    assert User.objects.count() == before


def test_addresses_may_change_hands_within_a_list(api: Api, cast: Cast) -> None:
    for key in ("a", "b"):
        api.post("/learners", row(externalId=key, email=f"{key}@example.com"), by=cast.admin)
    rows = [{"externalId": "a", "email": "b@example.com"}, {"externalId": "b", "email": "a@example.com"}]
    assert api.post("/learners", {"learners": rows}, by=cast.admin).body["updated"] == 2
    assert User.objects.get(external_id="a").email == "b@example.com"


@pytest.mark.parametrize("twice", ["externalId", "email"])
def test_the_same_twice_in_a_list_is_named(api: Api, cast: Cast, twice: str) -> None:
    value = "x@example.com"
    answer = api.post("/learners", {"learners": [row(**{twice: value}), row(**{twice: value})]}, by=cast.admin)
    assert (answer.status, answer.details) == (
        400,
        {"learners": {"1": {twice: [answer.details["learners"]["1"][twice][0]]}}},
    )


def test_an_address_is_unique_in_the_organization_and_not_across(api: Api, cast: Cast) -> None:
    answer = api.post("/learners", row(email=cast.learner.email.upper()), by=cast.admin)
    assert (answer.status, list(answer.details)) == (400, ["email"])
    assert api.post("/learners", row(email=cast.learner.email), by=cast.outside_admin).status == 201


BAD = [
    {"name": ""},
    {"name": "a\0b"},
    {"name": "a\nb"},
    {"name": "x" * 256},
    {"email": "x"},
    {"email": None},
    {"role": "owner"},
    {"role": 1},
    {"timezone": "Mars/Olympus"},
    {"locale": "not a locale"},
    {"externalId": ""},
    {"externalId": "x" * 256},
    {"password": "short"},
    {"id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301"},
]


@pytest.mark.parametrize("change", BAD, ids=str)
def test_bad_fields_are_named(api: Api, cast: Cast, change: dict[str, Any]) -> None:
    answer = api.post("/learners", row() | change, by=cast.admin)
    assert (answer.status, list(answer.details)) == (400, list(change))


def test_markup_is_kept_as_text(api: Api, cast: Cast) -> None:
    name = "<script>alert(1)</script>'; DROP TABLE users; --"
    assert api.post("/learners", row(name=name), by=cast.admin).body["name"] == name


def test_who_sees_whom(api: Api, cast: Cast) -> None:
    def names(by: User) -> set[str]:
        return {person["id"] for person in api.get("/learners", by=by).body["learners"]}

    everyone = {str(key) for key in User.objects.for_organization(cast.organization.id).values_list("id", flat=True)}
    assert names(cast.learner) == {str(cast.learner.id)}
    assert names(cast.manager) == {str(cast.learner.id), str(cast.manager.id)}
    assert names(cast.admin) == names(cast.auditor) == everyone


def test_searching_and_filtering(api: Api, cast: Cast) -> None:
    def found(query: str) -> list[str]:
        return [person["name"] for person in api.get(f"/learners?{query}", by=cast.admin).body["learners"]]

    assert found("q=lindq") == ["Maya Lindqvist"]
    assert found("q=%25") == []
    assert found(f"team={cast.team.id}") == ["Maya Lindqvist", "Tomás Ferreira"]
    for bad in (f"team={uuid4()}", "team=x", "q=a%00b", "limit=0", "limit=x", "offset=-1", f"q={'x' * 300}"):
        assert api.get(f"/learners?{bad}", by=cast.admin).status == 400


def test_walking_the_pages_meets_everybody_once(api: Api, cast: Cast) -> None:
    for _ in range(7):
        make_user(cast.organization, name="The Same")
    pages = [api.get(f"/learners?limit=3&offset={offset}", by=cast.admin).body for offset in range(0, 13, 3)]
    met = [person["id"] for page in pages for person in page["learners"]]
    assert len(met) == len(set(met)) == pages[0]["total"] == 12
    assert api.get("/learners?limit=999", by=cast.admin).body["limit"] == 200


def test_the_list_asks_no_more_for_many_than_for_few(api: Api, cast: Cast) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            api.get("/learners", by=cast.admin)
        return len(queries)

    api.get("/learners", by=cast.admin)
    few = cost()
    make_team(cast.organization, [make_user(cast.organization) for _ in range(20)])
    assert cost() == few


def test_who_may_write(api: Api, cast: Cast) -> None:
    for who in (cast.learner, cast.manager, cast.auditor):
        assert api.post("/learners", row(), by=who).status == 403
        assert api.patch(f"/learners/{cast.learner.id}", {"name": "x"}, by=who).status == 403
    assert api.post("/learners", row()).status == 401
    assert api.patch(f"/learners/{cast.learner.id}", {"name": "x"}, by=cast.outside_admin).status == 404
    assert api.patch(f"/learners/{uuid4()}", {"name": "x"}, by=cast.admin).status == 404


def test_changes_are_audited_by_kind(api: Api, cast: Cast) -> None:
    changes = {"name": "Maya L.", "role": "manager", "active": False}
    assert api.patch(f"/learners/{cast.learner.id}", changes, by=cast.admin).status == 200
    types = set(AuditEvent.objects.filter(subject_id=cast.learner.id).values_list("type", flat=True))
    assert types == {"user_updated", "role_changed", "user_deactivated"}


def test_a_taken_external_id_or_address_is_refused(api: Api, cast: Cast) -> None:
    make_user(cast.organization, external_id="taken", email="taken@example.com")
    for change in ({"externalId": "taken"}, {"email": "TAKEN@example.com"}):
        answer = api.patch(f"/learners/{cast.learner.id}", change, by=cast.admin)
        assert (answer.status, list(answer.details)) == (400, list(change))


# -- teams --


def test_a_team_is_made_changed_and_dissolved(api: Api, cast: Cast) -> None:
    body = {"name": "Night", "managerIds": [str(cast.manager.id)], "memberIds": [str(cast.colleague.id)]}
    made = api.post("/teams", body, by=cast.admin)
    assert made.status == 201
    assert [person["name"] for person in made.body["managers"]] == ["Tomás Ferreira"]
    path = f"/teams/{made.body['id']}"
    changed = api.patch(path, {"name": "Day", "memberIds": [str(cast.learner.id)]}, by=cast.admin)
    assert [person["id"] for person in changed.body["members"]] == [str(cast.learner.id)]
    assert api.delete(path, by=cast.admin).status == 204
    assert api.get(path, by=cast.admin).status == 404
    assert set(AuditEvent.objects.filter(subject_kind="team").values_list("type", flat=True)) == {
        "team_created",
        "team_updated",
        "team_deleted",
        "team_member_added",
        "team_member_removed",
    }


def test_members_come_and_go(api: Api, cast: Cast) -> None:
    path = f"/teams/{cast.team.id}/members/{cast.colleague.id}"
    for _ in range(2):
        answer = api.put(path, by=cast.admin)
        assert (answer.status, len(answer.body["members"])) == (200, 2)
    assert api.put(path, {"role": "manager"}, by=cast.admin).status == 400
    for _ in range(2):
        assert api.delete(path, by=cast.admin).status == 204
    assert api.put(f"/teams/{cast.team.id}/members/{cast.outsider.id}", by=cast.admin).status == 404


def test_bad_teams(api: Api, cast: Cast) -> None:
    unknown, theirs = str(uuid4()), str(cast.outsider.id)
    for members in ([unknown], [theirs], ["x"], "x", [None]):
        answer = api.post("/teams", {"name": "New", "memberIds": members}, by=cast.admin)
        assert (answer.status, list(answer.details)) == (400, ["memberIds"])
    assert api.post("/teams", {"name": cast.team.name.upper()}, by=cast.admin).status == 400
    assert api.post("/teams", {"name": "M", "managerIds": [str(cast.learner.id)]}, by=cast.admin).status == 400


def test_who_sees_a_team(api: Api, cast: Cast) -> None:
    path = f"/teams/{cast.team.id}"
    make_team(cast.organization, [cast.colleague])
    assert [api.get(path, by=who).status for who in (cast.learner, cast.manager, cast.auditor)] == [200] * 3
    assert api.get(path, by=cast.colleague).status == 403
    assert api.get(path, by=cast.outsider).status == 403
    assert api.get(path, by=cast.outside_admin).status == 404
    assert api.get("/teams", by=cast.admin).body["total"] == 2
    assert api.get("/teams", by=cast.learner).body["total"] == 1
    assert api.delete(path, by=cast.manager).status == 403
