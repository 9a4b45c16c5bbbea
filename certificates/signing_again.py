"""Signing again what a compromised key has signed: the same credentials, under a new key."""

import json
import logging
from uuid import UUID

from django.db import transaction

from audit.models import EventType
from audit.recording import Event, record
from cerply import clock
from cerply.permissions import Actor
from certificates import signing
from certificates.keys import signer_of
from certificates.models import Certificate, Credential

logger = logging.getLogger(__name__)
ACTOR = Actor.system("sign_again")


class NotSigned(Exception):
    """Some credentials could not be signed again; the log says which. The others were."""


def sign_again() -> str:
    """The job: each credential in a transaction of its own, so that it may be interrupted and run again."""
    signed = 0
    failed: list[UUID] = []
    for credential_id in Credential.objects.with_compromised_key().order_by("id").values_list("id", flat=True):
        try:
            signed += _sign(credential_id)
        except Exception:
            logger.exception("credential %s cannot be signed again", credential_id)
            failed.append(credential_id)
    if failed:
        raise NotSigned(f"Signed {signed} credentials again; could not sign {len(failed)}, one of them {failed[0]}.")
    return f"Signed {signed} credentials again."


@transaction.atomic
def _sign(credential_id: UUID) -> bool:
    """False if it is done already. What its key has not signed as it stands is not genuine, and not signed."""
    organization_id = Credential.objects.values_list("organization_id", flat=True).get(id=credential_id)
    signer = signer_of(organization_id, actor=ACTOR)
    credentials = Credential.objects.with_compromised_key().select_related("issuer", "key")
    credential = credentials.select_for_update(of=("self",)).filter(id=credential_id).first()
    if credential is None:
        return False
    if not signing.is_intact(credential):
        raise ValueError(f"The document of credential {credential_id} was altered.")
    before = {"keyId": str(credential.key_id), "proofValue": credential.proof_value}
    signed = signing.sign(json.loads(credential.document), credential.issuer, signer, clock.now())
    credential.key, credential.document = signer.key, signed.text
    credential.digest, credential.proof_value = signed.digest, signed.proof_value
    credential.save(update_fields=["key", "document", "digest", "proof_value"])
    # Its PDF has the credential attached, and is made again.
    Certificate.objects.filter(credential=credential).update(pdf="", pdf_sha256="")
    metadata = {"keyId": str(signer.key.id), "before": before}
    event = Event(EventType.CREDENTIAL_SIGNED_AGAIN, organization_id, "credential", credential.id, metadata)
    record(event, actor=ACTOR)
    return True
