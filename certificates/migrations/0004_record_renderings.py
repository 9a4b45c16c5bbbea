"""Puts the renderings that there are on record."""

from django.db import migrations

RECORD = """
    INSERT INTO certificate_renderings (sha256, certificate_id, rendered_at)
    SELECT pdf_sha256, id, issued_at FROM certificates WHERE pdf_sha256 <> ''
    ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("certificates", "0003_designs_and_renderings")]

    operations = [migrations.RunSQL(RECORD, migrations.RunSQL.noop)]
