"""Certificates over the API: listed, downloaded, verified, revoked."""

from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from audit import kpis
from audit.models import AuditEvent
from cerply import clock
from cerply.clock import rfc3339
from certificates.models import Certificate, Credential
from certificates.rendering import pdf_of, render_owed
from certificates.revoking import revoke
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, make_track, make_user

ADMIN_TOKEN = "dev-admin-token-12345"


@pytest.fixture
def certificate(cast: Cast) -> Certificate:
    return complete(cast.learner, cast.track).certificates[0]


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path.removeprefix('/api')}?{parts.query}"


# -- lists --


def test_a_learners_certificates(api: Api, cast: Cast, certificate: Certificate) -> None:
    body = api.get(f"/learners/{cast.learner.id}/certificates", by=cast.manager).body
    assert body["certificates"] == [
        {
            "id": str(certificate.id),
            "trackId": str(cast.track.id),
            "trackTitle": "Fire Safety Fundamentals",
            "issuedAt": rfc3339(certificate.issued_at),
            "expiresAt": None,
            "revokedAt": None,
            "suspendedAt": None,
            "replacedAt": None,
            "erasedAt": None,
            "replaces": None,
            "replacedBy": None,
            "status": "valid",
            "signature": certificate.signature,
            "verificationUrl": f"http://127.0.0.1:8080/api/certificates/{certificate.id}/verify"
            f"?signature={certificate.signature}",
            "downloadUrl": f"http://127.0.0.1:8080/api/certificates/{certificate.id}/download",
        }
    ]


def test_who_sees_a_learners_certificates(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/learners/{cast.learner.id}/certificates"
    assert [api.get(path, by=who).status for who in (cast.learner, cast.admin, cast.auditor)] == [200] * 3
    assert [api.get(path, by=who).status for who in (cast.colleague, cast.outsider)] == [403] * 2
    assert api.get(path, by=cast.outside_admin).status == 404
    assert api.get(path).status == 401
    unknown = api.get(f"/learners/{uuid4()}/certificates", x_admin_token=ADMIN_TOKEN)
    assert (unknown.status, unknown.body["certificates"]) == (200, [])


def test_the_organizations_certificates_with_filters(api: Api, cast: Cast, certificate: Certificate) -> None:
    other = make_track(cast.organization, items=1)
    [second] = complete(cast.colleague, other).certificates
    complete(cast.outsider, cast.outside_track)
    # They are issued in the same second.
    certificate.issued_at -= timedelta(seconds=1)
    certificate.save(update_fields=["issued_at"])
    before = clock.now()
    revoke(second.id, "A mistake.", actor=ACTOR)

    def found(query: str = "") -> list[tuple[str, str]]:
        rows = api.get(f"/certificates?{query}", by=cast.auditor).body["certificates"]
        return [(row["learner"]["name"], row["status"]) for row in rows]

    assert found() == [("Jonas Weber", "revoked"), ("Maya Lindqvist", "valid")]
    assert found(f"track={other.id}") == [("Jonas Weber", "revoked")]
    assert found("status=valid") == [("Maya Lindqvist", "valid")]
    assert found("status=suspended") == []
    assert found(f"asOf={rfc3339(before)}&status=valid") == [("Jonas Weber", "valid"), ("Maya Lindqvist", "valid")]
    assert found(f"asOf={rfc3339(certificate.issued_at - timedelta(seconds=1))}") == []
    for bad in ("status=no", "asOf=yesterday", "track=x"):
        assert api.get(f"/certificates?{bad}", by=cast.auditor).status == 400
    assert api.get("/certificates", by=cast.manager).status == 403


def test_the_list_asks_no_more_for_many_than_for_few(api: Api, cast: Cast, certificate: Certificate) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            api.get("/certificates", by=cast.admin)
        return len(queries)

    api.get("/certificates", by=cast.admin)
    few = cost()
    for _ in range(5):
        complete(make_user(cast.organization), cast.track)
    assert cost() == few


# -- downloads --


def test_the_pdf(api: Api, cast: Cast, certificate: Certificate) -> None:
    answer = api.get(f"/certificates/{certificate.id}/download", by=cast.learner)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="certificate-{certificate.id}.pdf"'
    assert answer.headers["Cache-Control"] == "private, max-age=3600"
    [page] = PdfReader(BytesIO(answer.content)).pages
    assert (round(page.mediabox.width), round(page.mediabox.height)) == (842, 595)
    text = page.extract_text()
    for words in ("Maya Lindqvist", "Fire Safety Fundamentals", "Nordlys Energy", str(certificate.id)):
        assert words in text
    assert certificate.printed_url in text.replace("\n", "")
    assert api.get(f"/certificates/{certificate.id}/download", by=cast.manager).content == answer.content


def test_an_etag_saves_the_download_and_is_not_counted(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/download"
    etag = api.get(path, by=cast.learner).headers["ETag"]
    for match in (etag, "*", f'"other", W/{etag}'):
        again = api.get(path, by=cast.learner, if_none_match=match)
        assert (again.status, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert api.get(path, by=cast.learner, if_none_match='"other"').status == 200
    head = api.call("HEAD", path, None, by=cast.learner)
    assert (head.status, head.content) == (200, b"")
    assert kpis.totals()["certificates_downloaded"] == 2
    assert AuditEvent.objects.filter(type="certificate_downloaded", subject_id=certificate.id).count() == 2


def test_who_may_download(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/download"
    assert [api.get(path, by=who).status for who in (cast.manager, cast.admin, cast.auditor)] == [200] * 3
    assert api.get(path, x_admin_token=ADMIN_TOKEN).status == 200
    assert [api.get(path, by=who).status for who in (cast.colleague, cast.outsider)] == [403] * 2
    assert api.get(path, by=cast.outside_admin).status == 404
    assert api.get(path).status == 401
    unknown = f"/certificates/{uuid4()}/download"
    assert [api.get(unknown, by=who).status for who in (cast.learner, cast.admin)] == [403, 404]


def test_a_revoked_one_is_gone(api: Api, cast: Cast, certificate: Certificate) -> None:
    revoke(certificate.id, "A mistake.", actor=ACTOR)
    answer = api.get(f"/certificates/{certificate.id}/download", by=cast.learner)
    assert (answer.status, answer.code) == (410, "GONE")
    assert api.get(f"/certificates/{certificate.id}/download", by=cast.colleague).status == 403


def test_it_is_rendered_once_and_from_what_was_frozen(cast: Cast, certificate: Certificate) -> None:
    assert render_owed() == "Rendered 1 certificates."
    first, digest = pdf_of(certificate.id)
    cast.learner.name = "Somebody Else"
    cast.learner.save()
    assert render_owed() == "Rendered 0 certificates."
    assert pdf_of(certificate.id) == (first, digest)
    certificate.refresh_from_db()
    default_storage.delete(certificate.pdf)
    assert pdf_of(certificate.id) == (first, digest)


# -- verification --


def test_the_right_signature(api: Api, cast: Cast, certificate: Certificate) -> None:
    answer = api.get(path_of(certificate.verification_url))
    assert answer.status == 200
    assert answer.body == {
        "valid": True,
        "revoked": False,
        "status": "valid",
        "issuedAt": rfc3339(certificate.issued_at),
        "expiresAt": None,
        "learnerName": "Maya Lindqvist",
        "trackTitle": "Fire Safety Fundamentals",
        "organizationName": "Nordlys Energy",
        "source": "self",
    }


@pytest.mark.parametrize("wrong", ["x", "x" * 86, "%00", "%ff", "ü", "A" * 5000, "../..", "=" * 4])
def test_a_wrong_signature_says_nothing(api: Api, certificate: Certificate, wrong: str) -> None:
    answer = api.get(f"/certificates/{certificate.id}/verify?signature={wrong}")
    assert (answer.status, answer.body) == (200, {"valid": False, "revoked": False})


def test_almost_the_right_signature_is_wrong(api: Api, cast: Cast, certificate: Certificate) -> None:
    signature = certificate.signature
    [other] = complete(cast.colleague, cast.track).certificates
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    for wrong in (flipped, f"{signature}=", f" {signature}", f"{signature}A", signature.lower(), other.signature):
        answer = api.get(f"/certificates/{certificate.id}/verify?signature={wrong}")
        assert answer.body == {"valid": False, "revoked": False}


def test_no_signature_and_no_certificate(api: Api, certificate: Certificate) -> None:
    assert api.get(f"/certificates/{certificate.id}/verify").status == 400
    assert api.get(f"/certificates/{certificate.id}/verify?signature=").status == 400
    assert api.get(f"/certificates/{uuid4()}/verify?signature=x").status == 404
    assert api.get("/certificates/nonsense/verify?signature=x").status == 400


@pytest.mark.parametrize(
    ("said", "altered"),
    [
        ("Maya Lindqvist", "Somebody Else"),
        ("Fire Safety Fundamentals", "Brain Surgery"),
        ("Nordlys Energy", "Another Company"),
        ('"genre":"self"', '"genre":"system"'),
        ('"validFrom":"20', '"validFrom":"19'),
    ],
)
def test_nothing_that_is_signed_can_be_altered(api: Api, certificate: Certificate, said: str, altered: str) -> None:
    document = certificate.credential.document
    assert said in document
    Credential.objects.update(document=document.replace(said, altered))
    assert api.get(path_of(certificate.verification_url)).body == {"valid": False, "revoked": False}


def test_what_only_the_database_says_is_not_told(api: Api, certificate: Certificate) -> None:
    told = api.get(path_of(certificate.verification_url)).body
    Certificate.objects.update(learner_name="Somebody Else", track_title="Another Track", source="outside")
    assert api.get(path_of(certificate.verification_url)).body == told


def test_a_revoked_one_says_so_in_a_fixed_sentence(api: Api, certificate: Certificate) -> None:
    revoke(certificate.id, "She cheated, we think.", actor=ACTOR)
    answer = api.get(path_of(certificate.verification_url))
    assert (answer.body["valid"], answer.body["revoked"]) == (False, True)
    assert answer.body["reason"] == "The certificate was revoked by the organization that issued it."
    assert b"cheated" not in answer.content


def test_an_expired_one_is_not_valid(api: Api, certificate: Certificate) -> None:
    soon = certificate.issued_at + timedelta(seconds=1)
    with clock.moved_to(soon + timedelta(days=1)):
        Certificate.objects.update(expires_at=soon)
        assert Certificate.objects.get().status_at(clock.now()) == "expired"


# -- revocation --


def test_the_first_revocation_counts(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/revoke"
    first = api.post(path, {"reason": "A mistake."}, by=cast.admin)
    assert first.status == 200
    assert first.body == {
        "id": str(certificate.id),
        "revokedAt": first.body["revokedAt"],
        "reason": "A mistake.",
        "code": "other",
    }
    again = api.post(path, {"reason": "Another reason."}, by=cast.admin)
    assert again.body == first.body
    assert AuditEvent.objects.filter(type="certificate_revoked").count() == 1
    assert kpis.totals(cast.organization.id)["certificates_revoked"] == 1


def test_who_may_revoke(api: Api, cast: Cast, certificate: Certificate) -> None:
    path, body = f"/certificates/{certificate.id}/revoke", {"reason": "x"}
    for who in (cast.learner, cast.manager, cast.auditor, cast.outsider):
        assert api.post(path, body, by=who).status == 403
    assert api.post(path, body, x_admin_token=ADMIN_TOKEN).status == 403
    assert api.post(path, body, by=cast.outside_admin).status == 404
    assert api.post(f"/certificates/{uuid4()}/revoke", body, by=cast.admin).status == 404
    assert api.post(path, body).status == 401


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": 1}, {"reason": "a\0"}, {"no": 1}]
)
def test_a_reason_is_needed(api: Api, cast: Cast, certificate: Certificate, body: dict[str, Any]) -> None:
    assert api.post(f"/certificates/{certificate.id}/revoke", body, by=cast.admin).status == 400
    assert Certificate.objects.get().revoked_at is None
