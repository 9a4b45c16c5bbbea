"""The page of a certificate, for strangers."""

from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import User
from cerply.languages import LANGUAGES
from cerply.permissions import Actor, ActorKind
from certificates import identity, keys, sharing
from certificates.models import Certificate, Credential, RevocationCode
from certificates.revoking import revoke
from certificates.sentences import SENTENCES
from tests.certificates.strangers import NAME, SECRET, Page, ends, path_of
from tests.factories import ACTOR, Cast, complete, make_staff, make_user

# -- how a certificate stands --


def test_a_valid_one_says_what_a_stranger_needs(certificate: Certificate) -> None:
    page = Page(path_of(certificate))
    assert page.headline == "Valid"
    for words in (
        NAME,
        "Fire Safety Fundamentals",
        "Nordlys Energy",
        "Identity not checked",
        "Each of the 4 items answered correctly",
        "Recorded by the learner",
        "No end date",
        certificate.credential.issuer.did,
        str(certificate.credential.key_id),
    ):
        assert words in page.text
    assert "Failed" not in page.text


def test_it_is_for_this_visitor_alone_and_loads_nothing_from_others(certificate: Certificate) -> None:
    for path, status in ((path_of(certificate), 200), (f"/verify/{uuid4()}", 404), ("/verify", 200)):
        page = Page(path, status)
        headers = page.response.headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Robots-Tag"] == "noindex, nofollow"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not page.response.cookies
        for tag, attributes in page.tags:
            assert "style" not in attributes
            assert not [name for name in attributes if name.startswith("on")]
            loaded = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
            assert tag not in {"style", "iframe", "img"}
            assert loaded is None or loaded.startswith("/static/")
        assert ("meta", {"name": "robots", "content": "noindex, nofollow"}) in page.tags
        assert Client().head(path).content == b""


def test_what_it_loads_is_there(db: None) -> None:
    for name in ("page.css", "drop.js"):
        with closing(Client().get(f"/static/certificates/{name}")) as answer:
            assert answer.status_code == 200


def test_a_revoked_one(certificate: Certificate) -> None:
    revoke(certificate.id, SECRET, actor=ACTOR)
    page = Page(path_of(certificate))
    assert page.headline == f"Revoked on {clock.now():%-d %B %Y}"
    assert NAME not in page.response.content.decode()
    assert SECRET not in page.response.content.decode()
    assert "Failed" in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_of_a_revocation_has_its_sentence_in_each_language(certificate: Certificate, language: str) -> None:
    revoke(certificate.id, "She copied it all.", code=RevocationCode.MISCONDUCT, actor=ACTOR)
    page = Page(f"{path_of(certificate)}?lang={language}")
    assert SENTENCES[language]["revoked.misconduct"] in page.text
    assert "copied" not in page.text
    for code in set(RevocationCode) - {RevocationCode.OTHER}:
        assert SENTENCES[language][f"revoked.{code}"]


def test_an_expired_one_and_a_replaced_one(certificate: Certificate) -> None:
    ends(expires_at=clock.now() - timedelta(seconds=1))
    page = Page(path_of(certificate))
    assert page.headline == "Expired"
    assert NAME not in page.text
    ends(expires_at=None, replaced_at=clock.now())
    page = Page(path_of(certificate))
    assert page.headline == "Replaced"
    assert NAME not in page.text


@pytest.mark.parametrize("id_", [uuid4(), "nonsense", "%00", "ü", "x" * 2000])
def test_one_that_we_do_not_know(db: None, id_: Any) -> None:
    assert Page(f"/verify/{id_}", 404).headline == "Unknown"


def test_what_was_tampered_with_is_not_repeated(certificate: Certificate) -> None:
    Credential.objects.update(document=certificate.credential.document.replace("Fire Safety", "Brain Surgery"))
    page = Page(path_of(certificate))
    assert page.headline == "Not confirmed"
    assert "Brain" not in page.text
    revoke(certificate.id, "x", actor=ACTOR)
    assert Page(path_of(certificate)).headline.startswith("Revoked on")


def test_a_compromised_key(certificate: Certificate) -> None:
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="x")
    assert Page(path_of(certificate)).headline == "Not confirmed"


def test_only_what_was_signed_is_shown(certificate: Certificate) -> None:
    Certificate.objects.update(learner_name="Eve Evil", track_title="Brain Surgery", organization_name="TÜV")
    page = Page(path_of(certificate))
    assert NAME in page.text
    for words in ("Eve", "Brain", "TÜV"):
        assert words not in page.text


def test_an_erased_one(certificate: Certificate) -> None:
    Credential.objects.update(document="")
    Certificate.objects.update(learner_name="")
    page = Page(path_of(certificate))
    assert page.headline == "Valid"
    assert "The name was removed" in page.text
    assert NAME not in page.text
    assert "Fire Safety Fundamentals" in page.text


def test_an_identity_that_was_checked_under_this_name(cast: Cast, certificate: Certificate) -> None:
    staff = Actor(ActorKind.USER, make_staff().id, "staff")
    identity.check_identity(certificate.credential.issuer_id, "The register of companies.", actor=staff)
    assert "Identity checked" in Page(path_of(certificate)).text
    cast.organization.name = "TÜV"
    cast.organization.save()
    [renamed] = complete(cast.colleague, cast.track).certificates
    assert "Identity not checked" in Page(path_of(renamed)).text
    assert "Identity checked" in Page(path_of(certificate)).text
    identity.withdraw_check(certificate.credential.issuer_id, "A mistake.", actor=staff)
    assert "Identity not checked" in Page(path_of(certificate)).text


@pytest.mark.slow
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60).filter(str.strip))
def test_names_of_all_scripts(cast: Cast, name: str) -> None:
    [certificate] = complete(make_user(cast.organization, name=name), cast.track).certificates
    page = Page(path_of(certificate))
    assert " ".join(name.split()) in page.text


def test_a_name_is_text(cast: Cast) -> None:
    learner = make_user(cast.organization, name="<script>alert(1)</script>")
    [certificate] = complete(learner, cast.track).certificates
    assert "script" not in [tag for tag, _ in Page(path_of(certificate)).tags]


# -- who sees the name --


def test_she_decides_who_sees_her_name(certificate: Certificate) -> None:
    sharing.show_name(certificate.id, False, actor=ACTOR)
    link, secret = sharing.share(certificate, actor=ACTOR)
    shared = f"{path_of(certificate)}?share={secret}"
    assert NAME not in Page(path_of(certificate)).text
    page = Page(shared)
    assert NAME in page.text
    assert f"/api/shared/{secret}" in page.links()
    assert AuditEvent.objects.get(type="share_link_used").metadata == {"linkId": str(link.id)}
    sharing.withdraw(link, actor=ACTOR)
    page = Page(shared)
    assert (page.headline, NAME in page.text) == ("Valid", False)
    assert AuditEvent.objects.filter(type="share_link_used").count() == 1


def test_a_link_shows_an_expired_one_and_none_that_was_ended(certificate: Certificate) -> None:
    _, secret = sharing.share(certificate, actor=ACTOR)
    shared = f"{path_of(certificate)}?share={secret}"
    ends(expires_at=clock.now() - timedelta(seconds=1))
    assert NAME in Page(shared).text
    revoke(certificate.id, "x", actor=ACTOR)
    page = Page(shared)
    assert NAME not in page.text
    assert f"/api/shared/{secret}" not in page.links()


def test_a_link_of_another_certificate_shows_nothing(cast: Cast, certificate: Certificate) -> None:
    [other] = complete(cast.colleague, cast.track).certificates
    sharing.show_name(certificate.id, False, actor=ACTOR)
    _, secret = sharing.share(other, actor=ACTOR)
    assert NAME not in Page(f"{path_of(certificate)}?share={secret}").text


@pytest.mark.parametrize("secret", ["", "x", "%00", "%ff", "ü" * 500])
def test_links_that_are_none(certificate: Certificate, secret: str) -> None:
    assert Page(f"{path_of(certificate)}?share={secret}").headline == "Valid"


def test_linkedin_is_for_the_holder(cast: Cast, certificate: Certificate) -> None:
    def offered(by: User | None) -> bool:
        return any(link.startswith("https://www.linkedin.com/") for link in Page(path_of(certificate), by=by).links())

    assert offered(cast.learner)
    assert not offered(cast.colleague)
    assert not offered(None)
