"""Who is at risk when this comes to an installation is listed, and not told as if it were news."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("gamification", "0009_at_risk")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO at_risk_watches (organization_id, looks, tells) SELECT id, false, false FROM organizations",
            "DELETE FROM at_risk_watches",
        ),
    ]
