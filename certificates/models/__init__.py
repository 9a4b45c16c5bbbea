from certificates.models.certificates import Certificate, CertificateQuerySet, Source, Status
from certificates.models.credentials import SLOTS, Credential, StatusList, StatusSlot
from certificates.models.issuers import Issuer, SigningKey
from certificates.models.sharing import ShareLink

__all__ = [
    "SLOTS",
    "Certificate",
    "CertificateQuerySet",
    "Credential",
    "Issuer",
    "ShareLink",
    "SigningKey",
    "Source",
    "Status",
    "StatusList",
    "StatusSlot",
]
