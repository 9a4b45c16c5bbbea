"""What the holder of a certificate decides: who gets her credential, and who sees her name."""

import hashlib
import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from audit import kpis
from audit.models import AuditEvent
from certificates import keys, sharing
from certificates.models import Certificate, Credential, ShareLink
from certificates.revoking import revoke
from certificates.signing_again import sign_again
from ops.models import IdempotencyKey
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, make_cast
from tests.threads import at_once

ADMIN_TOKEN = "dev-admin-token-12345"


@pytest.fixture
def certificate(cast: Cast) -> Certificate:
    return complete(cast.learner, cast.track).certificates[0]


def events(type_: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(type=type_))


# -- the credential --


def test_the_credential_byte_for_byte(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/credential"
    answer = api.get(path, by=cast.learner)
    assert (answer.status, answer.content) == (200, certificate.credential.document.encode())
    assert answer.headers["Content-Type"] == "application/vc"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="credential-{certificate.id}.json"'
    assert answer.headers["Cache-Control"] == "private, no-cache"
    etag = answer.headers["ETag"]
    assert hashlib.sha256(answer.content).hexdigest() in etag
    held = api.get(path, by=cast.learner, if_none_match=etag)
    assert (held.status, held.content) == (304, b"")
    assert api.call("HEAD", path, None, by=cast.learner).content == b""
    [event] = events("credential_downloaded")
    assert (event.actor_id, event.subject_id) == (cast.learner.id, certificate.id)
    assert kpis.totals()["certificates_downloaded"] == 0


def test_its_etag_is_another_once_it_is_signed_again(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/credential"
    before = api.get(path, by=cast.learner)
    keys.compromise(certificate.credential.key_id, actor=ACTOR, reason="x")
    sign_again()
    after = api.get(path, by=cast.learner, if_none_match=before.headers["ETag"])
    assert after.status == 200
    assert after.content != before.content


def test_who_gets_it(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/credential"
    assert [api.get(path, by=who).status for who in (cast.manager, cast.admin, cast.auditor)] == [200] * 3
    assert api.get(path, x_admin_token=ADMIN_TOKEN).status == 200
    assert [api.get(path, by=who).status for who in (cast.colleague, cast.outsider)] == [403] * 2
    assert api.get(path, by=cast.outside_admin).status == 404
    assert api.get(path).status == 401


def test_a_revoked_one_and_an_erased_one_are_gone(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/credential"
    Credential.objects.update(document="")
    assert (api.get(path, by=cast.learner).status, api.get(path, by=cast.colleague).status) == (410, 403)
    Credential.objects.update(document=certificate.credential.document)
    revoke(certificate.id, "x", actor=ACTOR)
    assert api.get(path, by=cast.learner).status == 410


# -- share links --


def test_a_link_gives_the_credential_until_it_is_withdrawn(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/share-links"
    made = api.post(path, by=cast.learner)
    assert (made.status, made.headers["Cache-Control"]) == (201, "no-store")
    found = re.fullmatch(rf"http://127\.0\.0\.1:8080/verify/{certificate.id}\?share=([\w-]{{32}})", made.body["url"])
    assert found
    secret = found[1]
    shared = api.get(f"/shared/{secret}")
    assert (shared.status, shared.content) == (200, certificate.credential.document.encode())
    assert shared.headers["Cache-Control"] == "no-store"
    listed = api.get(path, by=cast.learner)
    row = {name: made.body[name] for name in ("id", "createdAt", "withdrawnAt")}
    assert listed.body == {"shareLinks": [row], "total": 1, "limit": 50, "offset": 0}
    assert secret not in listed.content.decode()
    for _ in range(2):
        assert api.delete(f"{path}/{made.body['id']}", by=cast.learner).status == 204
    assert api.get(f"/shared/{secret}").status == 410
    assert api.get(path, by=cast.learner).body["shareLinks"][0]["withdrawnAt"]
    for type_ in ("share_link_created", "share_link_used", "share_link_withdrawn"):
        [event] = events(type_)
        assert event.metadata["linkId"] == made.body["id"]
        assert event.subject_id == certificate.id


def test_its_secret_is_kept_nowhere(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/share-links"
    made = [api.post(path, by=cast.learner, x_idempotency_key="once") for _ in range(2)]
    assert made[0].body["url"] != made[1].body["url"]
    assert not IdempotencyKey.objects.exists()
    link = ShareLink.objects.get(id=made[0].body["id"])
    assert bytes(link.digest) == sharing.digest(made[0].body["url"].partition("share=")[2])


@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"zz": 1}'])
def test_sharing_takes_no_body(api: Api, cast: Cast, certificate: Certificate, body: bytes) -> None:
    assert api.post(f"/certificates/{certificate.id}/share-links", body, by=cast.learner).status == 400
    assert not ShareLink.objects.exists()


def test_nobody_shares_for_her(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}/share-links"
    link, _ = sharing.share(certificate, actor=ACTOR)
    others = [cast.colleague, cast.manager, cast.admin, cast.auditor, cast.outsider, cast.outside_admin]
    for who in others:
        assert api.get(path, by=who).status == 403
        assert api.post(path, by=who).status == 403
        assert api.delete(f"{path}/{link.id}", by=who).status == 403
    assert api.get(path, x_admin_token=ADMIN_TOKEN).status == 403
    assert api.get(path).status == 401
    assert api.get(f"/certificates/{uuid4()}/share-links", by=cast.learner).status == 403
    assert api.delete(f"{path}/{uuid4()}", by=cast.learner).status == 404
    assert ShareLink.objects.live().count() == 1


def test_a_link_withdraws_nothing_of_another_certificate(api: Api, cast: Cast, certificate: Certificate) -> None:
    [other] = complete(cast.colleague, cast.track).certificates
    link, _ = sharing.share(other, actor=ACTOR)
    assert api.delete(f"/certificates/{certificate.id}/share-links/{link.id}", by=cast.learner).status == 404
    assert ShareLink.objects.live().count() == 1


@pytest.mark.parametrize("secret", ["x", "%ff", "ü", "x" * 3000, " "])
def test_secrets_that_nobody_has(api: Api, certificate: Certificate, secret: str) -> None:
    assert api.get(f"/shared/{secret}").status == 404


def test_a_link_shows_nothing_that_does_not_hold(api: Api, certificate: Certificate) -> None:
    _, secret = sharing.share(certificate, actor=ACTOR)
    revoke(certificate.id, "x", actor=ACTOR)
    assert api.get(f"/shared/{secret}").status == 410
    assert not events("share_link_used")


def test_what_is_erased_is_gone_by_link_too(api: Api, certificate: Certificate) -> None:
    _, secret = sharing.share(certificate, actor=ACTOR)
    Credential.objects.update(document="")
    assert api.get(f"/shared/{secret}").status == 410


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_there_are_never_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = make_cast()
    [certificate] = complete(cast.learner, cast.track).certificates
    monkeypatch.setattr(sharing, "MOST_LINKS", 3)
    api = Api()
    token = api.token_of(cast.learner)
    path = f"/certificates/{certificate.id}/share-links"
    answers = at_once([lambda: Api().post(path, by=token).status for _ in range(8)])
    assert sorted(answers) == [201] * 3 + [409] * 5
    sharing.withdraw(ShareLink.objects.all()[0], actor=ACTOR)
    assert api.post(path, by=token).status == 201


# -- the name --


def test_she_hides_her_name_and_shows_it_again(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}"
    before = api.get(path, by=cast.learner)
    assert (before.status, before.body["nameVisible"]) == (200, True)
    assert before.body["pageUrl"] == certificate.printed_url
    hidden = api.patch(path, {"nameVisible": False}, by=cast.learner)
    assert (hidden.status, hidden.body) == (200, before.body | {"nameVisible": False})
    api.patch(path, {"nameVisible": False}, by=cast.learner)
    assert [event.metadata["visible"] for event in events("name_visibility_changed")] == [False]
    assert api.get(path, by=cast.manager).body["nameVisible"] is False


@pytest.mark.parametrize("body", [{}, {"nameVisible": 1}, {"nameVisible": "true"}, {"nameVisible": True, "x": 1}, []])
def test_what_is_no_such_change(api: Api, cast: Cast, certificate: Certificate, body: Any) -> None:
    assert api.patch(f"/certificates/{certificate.id}", body, by=cast.learner).status == 400


def test_who_sees_one_and_who_changes_it(api: Api, cast: Cast, certificate: Certificate) -> None:
    path = f"/certificates/{certificate.id}"
    for who in (cast.manager, cast.admin, cast.auditor):
        assert (api.get(path, by=who).status, api.patch(path, {"nameVisible": False}, by=who).status) == (200, 403)
    for who in (cast.colleague, cast.outsider):
        assert (api.get(path, by=who).status, api.patch(path, {"nameVisible": False}, by=who).status) == (403, 403)
    assert api.get(path, by=cast.outside_admin).status == 404
    assert api.get(path).status == 401
    assert Certificate.objects.get().name_visible


def test_linkedin_gets_what_its_form_asks_for(api: Api, cast: Cast, certificate: Certificate) -> None:
    url = api.get(f"/certificates/{certificate.id}", by=cast.learner).body["addToLinkedInUrl"]
    assert url.startswith("https://www.linkedin.com/profile/add?startTask=CERTIFICATION_NAME&name=Fire+Safety")
    assert f"certId={certificate.id}" in url


def test_links_are_rate_limited(settings: Any, certificate: Certificate) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"verification": "2/hour"}
    client = Client(REMOTE_ADDR="192.0.2.77")
    assert [client.get("/api/shared/x").status_code for _ in range(3)] == [404, 404, 429]
