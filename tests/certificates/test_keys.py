"""Signing keys: sealed at rest, rotated, and still verifying."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from audit.models import AuditEvent
from cerply.encryption import KeyUnavailable
from certificates import keys, signing
from certificates.issuing import Achievement, issue
from certificates.models import Certificate, Source
from tests.factories import ACTOR, Cast, complete, make_user

OTHER_KEY = bytes(range(32))


def test_the_private_half_is_never_in_the_database_in_clear(cast: Cast) -> None:
    signer = keys.signer_of(cast.organization.id, actor=ACTOR)
    assert isinstance(signer, keys.LocalSigner)
    secret = signer._private_key.private_bytes_raw()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(signing_keys)::text FROM signing_keys")
        dumped = cursor.fetchone()[0]
    assert secret.hex() not in dumped
    assert bytes(signer.key.public_key).hex() in dumped
    assert secret.hex() not in repr(signer) + str(vars(signer.key))


def test_a_sealed_key_opens_for_its_organization_and_id_alone(cast: Cast) -> None:
    key = keys.signer_of(cast.organization.id, actor=ACTOR).key
    key.organization = cast.outside
    with pytest.raises(KeyUnavailable):
        keys.LocalSigner(key)


def test_the_encryption_key_rotates(cast: Cast, settings: Settings) -> None:
    complete(cast.learner, cast.track)
    settings.KEY_ENCRYPTION_KEYS = [OTHER_KEY, *settings.KEY_ENCRYPTION_KEYS]
    assert len(complete(cast.colleague, cast.track).certificates) == 1
    settings.KEY_ENCRYPTION_KEYS = [OTHER_KEY]
    with pytest.raises(KeyUnavailable, match="KEY_ENCRYPTION_KEYS"):
        complete(make_user(cast.organization), cast.track)


def test_rotation_keeps_old_certificates_verifiable(cast: Cast) -> None:
    [old] = complete(cast.learner, cast.track).certificates
    output = StringIO()
    call_command("rotate_signing_key", organization=str(cast.organization.id), stdout=output)
    [new] = complete(cast.colleague, cast.track).certificates
    assert old.credential.key_id != new.credential.key_id
    assert str(new.credential.key_id) in output.getvalue()
    for certificate in Certificate.objects.select_related("credential__key"):
        assert signing.is_genuine(certificate.credential, certificate.signature)
    assert AuditEvent.objects.filter(type="signing_key_rotated").count() == 1


@pytest.mark.parametrize("organization", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_rotating_for_nobody_is_an_error(db: None, organization: str) -> None:
    with pytest.raises(CommandError, match="There is no organization"):
        call_command("rotate_signing_key", organization=organization)


def test_a_thousand_certificates_cost_no_more_than_one(cast: Cast) -> None:
    def cost(number: int) -> int:
        learners = [make_user(cast.organization) for _ in range(number)]
        with CaptureQueriesContext(connection) as queries:
            issued = issue([Achievement(each, cast.track, Source.SYSTEM) for each in learners], actor=ACTOR)
        assert len(issued) == number
        return len(queries)

    complete(cast.learner, cast.track)
    assert cost(1) == cost(100)
