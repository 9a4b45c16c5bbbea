"""Credentials in every state, made by the code that makes them in production."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction

from cerply import clock
from cerply.tracks.versions import current_versions
from certificates import proofs
from certificates.credentials import certify
from certificates.issuers import issuer_of, method_id
from certificates.keys import Signer, signer_of
from certificates.models import Credential, SigningKey
from certificates.openbadges import Claim, achievement_of_track
from tests.factories import ACTOR, Cast
from tests.interop.verifiers import Document


def make_credentials(cast: Cast, *claims: Mapping[str, Any]) -> list[Credential]:
    """A credential of the cast's organization for each of the claims; what they do not say is as on any other day."""
    with transaction.atomic():
        version = current_versions([cast.track])[cast.track.id]
        usual: dict[str, Any] = {
            "learner_name": cast.learner.name,
            "learner_email": cast.learner.email,
            "achievement": achievement_of_track(version),
            "narrative": "Answers that the organization's systems recorded.",
            "genre": "system",
            "issued_at": clock.now() - timedelta(days=30),
        }
        return certify(issuer_of(cast.organization), [Claim(**{**usual, **claim}) for claim in claims], actor=ACTOR)


def make_credential(cast: Cast, **claim: Any) -> Credential:
    return make_credentials(cast, claim)[0]


def document_of(credential: Credential) -> Document:
    """As the database has it now."""
    return dict(json.loads(Credential.objects.get(id=credential.id).document))


def signer(cast: Cast) -> Signer:
    with transaction.atomic():
        return signer_of(cast.organization.id, actor=ACTOR)


def signed_as(cast: Cast, key: SigningKey, by: Signer, document: Document) -> Document:
    """The document with a new proof, which says that it is by that key of the cast's organization, whoever signs."""
    proof = proofs.options(method_id(issuer_of(cast.organization), key), clock.now())
    digest = proofs.digest(document, proof)
    return {**document, "proof": {**proof, "proofValue": proofs.encode(by.sign(digest))}}
