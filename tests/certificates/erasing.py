"""A certificate from which the name was removed."""

from certificates.erasing import erase
from certificates.models import Certificate
from tests.factories import ACTOR


def erased(certificate: Certificate) -> Certificate:
    assert erase(certificate.id, actor=ACTOR, reason="She asked for it.")
    return Certificate.objects.select_related("credential__key").get(id=certificate.id)
