"""What the admin searches tracks and items by. Built while the tables are in use."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Collate, Lower

INDEXES = [
    ("track", models.Index(Collate(Lower("title"), "C"), name="tracks_by_title_prefix")),
    (
        "track",
        models.Index(fields=["external_id"], condition=Q(external_id__isnull=False), name="tracks_by_external_id"),
    ),
    ("item", models.Index(Collate(Lower("title"), "C"), name="items_by_title_prefix")),
    (
        "item",
        models.Index(fields=["external_id"], condition=Q(external_id__isnull=False), name="items_by_external_id"),
    ),
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("tracks", "0003_external_ids_of_shared_tracks")]

    operations = [
        operation
        for model, index in INDEXES
        for operation in (
            # One that was left half built is built anew.
            migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", migrations.RunSQL.noop),
            AddIndexConcurrently(model, index),
        )
    ]
