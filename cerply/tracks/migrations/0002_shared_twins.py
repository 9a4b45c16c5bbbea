"""Of shared tracks with one external id the oldest keeps it; the others' gets their own id behind it."""

from django.db import migrations

RENAME = """
UPDATE tracks SET external_id = left(external_id, 218) || ' ' || id
 WHERE organization_id IS NULL AND EXISTS (
       SELECT FROM tracks AS older
        WHERE older.organization_id IS NULL AND older.external_id = tracks.external_id AND older.id < tracks.id
 )
"""


class Migration(migrations.Migration):
    dependencies = [("tracks", "0001_initial")]

    operations = [migrations.RunSQL(RENAME, migrations.RunSQL.noop)]
