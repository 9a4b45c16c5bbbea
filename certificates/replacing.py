"""Replacing a certificate that bears a misspelt name."""

import json
from copy import copy
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction

from audit.models import EventType
from audit.recording import record_many
from cerply import clock
from cerply.accounts.models import User
from cerply.errors import Conflict
from cerply.permissions import Actor
from certificates import signing, status_lists
from certificates.credentials import certify
from certificates.issuing import issued_event
from certificates.keys import signer_of
from certificates.models import Certificate, ExpiryReminder, Status
from certificates.openbadges import Claim
from certificates.standing import event_of
from ops.wake import enqueue

REFUSED = {
    Status.REVOKED: "The certificate is revoked, which is for good: it cannot be replaced.",
    Status.SUSPENDED: "The certificate is suspended. Reinstate it first, then replace it.",
    Status.EXPIRED: "The certificate has expired: there is nothing to replace. The next one bears the present name.",
}


@transaction.atomic
def replace(certificate_id: UUID, reason: str, *, actor: Actor, learner_name: str | None = None) -> Certificate:
    """Issues it again with the learner's present name, or this one, and with the dates that it has; it ends itself.

    Returns the old one, with `replaced_by`. Replaced already: that replacement. Raises `Conflict` for what does not
    hold, what is renewed, and where the name is the same.
    """
    organization_id = Certificate.objects.values_list("organization_id", flat=True).get(id=certificate_id)
    # The key first, as who issues and who signs again has it.
    signer_of(organization_id, actor=actor)
    [old] = Certificate.objects.locked([certificate_id])
    now = clock.now()
    if old.replaced_at and not old.revoked_at:
        return old
    if refusal := REFUSED.get(old.status_at(now)):
        raise Conflict(refusal)
    if old.renewed_at:
        raise Conflict("The certificate is renewed, and runs out by itself. Replace its successor.")
    if old.erased_at or not old.credential.document:
        raise Conflict("What the certificate said is erased: there is nothing to issue again.")
    if not signing.is_intact(old.credential):
        raise Conflict("The certificate's credential was altered since it was signed: it is not issued again.")
    name = learner_name or User.objects.values_list("name", flat=True).get(id=old.learner_id)
    if name == old.learner_name:
        raise Conflict("The certificate bears this name already. Correct the learner's name first, or give another.")
    [credential] = certify(old.credential.issuer, [_claim(old, name)], actor=actor)
    new = copy(old)
    new.id, new.credential, new.learner_name, new.replaces = credential.id, credential, name, old
    new.organization_name, new.public_url = credential.issuer.organization.name, settings.PUBLIC_URL
    new.pdf, new.pdf_sha256, new.reinstated_at = "", "", None
    old.replaced_at, old.replacement_reason = now, reason
    old.save(update_fields=["replaced_at", "replacement_reason"])
    new.save(force_insert=True)
    old.replaced_by = new
    old.save(update_fields=["replaced_by"])
    status_lists.mark(old.credential, holds=False)
    # Who was reminded of the end is not reminded again.
    ExpiryReminder.objects.filter(certificate=old).update(certificate=new)
    replaced = event_of(EventType.CERTIFICATE_REPLACED, old, {"reason": reason, "replacedBy": str(new.id)})
    record_many([replaced, issued_event(new)], actor=actor)
    enqueue("certificates.rendering.render_owed")
    return old


def _claim(old: Certificate, name: str) -> Claim:
    """What the old one says of her achievement, to the letter, with another name."""
    said = json.loads(old.credential.document)
    [evidence] = said["evidence"]
    return Claim(
        id=uuid4(),
        learner_name=name,
        learner_email=old.learner.email,
        achievement=said["credentialSubject"]["achievement"],
        narrative=evidence["narrative"],
        genre=evidence["genre"],
        issued_at=old.issued_at,
        valid_until=old.expires_at,
    )
