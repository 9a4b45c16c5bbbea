"""What staff do about issuers and keys, and who else may not."""

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from cerply.accounts.models import User
from certificates.models import Certificate, Credential, Issuer, SigningKey
from certificates.signing_again import sign_again
from tests.factories import Cast, complete, make_staff


@pytest.fixture
def staff(db: None) -> User:
    return make_staff(email="staff@cerply.example", password="a long staff password")


@pytest.fixture
def console(staff: User) -> Client:
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def certificate(cast: Cast) -> Certificate:
    return complete(cast.learner, cast.track).certificates[0]


def action(row: Issuer | SigningKey, name: str) -> str:
    change = reverse(f"admin:certificates_{row._meta.model_name}_change", args=[row.pk])
    return change.removesuffix("change/") + f"{name}/"


def text_of(console: Client, path: str) -> str:
    answer = console.get(path, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_an_identity_is_checked_and_withdrawn(console: Client, staff: User, certificate: Certificate) -> None:
    issuer = Issuer.objects.get()
    path = action(issuer, "check-identity")
    assert "will read that we have checked it" in text_of(console, path)
    assert console.post(path, {"how": ""}).status_code == 200
    assert not Issuer.objects.get().is_identity_checked
    assert console.post(path, {"how": "The register of companies."}).status_code == 302
    issuer.refresh_from_db()
    assert (issuer.identity_checked_by, issuer.identity_check) == (staff, "The register of companies.")
    assert issuer.is_checked_as("Nordlys Energy")
    assert not issuer.is_checked_as("TÜV")
    event = AuditEvent.objects.get(type="identity_checked")
    assert (event.actor_id, event.metadata["name"]) == (staff.id, "Nordlys Energy")
    path = action(issuer, "withdraw-check")
    assert console.post(path, {"reason": "A mistake."}).status_code == 302
    assert not Issuer.objects.get().is_identity_checked
    event = AuditEvent.objects.get(type="identity_check_withdrawn")
    assert event.metadata["before"]["how"] == "The register of companies."
    assert "Its identity is not checked." in text_of(console, path)


def test_a_new_name_has_not_been_checked(console: Client, cast: Cast, certificate: Certificate) -> None:
    issuer = Issuer.objects.get()
    console.post(action(issuer, "check-identity"), {"how": "x"})
    cast.organization.name = "TÜV"
    cast.organization.save()
    page = reverse("admin:certificates_issuer_change", args=[issuer.pk])
    assert "checked as Nordlys Energy alone" in text_of(console, page)


def test_a_key_is_compromised(console: Client, cast: Cast, certificate: Certificate) -> None:
    [erased] = complete(cast.colleague, cast.track).certificates
    Credential.objects.filter(id=erased.id).update(document="")
    key = certificate.credential.key
    path = action(key, "compromise")
    page = text_of(console, path)
    assert page.count("1 credentials") == 2
    assert console.post(path, {"reason": ""}).status_code == 200
    assert not SigningKey.objects.filter(compromised_at__isnull=False).exists()
    assert console.post(path, {"reason": "A laptop was lost."}).status_code == 302
    assert SigningKey.objects.get(id=key.id).compromised_at
    assert AuditEvent.objects.get(type="signing_key_compromised").metadata == {"reason": "A laptop was lost."}
    assert sign_again() == "Signed 1 credentials again."
    assert "It counts as compromised since" in text_of(console, path)
    shown = text_of(console, reverse("admin:certificates_signingkey_change", args=[key.pk]))
    assert "compromised, nothing that it signed counts" in shown
    assert bytes(key.sealed_private_key).hex() not in shown


def test_a_certificate_leads_to_its_page(console: Client, certificate: Certificate) -> None:
    page = text_of(console, reverse("admin:certificates_certificate_change", args=[certificate.pk]))
    assert f'href="{certificate.printed_url}"' in page


def test_nobody_else_does_it(cast: Cast, certificate: Certificate) -> None:
    client = Client()
    client.force_login(cast.admin)
    for row, name in ((Issuer.objects.get(), "check-identity"), (SigningKey.objects.get(), "compromise")):
        assert client.post(action(row, name), {"how": "x", "reason": "x"}).status_code == 302
    assert not Issuer.objects.get().is_identity_checked
    assert not SigningKey.objects.get().compromised_at
