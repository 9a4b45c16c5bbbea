from certificates.models.certificates import (
    RENEWAL,
    Certificate,
    CertificateQuerySet,
    CertificateRendering,
    Source,
    Status,
)
from certificates.models.credentials import SLOTS, Credential, StatusList, StatusSlot
from certificates.models.designs import CertificateDesign, Language, Layout
from certificates.models.erasing import Erasure
from certificates.models.issuers import Issuer, SigningKey
from certificates.models.keepsakes import Keepsake
from certificates.models.lifetime import ExpiryReminder, RevocationCode, Suspension
from certificates.models.sharing import ShareLink

__all__ = [
    "RENEWAL",
    "SLOTS",
    "Certificate",
    "CertificateDesign",
    "CertificateQuerySet",
    "CertificateRendering",
    "Credential",
    "Erasure",
    "ExpiryReminder",
    "Issuer",
    "Keepsake",
    "Language",
    "Layout",
    "RevocationCode",
    "ShareLink",
    "SigningKey",
    "Source",
    "Status",
    "StatusList",
    "StatusSlot",
    "Suspension",
]
