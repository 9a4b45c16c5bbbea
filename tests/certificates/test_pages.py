"""The pages for strangers."""

import json
import re
import string
from contextlib import closing
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import User
from cerply.languages import LANGUAGES, preferred
from cerply.permissions import Actor, ActorKind
from certificates import identity, keys, sharing
from certificates.models import Certificate, Credential, RevocationCode
from certificates.rendering import pdf_of
from certificates.revoking import revoke
from certificates.sentences import SENTENCES
from tests.factories import ACTOR, Cast, complete, make_staff, make_user
from tests.processes import run_python

NAME = "Maya Lindqvist"
SECRET = "She cheated, we think."


@pytest.fixture
def certificate(cast: Cast) -> Certificate:
    return complete(cast.learner, cast.track).certificates[0]


class Page(HTMLParser):
    """A page as a reader meets it: its text, its headline, and what its attributes are."""

    def __init__(self, path: str, status: int = 200, by: User | None = None, **headers: str) -> None:
        super().__init__()
        client = Client(headers=headers)
        if by:
            client.force_login(by)
        self.take(client.get(path), status)

    def take(self, response: Any, status: int = 200) -> None:
        assert response.status_code == status
        self.response = response
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def headline(self) -> str:
        [found] = re.findall(r"<h1>(.*?)</h1>", self.response.content.decode())
        return str(found)

    def links(self) -> list[str]:
        return [attributes.get("href") or "" for tag, attributes in self.tags if tag == "a"]


class SentFile(Page):
    def __init__(self, content: bytes, status: int = 200, query: str = "") -> None:
        HTMLParser.__init__(self)
        file = SimpleUploadedFile("file", content)
        self.take(Client(enforce_csrf_checks=True).post(f"/verify{query}", {"file": file}), status)


def path_of(certificate: Certificate) -> str:
    return f"/verify/{certificate.id}"


def ends(**changes: Any) -> None:
    Certificate.objects.update(issued_at=clock.now() - timedelta(days=9), **changes)


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


# -- languages --


def test_each_language_has_each_sentence() -> None:
    def placeholders(sentence: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(sentence)} - {None}

    assert SENTENCES.keys() == LANGUAGES.keys()
    for sentences in SENTENCES.values():
        assert sentences.keys() == SENTENCES["en"].keys()
        for key, sentence in sentences.items():
            assert sentence.strip()
            assert placeholders(sentence) == placeholders(SENTENCES["en"][key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_in_each_language(certificate: Certificate, language: str) -> None:
    for page in (
        Page(f"{path_of(certificate)}?lang={language}"),
        Page(path_of(certificate), accept_language=f"xx, {language}-XX;q=0.9, en;q=0.1"),
    ):
        assert page.headline == SENTENCES[language]["headline.valid"]
        assert page.response.headers["Content-Language"] == language
        direction = "rtl" if language == "ar" else "ltr"
        assert ("html", {"lang": language, "dir": direction}) in page.tags
        assert [link for link in page.links() if link.startswith("?lang=")] == [f"?lang={code}" for code in LANGUAGES]
        if language != "en":
            said = set(SENTENCES["en"].values()) - set(SENTENCES[language].values())
            assert not [sentence for sentence in said if len(sentence) > 20 and sentence in page.text]


def test_which_language_is_meant() -> None:
    asked = {"": "en", "pt": "en", "fr-CA,en;q=0.5": "fr", "pt, es-419;q=0.8": "es", "*": "en", "de;q=x": "en"}
    assert {header: preferred(header) for header in asked} == asked
    assert preferred("de," * 5000) == "de"


def test_a_language_that_we_do_not_speak(certificate: Certificate) -> None:
    assert Page(f"{path_of(certificate)}?lang=xx%22%3E").headline == "Valid"


def test_the_languages_keep_the_link(certificate: Certificate) -> None:
    _, secret = sharing.share(certificate, actor=ACTOR)
    assert f"?lang=de&share={secret}" in Page(f"{path_of(certificate)}?share={secret}").links()


# -- files --


def test_a_form_without_scripts(db: None) -> None:
    page = Page("/verify")
    [form] = [attributes for tag, attributes in page.tags if tag == "form"]
    assert (form["method"], form["enctype"]) == ("post", "multipart/form-data")


def test_a_genuine_file(certificate: Certificate) -> None:
    for content in (certificate.credential.document.encode(), pdf_of(certificate.id)[0]):
        page = SentFile(content)
        assert page.headline == "Genuine and valid"
        assert NAME in page.text
        assert page.response.headers["Cache-Control"] == "no-store"


def test_who_presents_the_credential_sees_the_name_of_a_revoked_one(certificate: Certificate) -> None:
    revoke(certificate.id, SECRET, actor=ACTOR)
    page = SentFile(certificate.credential.document.encode())
    assert page.headline == "Genuine, but not valid"
    assert NAME in page.text
    assert SECRET not in page.text


def test_files_that_are_not_genuine(certificate: Certificate) -> None:
    document = json.loads(certificate.credential.document)
    document["credentialSubject"]["name"] = "Eve Evil"
    page = SentFile(json.dumps(document).encode(), query="?lang=de")
    assert page.headline == "Nicht echt"
    assert "credentialSubject.name" in page.text
    assert "Eve" not in page.text
    for content in (b"hello", b"{}", b"%PDF-1.7", b"\x89PNG"):
        assert SentFile(content).headline == "Not genuine"


def test_a_made_up_field_is_text(certificate: Certificate) -> None:
    document = {**json.loads(certificate.credential.document), "<script>": 1}
    page = SentFile(json.dumps(document).encode())
    assert "script" not in [tag for tag, _ in page.tags]


def test_no_file_and_too_large_a_one(db: None) -> None:
    client = Client()
    assert client.post("/verify").status_code == 400
    assert client.post("/verify", b"garbage", content_type="multipart/form-data; boundary=x").status_code == 400
    assert client.post("/verify", b"{}", content_type="application/json").status_code == 400
    assert SentFile(b"", 400).headline == "Check a file"
    assert "larger than 1 MiB" in SentFile(b"x" * (1024 * 1024 + 1), 413).text
    assert "larger than 1 MiB" in SentFile(b"x" * 6 * 1024 * 1024, 413).text
    assert client.put("/verify").status_code == 405


# -- when it does not work --


def test_too_many_from_one_address(settings: Any, certificate: Certificate) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"verification": "2/hour"}
    client = Client(REMOTE_ADDR="192.0.2.78")
    answers = [client.get(path_of(certificate)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 3600
    assert answers[2].headers["Cache-Control"] == "no-store"
    assert b"Too many checks" in answers[2].content
    assert client.get("/verify").status_code == 429
    assert Client(REMOTE_ADDR="192.0.2.79").get(path_of(certificate)).status_code == 200


def test_too_many_files_from_one_address(settings: Any, certificate: Certificate) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"files": "2/hour"}
    client = Client(REMOTE_ADDR="192.0.2.80")
    assert [client.post("/verify").status_code for _ in range(3)] == [400, 400, 429]
    assert client.get(path_of(certificate)).status_code == 200
    assert client.get("/verify").status_code == 200


WITHOUT_DATABASE = """
from django.test import Client
answer = Client().get("/verify/3f0b7a3e-0000-4000-8000-000000000000")
print(answer.status_code, answer.headers["Content-Security-Policy"][:18], answer.content.decode())
"""


@pytest.mark.slow
def test_without_a_database() -> None:
    done = run_python(WITHOUT_DATABASE, DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    assert done.stdout.startswith("503 default-src 'none'")
    assert "This says nothing about yours" in done.stdout
