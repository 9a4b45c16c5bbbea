"""What the admin searches teams and filters people by. Built while the tables are in use."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Collate, Lower

INDEXES = [
    ("team", models.Index(Collate(Lower("name"), "C"), name="teams_by_name_prefix")),
    (
        "user",
        models.Index(
            fields=["role", "id"], condition=Q(role__in=["manager", "admin", "auditor"]), name="users_by_role"
        ),
    ),
    ("user", models.Index(fields=["id"], condition=Q(is_active=False), name="users_inactive")),
    ("user", models.Index(fields=["id"], condition=Q(is_staff=True), name="users_staff")),
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0003_people_by_word")]

    operations = [
        operation
        for model, index in INDEXES
        for operation in (
            # One that was left half built is built anew.
            migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", migrations.RunSQL.noop),
            AddIndexConcurrently(model, index),
        )
    ]
