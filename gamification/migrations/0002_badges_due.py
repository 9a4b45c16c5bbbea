"""Who may be owed badges says so in her own row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gamification", "0001_initial")]

    operations = [
        # The rows that are there, and those that older processes go on making, are due: they are looked at once. A
        # constant default rewrites no table.
        migrations.AddField(
            model_name="learnerstanding",
            name="badges_due",
            field=models.BooleanField(db_default=True, default=False),
        ),
    ]
