"""Keys, segments and rounds of verification; and what goes with the events of a week, partitioned like them."""

import uuid

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import cerply.clock
import cerply.identifiers

CREATE = """
CREATE TABLE audit_leaves (
    segment_id uuid NOT NULL PRIMARY KEY,
    content bytea NOT NULL
) PARTITION BY RANGE (segment_id);

-- Hashes cannot be compressed.
ALTER TABLE audit_leaves ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE audit_commitments (
    event_id uuid NOT NULL,
    field varchar(255) NOT NULL,
    salt bytea,
    digest bytea NOT NULL,
    PRIMARY KEY (event_id, field)
) PARTITION BY RANGE (event_id);

CREATE TRIGGER audit_leaves_are_kept BEFORE UPDATE OR DELETE ON audit_leaves
    FOR EACH ROW EXECUTE FUNCTION audit_events_refuse_change();
CREATE TRIGGER audit_leaves_are_not_emptied BEFORE TRUNCATE ON audit_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse_change();
"""
DROP = """
DROP TABLE audit_leaves;
DROP TABLE audit_commitments;
"""
KEEP = """
CREATE TRIGGER audit_segments_are_kept BEFORE UPDATE OR DELETE ON audit_segments
    FOR EACH ROW EXECUTE FUNCTION audit_events_refuse_change();
CREATE TRIGGER audit_segments_are_not_emptied BEFORE TRUNCATE ON audit_segments
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse_change();
"""
LET_GO = """
DROP TRIGGER audit_segments_are_kept ON audit_segments;
DROP TRIGGER audit_segments_are_not_emptied ON audit_segments;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_events")]

    operations = [
        migrations.CreateModel(
            name="AuditKey",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("public_key", models.BinaryField(max_length=32)),
                ("sealed_private_key", models.BinaryField()),
                ("created_at", models.DateTimeField(default=cerply.clock.now, editable=False)),
                ("retired_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "db_table": "audit_keys",
                "ordering": ["-created_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(retired_at=None),
                        fields=["retired_at"],
                        name="audit_keys_one_active",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UnsealedEvent",
            fields=[("event_id", models.UUIDField(editable=False, primary_key=True, serialize=False))],
            options={"db_table": "audit_unsealed"},
        ),
        migrations.CreateModel(
            name="Segment",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField(default=uuid.UUID(int=0))),
                ("number", models.PositiveBigIntegerField(help_text="In the organization's chain, from 1.")),
                ("week", models.DateField(help_text="The Monday of the week of its events.")),
                ("size", models.PositiveIntegerField(help_text="How many events it has.")),
                ("total", models.PositiveBigIntegerField(help_text="How many events the chain has up to here.")),
                (
                    "latest_at",
                    models.DateTimeField(help_text="When the latest event of the chain up to here happened."),
                ),
                ("root", models.BinaryField(max_length=32)),
                ("previous", models.BinaryField(max_length=32)),
                ("sealed_at", models.DateTimeField()),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="audit.auditkey"
                    ),
                ),
                ("hash", models.BinaryField(max_length=32)),
                ("signature", models.BinaryField(max_length=64)),
            ],
            options={
                "db_table": "audit_segments",
                "ordering": ["organization_id", "-number"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["organization_id", "number"], name="audit_segments_number_in_chain"
                    ),
                    models.CheckConstraint(
                        condition=Q(number__gte=1, size__gte=1), name="audit_segments_are_not_empty"
                    ),
                ],
                "indexes": [
                    models.Index(fields=["week", "organization_id"], name="audit_segments_by_week"),
                    models.Index(fields=["-sealed_at", "-id"], name="audit_segments_by_age"),
                ],
            },
        ),
        migrations.RunSQL(KEEP, LET_GO),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, DROP)],
            state_operations=[
                migrations.CreateModel(
                    name="SegmentLeaves",
                    fields=[
                        ("segment_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                        ("content", models.BinaryField()),
                    ],
                    options={"db_table": "audit_leaves"},
                ),
                migrations.CreateModel(
                    name="Commitment",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "event_id", "field", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("event_id", models.UUIDField(editable=False)),
                        ("field", models.CharField(help_text="Of the event's metadata.", max_length=255)),
                        ("salt", models.BinaryField(max_length=32, null=True)),
                        ("digest", models.BinaryField(max_length=32)),
                    ],
                    options={"db_table": "audit_commitments"},
                ),
            ],
        ),
        migrations.CreateModel(
            name="Verification",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=cerply.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("started_at", models.DateTimeField(default=cerply.clock.now)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("organization_id", models.UUIDField(blank=True, null=True)),
                ("number", models.PositiveBigIntegerField(default=0)),
                ("segments", models.PositiveBigIntegerField(default=0)),
                ("events", models.PositiveBigIntegerField(default=0)),
                ("problems", models.PositiveIntegerField(default=0)),
                ("remarks", models.PositiveIntegerField(default=0)),
                ("findings", models.JSONField(blank=True, default=list)),
            ],
            options={
                "db_table": "audit_verifications",
                "ordering": ["-started_at", "-id"],
                "indexes": [models.Index(fields=["-started_at", "-id"], name="audit_verifications_by_age")],
            },
        ),
    ]
