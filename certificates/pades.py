"""PAdES baseline B-B signatures (ETSI EN 319 142-1), appended to a file that stays PDF/A-3a and PDF/UA-1.

Nothing is fetched: no time stamp, no revocation lists.
"""

from datetime import datetime
from io import BytesIO

from asn1crypto import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign.fields import InvisSigSettings, MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.signers.pdf_cms import Signer
from pyhanko.sign.signers.pdf_signer import PdfSignatureMetadata, PdfSigner, PdfSigningSession
from pyhanko_certvalidator.registry import SimpleCertificateStore

from certificates.sealing import Sealer

FIELD = "Seal"
# What assistive technology says of the field.
FIELD_SAYS = "Seal of the issuer"
REASON = "This certificate is as it was issued."


def sign(content: bytes, sealer: Sealer, moment: datetime) -> bytes:
    """The same bytes, and after them a signature over all of it that allows no change."""
    metadata = PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        reason=REASON,
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
    )
    field = SigFieldSpec(
        FIELD,
        # Nothing is drawn. PDF/A wants such a field printable, and PDF/UA what is not tagged off the page.
        invis_sig_settings=InvisSigSettings(box_out_of_bounds=True),
        readable_field_name=FIELD_SAYS,
    )
    output = BytesIO()
    _Signing(metadata, _Hand(sealer), moment, field).sign_pdf(_Appending(BytesIO(content)), output=output)
    return output.getvalue()


class _Hand(Signer):
    """Lets the library sign with a key that it never sees."""

    def __init__(self, sealer: Sealer) -> None:
        own, *others = (x509.Certificate.load(each.public_bytes(Encoding.DER)) for each in sealer.certificates)
        registry = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        registry.register_multiple(others)
        super().__init__(signing_cert=own, cert_registry=registry)
        self._sealer = sealer

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        # The longest that there is, in DER: two numbers of 33 bytes.
        return bytes(72) if dry_run else self._sealer.sign(data)


class _Signing(PdfSigner):
    def __init__(self, metadata: PdfSignatureMetadata, hand: _Hand, moment: datetime, field: SigFieldSpec) -> None:
        super().__init__(metadata, hand, new_field_spec=field)
        self._moment = moment

    def init_signing_session(self, pdf_out: BasePdfFileWriter, existing_fields_only: bool = False) -> PdfSigningSession:
        session = super().init_signing_session(pdf_out, existing_fields_only)
        session.system_time = self._moment
        return session

    def register_extensions(self, pdf_out: BasePdfFileWriter, *, md_algorithm: str) -> None:
        """PAdES alone: for the curve the library would call it PDF 2.0, which PDF/A-3 must not be."""
        pdf_out.register_extension(ESIC_EXTENSION_1)


class _Appending(IncrementalPdfFileWriter):
    def _update_meta(self) -> None:
        """Leaves the metadata as they are: one packet, in clear, and dates that are those of the certificate."""
