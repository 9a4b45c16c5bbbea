"""The index of what is owed, made while answers are recorded."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("gamification", "0002_badges_due")]

    operations = [
        AddIndexConcurrently(
            model_name="learnerstanding",
            index=models.Index(
                condition=models.Q(badges_due=True), fields=["organization", "learner"], name="standings_owed"
            ),
        ),
    ]
