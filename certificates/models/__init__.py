from certificates.models.certificates import Certificate, CertificateQuerySet, CertificateRendering, Source, Status
from certificates.models.credentials import SLOTS, Credential, StatusList, StatusSlot
from certificates.models.designs import CertificateDesign, Language, Layout
from certificates.models.issuers import Issuer, SigningKey
from certificates.models.lifetime import ExpiryReminder, RevocationCode, Suspension

__all__ = [
    "SLOTS",
    "Certificate",
    "CertificateDesign",
    "CertificateQuerySet",
    "CertificateRendering",
    "Credential",
    "ExpiryReminder",
    "Issuer",
    "Language",
    "Layout",
    "RevocationCode",
    "SigningKey",
    "Source",
    "Status",
    "StatusList",
    "StatusSlot",
    "Suspension",
]
