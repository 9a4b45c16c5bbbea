"""Earned badges as Open Badges, and baked into pictures."""

import json
from io import BytesIO
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft201909Validator
from PIL import Image

from audit.models import AuditEvent
from certificates.models import Credential
from certificates.signing import is_genuine
from gamification import badge_images, baking
from gamification.certifying import credential_of
from gamification.models import BadgeCredential, LearnerBadge
from tests.api.client import Api
from tests.certificates.test_credentials import SCHEMA, dropped
from tests.factories import ACTOR, Cast, give_answers, make_cast
from tests.threads import at_once


@pytest.fixture
def path(cast: Cast) -> str:
    give_answers(cast.learner, cast.track, 1)
    return f"/learners/{cast.learner.id}/badges/first-steps"


def test_it_is_an_open_badge(api: Api, cast: Cast, path: str) -> None:
    answer = api.get(f"{path}/credential", by=cast.learner)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/vc")
    document = json.loads(answer.content)
    schema = json.loads(SCHEMA.read_text())
    validator = Draft201909Validator(schema, format_checker=Draft201909Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(document)] == []
    assert dropped(document) == set()
    assert document["credentialSubject"]["name"] == "Maya Lindqvist"
    assert document["credentialSubject"]["achievement"]["name"] == "First Steps"
    credential = Credential.objects.select_related("key").get()
    assert is_genuine(credential, document["proof"]["proofValue"])


def test_it_is_signed_once(api: Api, cast: Cast, path: str) -> None:
    first = api.get(f"{path}/credential", by=cast.learner).content
    cast.learner.name = "Somebody Else"
    cast.learner.save()
    assert api.get(f"{path}/credential", by=cast.manager).content == first
    assert AuditEvent.objects.filter(type="badge_certified").count() == 1


def test_who_may_have_it(api: Api, cast: Cast, path: str) -> None:
    for kind in ("credential", "image.png", "image.svg"):
        one = f"{path}/{kind}"
        assert [api.get(one, by=who).status for who in (cast.learner, cast.manager, cast.admin, cast.auditor)] == [
            200
        ] * 4
        assert [api.get(one, by=who).status for who in (cast.colleague, cast.outsider)] == [403] * 2
        assert [api.get(one, by=cast.outside_admin).status, api.get(one).status] == [404, 401]
        for slug in ("perfectionist", "unheard-of"):
            unearned = one.replace("first-steps", slug)
            assert api.get(unearned, by=cast.learner).status == 404
    assert api.get(f"/learners/{uuid4()}/badges/first-steps/credential", by=cast.admin).status == 404


def test_the_credential_is_baked_into_both_pictures(api: Api, cast: Cast, path: str) -> None:
    credential = api.get(f"{path}/credential", by=cast.learner).content.decode()
    png = api.get(f"{path}/image.png", by=cast.learner)
    assert png.headers["Content-Type"] == "image/png"
    with Image.open(BytesIO(png.content)) as image:
        assert image.size == (512, 512)
        assert image.info["openbadgecredential"] == credential
    svg = ElementTree.fromstring(api.get(f"{path}/image.svg", by=cast.learner).content)  # noqa: S314 - our own
    assert svg[0].tag == f"{{{baking.NAMESPACE}}}credential"
    assert svg[0].text == credential


def test_what_the_credential_names_can_be_fetched(api: Api, cast: Cast, path: str) -> None:
    document = json.loads(api.get(f"{path}/credential", by=cast.learner).content)  # noqa: S314 - our own
    achievement: dict[str, Any] = document["credentialSubject"]["achievement"]
    published = Client().get(achievement["id"].removeprefix("http://127.0.0.1:8080"))
    assert published.json().items() >= achievement.items()
    picture = Client().get(achievement["image"]["id"].removeprefix("http://127.0.0.1:8080"))
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/png")
    for unknown in ("first-steps/99", "first-steps/99999999999999999999", "unheard-of/1", "first-steps/1/image.gif"):
        assert Client().get(f"/badges/{unknown}").status_code == 404


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(name=st.text(max_size=100), number=st.integers(0, 2**15))
def test_any_name_makes_a_picture(name: str, number: int) -> None:
    document = badge_images.svg(name, number)
    assert badge_images.png(document).startswith(b"\x89PNG")
    baked = ElementTree.fromstring(baking.bake_svg(document, '{"a": "]]>"}'))  # noqa: S314 - our own
    assert baked[0].text == '{"a": "]]>"}'


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_asked_for_by_many_it_is_signed_once() -> None:
    cast = make_cast()
    give_answers(cast.learner, cast.track, 1)
    award = LearnerBadge.objects.select_related("badge", "rule__badge").get()
    found = at_once([lambda: credential_of(award, actor=ACTOR).document] * 8)
    assert len(set(found)) == 1
    assert BadgeCredential.objects.count() == Credential.objects.count() == 1
