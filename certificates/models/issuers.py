"""Who issues: an organization's public identity, and the keys that speak for it."""

from typing import Self
from urllib.parse import quote
from uuid import uuid4

from django.db import models
from django.db.models import Q

from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.tenancy import TenantQuerySet


class Issuer(models.Model):
    """An organization as strangers know it: a ``did:web`` under a random path, for ever at the same host."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="issuer")
    host = models.CharField(max_length=255, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    identity_checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    identity_checked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    identity_check = models.CharField(max_length=500, blank=True, editable=False, help_text="How it was checked.")
    identity_name = models.CharField(
        max_length=255,
        blank=True,
        db_default="",
        editable=False,
        help_text="The name that was checked: under another one the issuer counts as not checked.",
    )

    class Meta:
        db_table = "issuers"
        constraints = [
            models.CheckConstraint(
                condition=Q(identity_checked_at=None, identity_checked_by=None, identity_check="")
                | Q(identity_checked_at__isnull=False, identity_checked_by__isnull=False) & ~Q(identity_check=""),
                name="issuers_identity_checked_by_somebody_somehow",
            )
        ]

    def __str__(self) -> str:
        return self.did

    @property
    def did(self) -> str:
        """The DID: ``did:web:host:issuers:uuid``, a port's colon spelt ``%3A`` (did:web method, 3.1)."""
        return f"did:web:{quote(self.host, safe='')}:issuers:{self.id}"

    @property
    def is_identity_checked(self) -> bool:
        return self.identity_checked_at is not None

    def is_checked_as(self, name: str) -> bool:
        """Whether it was checked that the issuer is who bears this name."""
        return self.is_identity_checked and self.identity_name == name


class SigningKeyQuerySet(TenantQuerySet["SigningKey"]):
    def active(self) -> Self:
        return self.filter(retired_at=None)

    def trusted(self) -> Self:
        """Those whose signatures count: all but the compromised ones."""
        return self.filter(compromised_at=None)


class SigningKey(models.Model):
    """An Ed25519 key pair of an organization. The private half is encrypted, see `certificates.keys`."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="signing_keys")
    public_key = models.BinaryField(max_length=32)
    sealed_private_key = models.BinaryField()
    created_at = models.DateTimeField(default=clock.now)
    retired_at = models.DateTimeField(null=True, blank=True)
    compromised_at = models.DateTimeField(null=True, blank=True)

    objects = SigningKeyQuerySet.as_manager()

    class Meta:
        db_table = "signing_keys"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], condition=Q(retired_at=None), name="signing_keys_one_active_per_organization"
            ),
            models.CheckConstraint(
                condition=Q(compromised_at=None) | Q(retired_at__isnull=False),
                name="signing_keys_compromised_are_retired",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)
