"""Making credentials: a slot in a status list, a signature, a row."""

from collections.abc import Sequence

from cerply import clock
from cerply.permissions import Actor
from certificates import openbadges, signing, status_lists
from certificates.keys import signer_of
from certificates.models import Credential, Issuer
from certificates.openbadges import Claim


def certify(issuer: Issuer, claims: Sequence[Claim], *, actor: Actor) -> list[Credential]:
    """Stores a signed credential for each claim, in their order; the caller has a transaction."""
    if not claims:
        return []
    # The key first: who holds it is alone in choosing slots of this issuer.
    signer = signer_of(issuer.organization_id, actor=actor)
    slots = status_lists.take_slots(issuer, len(claims))
    credentials = []
    for claim, slot in zip(claims, slots, strict=True):
        signed = signing.sign(openbadges.unsigned(claim, issuer, slot), issuer, signer, clock.now())
        credentials.append(
            Credential(
                id=claim.id,
                organization_id=issuer.organization_id,
                issuer=issuer,
                key=signer.key,
                document=signed.text,
                digest=signed.digest,
                proof_value=signed.proof_value,
                status_list=slot.status_list,
                status_index=slot.index,
            )
        )
    return Credential.objects.bulk_create(credentials)
