"""Credentials: signed documents that others verify, and the lists that tell how they stand."""

from typing import Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from cerply import clock
from cerply.accounts.models import Organization
from cerply.tenancy import TenantQuerySet
from certificates.models.issuers import Issuer, SigningKey

# As many as the specification asks for at least, so that an index tells nothing.
SLOTS = 131_072


class StatusList(models.Model):
    """A Bitstring Status List: a bit for each credential, set while it does not hold.

    ``bits`` are as the specification orders them: index 0 is the most significant bit of the first byte.
    ``document`` and ``jwt`` are the signed list as it was last served; empty when ``bits`` have changed since.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    issuer = models.ForeignKey(Issuer, on_delete=models.PROTECT, related_name="status_lists")
    number = models.PositiveIntegerField()
    bits = models.BinaryField(max_length=SLOTS // 8)
    document = models.TextField(blank=True)
    jwt = models.TextField(blank=True)
    valid_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "status_lists"
        ordering = ["issuer_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["issuer", "number"], name="status_lists_numbered_per_issuer"),
        ]
        indexes = [
            # The job that signs before a list lapses.
            models.Index(fields=["valid_until"], name="status_lists_by_validity"),
        ]

    def __str__(self) -> str:
        return f"{self.issuer_id} {self.number}"

    @property
    def url(self) -> str:
        return f"{settings.ISSUER_URL}/status/{self.id}"


class StatusSlot(models.Model):
    """An index of a list that is taken. It stays so, whatever becomes of the credential."""

    pk = models.CompositePrimaryKey("status_list_id", "index")
    status_list = models.ForeignKey(StatusList, on_delete=models.PROTECT, related_name="+", db_index=False)
    index = models.IntegerField()

    class Meta:
        db_table = "status_slots"
        constraints = [
            models.CheckConstraint(condition=Q(index__gte=0, index__lt=SLOTS), name="status_slots_index_in_range")
        ]

    def __str__(self) -> str:
        return f"{self.status_list_id}#{self.index}"


class CredentialQuerySet(TenantQuerySet["Credential"]):
    def with_compromised_key(self) -> Self:
        """Those that must be signed again."""
        return self.filter(key__compromised_at__isnull=False).exclude(document="")


class Credential(models.Model):
    """An Open Badges 3.0 credential, signed. Its id is that of the credential, as ``urn:uuid:…``.

    ``document`` is what is given away, byte for byte, as UTF-8; empty once it is erased. ``digest`` is what was signed,
    and ``proof_value`` the signature: they stay, so that copies in holders' hands can still be verified.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    issuer = models.ForeignKey(Issuer, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="credentials")
    document = models.TextField(blank=True)
    digest = models.BinaryField(max_length=64)
    proof_value = models.CharField(max_length=128)
    status_list = models.ForeignKey(StatusList, on_delete=models.PROTECT, related_name="+", db_index=False)
    status_index = models.IntegerField()

    objects = CredentialQuerySet.as_manager()

    class Meta:
        db_table = "credentials"
        constraints = [
            models.UniqueConstraint(fields=["status_list", "status_index"], name="credentials_one_per_status_slot"),
        ]

    def __str__(self) -> str:
        return self.urn

    @property
    def urn(self) -> str:
        return f"urn:uuid:{self.id}"
