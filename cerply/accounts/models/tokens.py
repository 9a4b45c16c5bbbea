"""The tokens that act for users."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q, Value

from cerply import clock
from cerply.accounts.models.people import Organization, User
from cerply.identifiers import uuid7
from cerply.permissions import Scope
from cerply.tenancy import TenantQuerySet


def every_scope() -> list[str]:
    return [Scope.READ.value, Scope.WRITE.value]


class ApiTokenQuerySet(TenantQuerySet["ApiToken"]):
    def usable(self, moment: datetime) -> Self:
        return self.filter(revoked_at=None, expires_at__gt=moment)


class ApiToken(models.Model):
    """A bearer token that acts for a user. The secret itself is shown once; its SHA-256 stays."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, null=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=255)
    scopes = ArrayField(
        models.CharField(max_length=8, choices=Scope), default=every_scope, db_default=Value("{read,write}")
    )
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "api_tokens"
        ordering = ["-created_at", "-id"]
        verbose_name = "API token"
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="api_tokens_expire_after_creation"
            ),
            models.CheckConstraint(
                condition=Q(scopes__contained_by=every_scope(), scopes__len__gt=0), name="api_tokens_scopes_are_known"
            ),
        ]
        indexes = [
            # GET /api/auth/tokens, newest first.
            models.Index(fields=["user", "-created_at", "-id"], name="api_tokens_by_user")
        ]

    def __str__(self) -> str:
        return self.name
