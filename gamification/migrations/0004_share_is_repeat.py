"""An artefact that is shared again is kept for its client id, and does not count."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gamification", "0003_standings_owed")]

    operations = [
        migrations.AddField(
            model_name="share",
            name="is_repeat",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
