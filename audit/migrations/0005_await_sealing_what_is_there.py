"""What was recorded before waits to be sealed too, and is sealed as it is found."""

from django.db import migrations

CATCH_UP = "INSERT INTO audit_unsealed (event_id) SELECT id FROM audit_events ON CONFLICT DO NOTHING"


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_await_sealing")]

    operations = [migrations.RunSQL(CATCH_UP, migrations.RunSQL.noop)]
