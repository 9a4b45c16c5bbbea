"""How a learner shows her certificate to whom she likes."""

from typing import Self
from uuid import uuid4

from django.db import models

from cerply import clock
from cerply.accounts.models import Organization
from cerply.tenancy import TenantQuerySet
from certificates.models.certificates import Certificate


class ShareLinkQuerySet(TenantQuerySet["ShareLink"]):
    def live(self) -> Self:
        return self.filter(withdrawn_at=None)


class ShareLink(models.Model):
    """Who has its secret sees the learner's name and gets the credential, until she withdraws it."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="share_links", db_index=False)
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(default=clock.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = ShareLinkQuerySet.as_manager()

    class Meta:
        db_table = "share_links"
        ordering = ["-created_at", "-id"]
        indexes = [
            # GET /api/certificates/{id}/share-links, newest first.
            models.Index(fields=["certificate", "-created_at", "-id"], name="share_links_by_certificate"),
        ]

    def __str__(self) -> str:
        return str(self.id)
