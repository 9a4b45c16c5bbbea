"""An external id is unique among the shared tracks too. The index is built while the table is in use."""

from django.db import migrations, models

OLD = models.UniqueConstraint(
    fields=("organization", "external_id"),
    name="tracks_external_id_unique_in_organization",
    violation_error_message="The organization has a track with this external id already.",
)
NEW = models.UniqueConstraint(
    condition=models.Q(("external_id__isnull", False)),
    fields=("organization", "external_id"),
    name="tracks_external_id_unique",
    nulls_distinct=False,
    violation_error_message="The organization has a track with this external id already.",
)
# One that was left half built is built anew.
DROP = "DROP INDEX CONCURRENTLY IF EXISTS tracks_external_id_unique"
CREATE = """
CREATE UNIQUE INDEX CONCURRENTLY tracks_external_id_unique ON tracks (organization_id, external_id)
    NULLS NOT DISTINCT WHERE external_id IS NOT NULL
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("tracks", "0002_shared_twins")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(DROP, DROP), migrations.RunSQL(CREATE, migrations.RunSQL.noop)],
            [migrations.AddConstraint("track", NEW)],
        ),
        migrations.RemoveConstraint("track", OLD.name),
    ]
