"""Rows that belong to an organization."""

from typing import Self
from uuid import UUID

from django.db import models

from cerply.permissions import Caller


class TenantQuerySet[M: models.Model](models.QuerySet[M]):
    """Rows with an ``organization_id``. Every query of a request starts from one of these methods."""

    def for_organization(self, organization_id: UUID) -> Self:
        return self.filter(organization_id=organization_id)

    def in_reach_of(self, caller: Caller) -> Self:
        """The caller's organization; all of them for staff and the admin token; none for a stranger.

        It says where a row may be looked for, not that her role may see it.
        """
        if caller.reads_everything:
            return self.all()
        if caller.organization_id is None:
            return self.none()
        return self.for_organization(caller.organization_id)
