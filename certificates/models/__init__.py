from certificates.models.certificates import Certificate, CertificateQuerySet, CertificateRendering, Source, Status
from certificates.models.credentials import SLOTS, Credential, StatusList, StatusSlot
from certificates.models.designs import CertificateDesign, Language, Layout
from certificates.models.issuers import Issuer, SigningKey

__all__ = [
    "SLOTS",
    "Certificate",
    "CertificateDesign",
    "CertificateQuerySet",
    "CertificateRendering",
    "Credential",
    "Issuer",
    "Language",
    "Layout",
    "SigningKey",
    "Source",
    "Status",
    "StatusList",
    "StatusSlot",
]
