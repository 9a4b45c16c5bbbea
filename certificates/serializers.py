"""Shapes of the API of certificates."""

from typing import Any

from rest_framework import serializers

from cerply.fields import (
    MomentField,
    StrictBooleanField,
    StrictChoiceField,
    StrictSerializer,
    StrictUUIDField,
    TextField,
)
from cerply.pagination import PageShape
from certificates.models import RevocationCode, Source, Status
from certificates.verifying import What


class RevocationInput(StrictSerializer):
    reason = TextField(max_length=500, multiline=True, help_text="For the record; strangers do not see it.")

    code = StrictChoiceField(
        RevocationCode.choices,
        default=RevocationCode.OTHER,
        help_text="Decides on the sentence that strangers read; `other` by default.",
    )


class ReasonInput(StrictSerializer):
    reason = TextField(max_length=500, multiline=True, help_text="For the record; strangers do not see it.")


class ReplacementInput(ReasonInput):
    learnerName = TextField(required=False, help_text="Left out, it is the learner's present name.")


class CertificateQuery(serializers.Serializer[Any]):
    track = StrictUUIDField(required=False)
    status = StrictChoiceField(Status.choices, required=False)
    asOf = MomentField(required=False)


class Certificate(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    trackId = serializers.UUIDField()
    trackTitle = serializers.CharField()
    issuedAt = MomentField()
    expiresAt = MomentField(allow_null=True)
    revokedAt = MomentField(allow_null=True)
    suspendedAt = MomentField(allow_null=True, help_text="Null unless it is suspended.")
    replacedAt = MomentField(allow_null=True, help_text="When it was issued again with another name.")
    erasedAt = MomentField(allow_null=True, help_text="When the name was removed, and its files with it.")
    replaces = serializers.UUIDField(allow_null=True, help_text="The one that it renews, or has taken the place of.")
    replacedBy = serializers.UUIDField(allow_null=True, help_text="Its renewal, or the one that has taken its place.")
    status = serializers.ChoiceField(Status.choices)
    signature = serializers.CharField(help_text="The `proofValue` of its credential: Ed25519, in multibase.")
    verificationUrl = serializers.CharField()
    downloadUrl = serializers.CharField()


class CertificatePage(PageShape):
    certificates = Certificate(many=True)


class Holder(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField(help_text="As it was when the certificate was issued; empty once it is erased.")


class HeldCertificate(Certificate):
    learner = Holder()


class HeldCertificatePage(PageShape):
    certificates = HeldCertificate(many=True)


class Revoked(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    revokedAt = MomentField()
    reason = serializers.CharField()
    code = serializers.ChoiceField(RevocationCode.choices)


class Suspension(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="The certificate's.")
    suspendedAt = MomentField()
    reason = serializers.CharField()
    reinstatedAt = MomentField(allow_null=True)
    reinstatementReason = serializers.CharField(allow_null=True)


class Replaced(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    replacedAt = MomentField()
    reason = serializers.CharField()
    certificate = HeldCertificate(help_text="The one that has taken its place.")


class NotGenuine(serializers.Serializer[Any]):
    """The signature is not this certificate's: nothing is said about it."""

    valid = serializers.BooleanField()
    revoked = serializers.BooleanField()


class Verified(serializers.Serializer[Any]):
    """The signature is genuine; ``valid`` says whether the certificate still holds."""

    valid = serializers.BooleanField()
    revoked = serializers.BooleanField()
    reason = serializers.CharField(required=False, help_text="Why it does not hold any more; a fixed sentence.")
    status = serializers.ChoiceField(Status.choices)
    issuedAt = MomentField()
    expiresAt = MomentField(allow_null=True)
    learnerName = serializers.CharField(allow_null=True, help_text="Null once it was erased.")
    trackTitle = serializers.CharField()
    organizationName = serializers.CharField()
    source = serializers.ChoiceField(Source.choices)  # type: ignore[assignment]


class NameVisibility(StrictSerializer):
    nameVisible = StrictBooleanField(help_text="Whether who scans the certificate's code sees the learner's name.")


class OneCertificate(HeldCertificate):
    nameVisible = serializers.BooleanField(
        help_text="Whether who scans its code sees the name while it is valid. The holder changes it."
    )
    pageUrl = serializers.CharField(help_text="Its page for strangers: what its code leads to.")
    addToLinkedInUrl = serializers.CharField(help_text="Where the holder can add it to her profile there.")


class ShareLink(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    createdAt = MomentField()
    withdrawnAt = MomentField(allow_null=True)


class NewShareLink(ShareLink):
    url = serializers.CharField(help_text="To give away: the page with the name and the credential. Shown only once.")


class ShareLinkPage(PageShape):
    shareLinks = ShareLink(many=True)


class KeepsakeLink(serializers.Serializer[Any]):
    """A mail with a link to her certificates is on its way."""

    learnerId = serializers.UUIDField()
    leftAt = MomentField(help_text="When her account was closed.")
    requestedAt = MomentField()


class Check(serializers.Serializer[Any]):
    check = serializers.ChoiceField([what.value for what in What])
    passed = serializers.BooleanField()
    message = serializers.CharField()


class SignedContent(serializers.Serializer[Any]):
    """What the original says. Nothing that was sent is repeated, unless it was proved to be the same."""

    id = serializers.CharField(help_text="Of the credential: `urn:uuid:` and the certificate's id.")
    learnerName = serializers.CharField(allow_null=True, help_text="Null once it is erased.")
    trackTitle = serializers.CharField()
    description = serializers.CharField()
    criteria = serializers.CharField()
    trackVersion = serializers.CharField(allow_null=True)
    organizationName = serializers.CharField()
    issuer = serializers.CharField(help_text="The organization's DID.")
    source = serializers.CharField()  # type: ignore[assignment]
    issuedAt = MomentField()
    expiresAt = MomentField(allow_null=True)
    verificationMethod = serializers.CharField(help_text="The key that signed it.")


class FileVerdict(serializers.Serializer[Any]):
    """What is true of what was sent."""

    genuine = serializers.BooleanField(
        help_text="What was sent is what was issued, as it was issued. `status` says whether it still holds."
    )
    credentialGenuine = serializers.BooleanField(
        help_text="The credential is. Of a PDF that is not as issued, trust only what is `signed`."
    )
    status = serializers.ChoiceField(Status.choices, allow_null=True, help_text="Null where nothing is told about it.")
    message = serializers.CharField()
    checks = Check(many=True)
    signed = SignedContent(allow_null=True)
    identityChecked = serializers.BooleanField(
        allow_null=True, help_text="Whether we have checked that the issuer is the organization that it says."
    )
    pageUrl = serializers.CharField(allow_null=True, help_text="The certificate's page.")
