"""What the admin filters certificates by. Built while the table is in use."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

INDEXES = [
    (
        "certificate",
        models.Index(
            fields=["-issued_at", "-id"], condition=Q(revoked_at__isnull=False), name="certificates_revoked"
        ),
    ),
    (
        "certificate",
        models.Index(
            fields=["-issued_at", "-id"], condition=Q(replaced_at__isnull=False), name="certificates_replaced"
        ),
    ),
    (
        "certificate",
        models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="certificates_expiring"),
    ),
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("certificates", "0001_initial")]

    operations = [
        operation
        for model, index in INDEXES
        for operation in (
            # One that was left half built is built anew.
            migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", migrations.RunSQL.noop),
            AddIndexConcurrently(model, index),
        )
    ]
