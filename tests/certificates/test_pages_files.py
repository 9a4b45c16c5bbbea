"""The page on which a stranger checks a file; and the pages when they do not work."""

import json
from typing import Any

import pytest
from django.test import Client

from certificates.models import Certificate
from certificates.rendering import pdf_of
from certificates.revoking import revoke
from tests.certificates.strangers import NAME, SECRET, Page, SentFile, path_of
from tests.factories import ACTOR
from tests.processes import run_python

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
