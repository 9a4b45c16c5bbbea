from certificates.models.certificates import Certificate, CertificateQuerySet, Source, Status
from certificates.models.credentials import SLOTS, Credential, StatusList, StatusSlot
from certificates.models.issuers import Issuer, SigningKey
from certificates.models.lifetime import ExpiryReminder, RevocationCode, Suspension

__all__ = [
    "SLOTS",
    "Certificate",
    "CertificateQuerySet",
    "Credential",
    "ExpiryReminder",
    "Issuer",
    "RevocationCode",
    "SigningKey",
    "Source",
    "Status",
    "StatusList",
    "StatusSlot",
    "Suspension",
]
