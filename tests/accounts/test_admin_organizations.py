"""Organizations in the admin."""

import hashlib
from io import BytesIO
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from cerply.accounts.models import Organization, User
from cerply.errors import Conflict
from ops import features
from tests.console import action_of, events, page_of, typed
from tests.factories import (
    Cast,
    make_organization,
)


def test_an_organization_is_opened_changed_closed_and_opened_again(console: Client) -> None:
    console.post(page_of(Organization, "add"), {"name": "New Ltd", "colour": "#112233"})
    organization = Organization.objects.get(name="New Ltd")
    assert features.decide(features.Feature.CERTIFICATES, organization.id).on
    change = page_of(Organization, "change", organization.pk)
    console.post(change, typed(console, change, name="Newer Ltd"))
    changed = {"name": {"before": "New Ltd", "after": "Newer Ltd"}}
    assert [event.metadata for event in events("organization_changed")] == [{"changes": changed}]
    console.post(change, typed(console, change))
    assert len(events("organization_changed")) == 1
    console.post(action_of(organization, "close"), {"reason": "They left."})
    organization.refresh_from_db()
    assert organization.closed_at is not None
    assert events("organization_closed")[0].metadata == {"reason": "They left."}
    console.post(action_of(organization, "reopen"), {"reason": "They came back."})
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
    page = console.post(path, {"toggle": "off", "reason": "Again."}, follow=True).content.decode()
    assert "Nothing has changed." in page
    assert len(events("feature_switched")) == 1


def test_a_logo_must_be_a_picture(console: Client, cast: Cast) -> None:
    path = page_of(Organization, "change", cast.organization.pk)
    evil = SimpleUploadedFile("logo.png", b"<svg onload=alert(1)>", "image/png")
    page = console.post(path, {"name": "x", "colour": "#112233", "logo": evil})
    assert "neither PNG nor JPEG" in page.content.decode()


def picture(width: int = 4, height: int = 4) -> bytes:
    stream = BytesIO()
    Image.new("1", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def test_the_logo_is_shown_to_staff_and_to_nobody_else(console: Client, cast: Cast) -> None:
    path = page_of(Organization, "change", cast.organization.pk)
    logo = SimpleUploadedFile("logo.png", picture(), "image/png")
    assert console.post(path, typed(console, path, logo=logo)).status_code == 302
    cast.organization.refresh_from_db()
    url = cast.organization.logo.url
    assert events("organization_changed")[0].metadata["changes"]["logo"]["after"] == cast.organization.logo.name
    assert url in console.get(path).content.decode()
    answer = console.get(url)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert hashlib.sha256(content).hexdigest() in url
    with Image.open(BytesIO(content), formats=["PNG"]) as shown, Image.open(BytesIO(picture())) as uploaded:
        assert shown.tobytes() == uploaded.convert("RGB").tobytes()
    assert Client().get(url).status_code == 302
    assert console.get(url.replace(".png", ".svg")).status_code == 404
    assert console.get(f"{url.rpartition('/')[0]}/other.png").status_code == 404


@pytest.mark.parametrize("side", [5_000, 20_000])
def test_a_picture_of_too_many_pixels_is_called_that(console: Client, cast: Cast, side: int) -> None:
    path = page_of(Organization, "change", cast.organization.pk)
    logo = SimpleUploadedFile("logo.png", picture(side, side), "image/png")
    page = console.post(path, typed(console, path, logo=logo)).content.decode()
    assert "more than 20 million pixels" in page


def test_a_closed_organization_has_no_features_and_can_only_be_reopened(console: Client, cast: Cast) -> None:
    console.post(action_of(cast.organization, "close"), {"reason": "They left."})
    page = console.get(page_of(Organization, "change", cast.organization.pk)).content.decode()
    assert "none: it is closed" in page
    assert "decided by" not in page
    assert action_of(cast.organization, "reopen") in page
    for action in ("close", "gamification", "certificates", "notifications"):
        assert action_of(cast.organization, action) not in page
    page = console.get(page_of(Organization, "change", cast.outside.pk)).content.decode()
    assert action_of(cast.outside, "close") in page
    assert action_of(cast.outside, "reopen") not in page


def test_the_page_says_why_an_organization_is_not_deleted_and_leads_to_its_rows(console: Client, cast: Cast) -> None:
    page = console.get(page_of(Organization, "change", cast.organization.pk)).content.decode()
    assert "It cannot be deleted, only closed: it has" in page
    assert f"{page_of(User, 'changelist')}?organization__id__exact={cast.organization.id}" in page


def test_a_new_organization_shows_no_id_that_it_will_not_have(console: Client) -> None:
    assert "id" not in console.get(page_of(Organization, "add")).context["adminform"].form.fields
    assert "field-id" not in console.get(page_of(Organization, "add")).content.decode()


def test_a_page_that_was_open_for_long_changes_only_what_was_changed_in_it(console: Client, cast: Cast) -> None:
    path = page_of(Organization, "change", cast.organization.pk)
    stale = typed(console, path)
    console.post(path, typed(console, path, name="Renamed Ltd"))
    assert console.post(path, stale | {"colour": "#abcdef"}).status_code == 302
    cast.organization.refresh_from_db()
    assert (cast.organization.name, cast.organization.colour) == ("Renamed Ltd", "#abcdef")


def test_organizations_are_found_by_a_part_of_their_name(console: Client, cast: Cast) -> None:
    found = console.get(page_of(Organization, "changelist"), {"q": "nordLYS energy"}).context["cl"].result_list
    assert list(found) == [cast.organization]


def test_what_came_meanwhile_keeps_an_organization_from_being_deleted(console: Client) -> None:
    empty = make_organization("Empty")
    refuse = mock.patch("cerply.accounts.organizations.delete_organization", side_effect=Conflict("It has users."))
    with refuse:
        page = console.post(page_of(Organization, "delete", empty.pk), {"post": "yes"}, follow=True)
    assert "It has users." in page.content.decode()
    assert Organization.objects.filter(id=empty.id).exists()
