"""People who are changed, signed in and given tokens while something else happens to them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.db import transaction
from django.test import Client
from pytest_django import Settings

from cerply import clock
from cerply.accounts import importing, people, tokens
from cerply.accounts.models import ApiToken, Organization, User
from cerply.accounts.tokens import DEFAULT_VALIDITY
from cerply.errors import Invalid, Unauthorized
from tests.api.client import Api, document
from tests.factories import ACTOR, Cast, make_cast, make_staff, make_user
from tests.threads import at_once, meanwhile

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def save(cast: Cast) -> None:
    rows = [{"externalId": "hr-1", "name": "Saved"}]
    people.save_people(cast.organization.id, rows, actor=ACTOR)


def import_(cast: Cast) -> None:
    importing.import_people(cast.organization.id, b"externalId,name,teams\nhr-1,Imported,Night\n", actor=ACTOR)


@pytest.mark.parametrize("other", [save, import_])
def test_a_change_and_a_list_do_not_wait_for_each_other(cast: Cast, other: Callable[[Cast], None]) -> None:
    person = make_user(cast.organization, external_id="hr-1")
    with transaction.atomic():
        Organization.objects.locked().get(id=cast.organization.id)
        changing = meanwhile(partial(people.change_person, person.id, {"locale": "de"}, actor=ACTOR))
        other(cast)
    assert changing.result(timeout=60).locale == "de"
    person.refresh_from_db()
    assert (person.name, person.locale) in {("Saved", "de"), ("Imported", "de")}


@pytest.mark.slow
def test_changes_by_the_api_and_imports_at_once_all_come_through(cast: Cast) -> None:
    person = make_user(cast.organization, external_id="hr-1")
    token = Api().token_of(cast.admin)

    def patch(number: int) -> int:
        return Api().patch(f"/learners/{person.id}", {"name": f"Patched {number}"}, by=token).status

    def post() -> int:
        return Api().post("/learners", {"learners": [{"externalId": "hr-1", "name": "Saved"}]}, by=token).status

    calls: list[Callable[[], Any]] = [partial(patch, number) for number in range(6)]
    assert at_once([*calls, *[post] * 3, *[partial(import_, cast)] * 3]) == [200] * 9 + [None] * 3


def test_no_token_is_made_for_who_is_being_deactivated(cast: Cast) -> None:
    learner = User.objects.get(id=cast.learner.id)  # as a request found her that is under way
    expires_at = clock.now() + DEFAULT_VALIDITY
    with transaction.atomic():
        people.change_person(learner.id, {"active": False}, actor=ACTOR)
        making = meanwhile(partial(tokens.create, learner, "late", expires_at=expires_at, actor=ACTOR))
    with pytest.raises(Unauthorized):
        making.result(timeout=60)
    people.change_person(learner.id, {"active": True}, actor=ACTOR)
    assert not ApiToken.objects.filter(user=learner).exists()


def test_a_token_that_was_made_first_is_revoked(cast: Cast) -> None:
    with transaction.atomic():
        tokens.create(cast.learner, "early", expires_at=clock.now() + DEFAULT_VALIDITY, actor=ACTOR)
        leaving = meanwhile(partial(people.change_person, cast.learner.id, {"active": False}, actor=ACTOR))
        assert not leaving.done()
    leaving.result(timeout=60)
    assert ApiToken.objects.get(user=cast.learner).revoked_at is not None


def test_nobody_signs_in_who_is_being_deactivated(cast: Cast) -> None:
    person = make_user(cast.organization, password=PASSWORD)
    api = Api()
    with transaction.atomic():
        people.change_person(person.id, {"active": False}, actor=ACTOR)
        signing_in = meanwhile(partial(api.post, "/auth/login", {"email": person.email, "password": PASSWORD}))
    assert signing_in.result(timeout=60).status == 401
    people.change_person(person.id, {"active": True}, actor=ACTOR)
    assert api.get("/auth/me").status == 401


def test_of_two_on_the_staff_with_one_address_the_second_is_told(cast: Cast) -> None:
    def appoint() -> None:
        people.create_staff(User(name="Twin", email="twin@cerply.example"), "", actor=ACTOR)

    with transaction.atomic():
        appoint()
        second = meanwhile(appoint)
    with pytest.raises(Invalid) as refused:
        second.result(timeout=60)
    assert refused.value.details == {"email": [people.STAFF_EMAIL_TAKEN]}


def test_of_two_on_the_staff_who_take_one_address_the_second_is_told(cast: Cast) -> None:
    changes = [
        partial(people.change_staff, make_staff().id, {"email": "twin@cerply.example"}, actor=ACTOR) for _ in range(2)
    ]
    with transaction.atomic():
        changes[0]()
        second = meanwhile(changes[1])
    with pytest.raises(Invalid) as refused:
        second.result(timeout=60)
    assert list(refused.value.details or ()) == ["email"]


def test_the_admin_says_which_address_is_taken(cast: Cast) -> None:
    make_staff(email="twin@cerply.example")
    console = Client()
    console.force_login(make_staff())
    form = {"name": "Twin", "email": "TWIN@cerply.example", "locale": "en", "timezone": "UTC"}
    page = console.post("/admin/accounts/user/add/", form)
    assert "has this e-mail address already" in page.content.decode()


# -- passwords of many --


def rows(number: int, **fields: Any) -> list[dict[str, Any]]:
    return [
        {"externalId": f"hr-{n}", "name": f"P {n}", "email": f"p{n}@example.com", "password": PASSWORD, **fields}
        for n in range(number)
    ]


class NotingHasher(hashers.MD5PasswordHasher):
    """Quick, and notes whether the organization was locked meanwhile."""

    locked: list[bool]
    organization: Any

    def encode(self, password: str, salt: str) -> str:
        def is_locked() -> bool:
            return not Organization.objects.select_for_update(skip_locked=True).filter(id=self.organization).exists()

        def look() -> bool:
            with transaction.atomic():
                return is_locked()

        self.locked.extend(at_once([look]))
        return str(super().encode(password, salt))


@pytest.fixture
def hasher(cast: Cast, settings: Settings) -> type[NotingHasher]:
    settings.PASSWORD_HASHERS = [f"{__name__}.NotingHasher"]
    NotingHasher.locked, NotingHasher.organization = [], cast.organization.id
    return NotingHasher


def test_passwords_are_hashed_before_anybody_has_to_wait(cast: Cast, hasher: type[NotingHasher]) -> None:
    assert people.save_people(cast.organization.id, rows(3), actor=ACTOR).created == 3
    assert hasher.locked == [False] * 3
    assert User.objects.get(external_id="hr-2").check_password(PASSWORD)


def test_an_update_hashes_nothing(cast: Cast, hasher: type[NotingHasher]) -> None:
    people.save_people(cast.organization.id, rows(2), actor=ACTOR)
    hasher.locked.clear()
    assert people.save_people(cast.organization.id, rows(3, password="another one of many"), actor=ACTOR).updated == 2
    assert len(hasher.locked) == 1
    assert User.objects.get(external_id="hr-0").check_password(PASSWORD)


def test_a_list_sets_so_many_passwords_and_names_the_others(cast: Cast, hasher: type[NotingHasher]) -> None:
    most = people.MOST_PASSWORDS
    answer = Api().post("/learners", {"learners": rows(most + 2)}, by=cast.admin)
    assert (answer.status, sorted(answer.details["learners"])) == (400, [str(most), str(most + 1)])
    assert hasher.locked == []
    assert f"at most {most} passwords" in document()["paths"]["/api/learners"]["post"]["description"]
    without = [{name: value for name, value in row.items() if name != "password"} for row in rows(most + 2)]
    assert Api().post("/learners", {"learners": without}, by=cast.admin).body["created"] == most + 2


def test_a_password_like_the_name_is_refused(cast: Cast) -> None:
    row = {"name": "Maximiliane Huber", "email": "mh@example.com", "password": "maximiliane"}
    assert Api().post("/learners", row, by=cast.admin).details.keys() == {"password"}
