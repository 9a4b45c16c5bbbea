"""`manage.py encrypt_secrets_anew`: afterwards the old key can go."""

import signal
from base64 import b64encode
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import transaction
from pytest_django import Settings

from audit import keys as audit_keys
from audit.models import AuditEvent
from audit.sealing import seal
from audit.verifying import verify
from cerply import clock
from cerply.management.secrets import encrypt_anew, every_secret
from certificates import keys
from certificates.models import SigningKey
from notifications.models import WebhookEndpoint
from notifications.webhooks import endpoints
from notifications.webhooks.signing import secrets_of
from tests.factories import ACTOR, Cast, complete
from tests.notifications.webhooks import make_endpoint
from tests.processes import run_python
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

NEW = bytes(range(32))


@pytest.fixture(autouse=True)
def _secrets(cast: Cast, settings: Settings) -> None:
    """Of each kind, two of webhooks, all under the old key; the new one stands before it."""
    complete(cast.learner, cast.track)
    keys.rotate(cast.organization.id, actor=ACTOR)
    seal()
    endpoint, _ = make_endpoint(cast.organization, "https://receiver.example/")
    endpoints.rotate(endpoint.id, actor=ACTOR)
    settings.KEY_ENCRYPTION_KEYS = [NEW, *settings.KEY_ENCRYPTION_KEYS]


def say(*arguments: str) -> str:
    output = StringIO()
    call_command("encrypt_secrets_anew", *arguments, stdout=output)
    return output.getvalue().strip()


def current() -> int:
    return sum(secret.is_current for secret in every_secret())


def test_afterwards_the_new_key_alone_opens_everything(cast: Cast, settings: Settings) -> None:
    before = [bytes(secret.sealed) for secret in every_secret()]
    assert say() == "Encrypted 5 secrets anew; 0 were so already."
    assert not {bytes(secret.sealed) for secret in every_secret()} & set(before)
    settings.KEY_ENCRYPTION_KEYS = [NEW]
    assert len(complete(cast.colleague, cast.track).certificates) == 1
    seal()
    assert verify().said == []
    assert len(secrets_of(WebhookEndpoint.objects.get(), clock.now())) == 2
    [event] = AuditEvent.objects.filter(type="secrets_encrypted_anew")
    assert event.metadata == {"secrets": 5}


def test_what_is_so_already_is_left_alone() -> None:
    say()
    before = [bytes(secret.sealed) for secret in every_secret()]
    assert say() == "Encrypted 0 secrets anew; 5 were so already."
    assert [bytes(secret.sealed) for secret in every_secret()] == before
    assert AuditEvent.objects.filter(type="secrets_encrypted_anew").count() == 1


def test_a_dry_run_changes_nothing() -> None:
    assert say("--dry-run") == "Would encrypt 5 secrets anew; 0 were so already."
    assert current() == 0


def test_what_no_key_opens_is_named_and_holds_up_no_other(settings: Settings) -> None:
    lost = SigningKey.objects.latest("created_at")
    SigningKey.objects.filter(id=lost.id).update(sealed_private_key=b"x" * 60)
    with pytest.raises(CommandError, match=rf"opens signing key {lost.id}\. Put the right one back"):
        say()
    assert current() == 4


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_where_it_was(settings: Settings) -> None:
    code = """
import os
from cerply.encryption import Secret
from cerply.management import secrets
from django.core.management import call_command

secrets.BATCH = 2
encrypt, done = Secret.encrypt_anew, []

def mortal(secret):
    if len(done) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(encrypt(secret))
    return done[-1]

Secret.encrypt_anew = mortal
call_command("encrypt_secrets_anew")
"""
    names = ",".join(b64encode(key).decode() for key in settings.KEY_ENCRYPTION_KEYS)
    assert run_python(code, KEY_ENCRYPTION_KEYS=names).returncode == -signal.SIGKILL
    assert current() == 2
    assert say() == "Encrypted 3 secrets anew; 2 were so already."


def test_beside_others_who_rotate_nothing_is_lost(cast: Cast, settings: Settings) -> None:
    endpoint = WebhookEndpoint.objects.get()

    def rotate_secret() -> None:
        with transaction.atomic():
            endpoints.rotate(endpoint.id, actor=ACTOR)

    def rotate_audit_key() -> None:
        with transaction.atomic():
            audit_keys.rotate(actor=ACTOR)

    anew = [lambda: encrypt_anew(actor=ACTOR)] * 3
    at_once([*anew, rotate_secret, rotate_audit_key, lambda: keys.rotate(cast.organization.id, actor=ACTOR)])
    encrypt_anew(actor=ACTOR)
    settings.KEY_ENCRYPTION_KEYS = [NEW]
    assert len(secrets_of(WebhookEndpoint.objects.get(id=endpoint.id), clock.now())) == 2
    assert current() == len(list(every_secret())) == 7


def test_no_column_is_forgotten() -> None:
    """Who adds one adds it to `cerply.management.secrets`, and here."""
    columns = {
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if "sealed" in field.name and field.get_internal_type() == "BinaryField"
    }
    assert columns == {
        "AuditKey.sealed_private_key",
        "Authenticator.sealed_key",
        "SigningKey.sealed_private_key",
        "WebhookEndpoint.former_sealed_secret",
        "WebhookEndpoint.sealed_secret",
    }
