"""What was erased: the journal, without any name."""

from typing import Self

from django.db import models

from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.identifiers import uuid7
from cerply.tenancy import TenantQuerySet
from certificates.models.certificates import Certificate


class ErasureQuerySet(TenantQuerySet["Erasure"]):
    def unsettled(self) -> Self:
        """The oldest first."""
        return self.filter(settled_at=None).order_by("id")


class Erasure(models.Model):
    """The name was removed from one certificate; or, without one, from all that the learner had by then.

    Settled once the files are deleted and the storage has a copy of this in its own journal.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    certificate = models.ForeignKey(Certificate, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    erased_at = models.DateTimeField(default=clock.now)
    settled_at = models.DateTimeField(null=True)

    objects = ErasureQuerySet.as_manager()

    class Meta:
        db_table = "erasures"
        ordering = ["id"]
        indexes = [
            # The job: of which are files still to be deleted?
            models.Index(fields=["id"], condition=models.Q(settled_at=None), name="erasures_unsettled"),
        ]

    def __str__(self) -> str:
        return f"{self.certificate_id or self.learner_id}, {self.erased_at:%Y-%m-%d}"
