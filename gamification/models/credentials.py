"""The credentials of badges."""

from django.db import models

from cerply import clock
from certificates.models import Credential
from gamification.models.badges import LearnerBadge


class BadgeCredential(models.Model):
    """An earned badge as others verify it. Signed when it is first asked for; what it says is frozen then."""

    award = models.OneToOneField(LearnerBadge, primary_key=True, on_delete=models.PROTECT, related_name="certified")
    credential = models.OneToOneField(Credential, on_delete=models.PROTECT, related_name="badge")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "badge_credentials"

    def __str__(self) -> str:
        return str(self.credential_id)
