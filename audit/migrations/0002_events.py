"""The events, partitioned by week on their UUIDv7 from the start. Weeks get their partitions after ``migrate``."""

import django.core.serializers.json
from django.db import migrations, models
from django.db.models import Q

import audit.models
import cerply.identifiers

CREATE = """
CREATE TABLE audit_events (
    id uuid NOT NULL PRIMARY KEY,
    organization_id uuid,
    type varchar(40) NOT NULL,
    subject_kind varchar(40) NOT NULL,
    subject_id uuid,
    actor_kind varchar(16) NOT NULL,
    actor_id uuid,
    actor_label varchar(255) NOT NULL,
    request_id varchar(128) NOT NULL,
    metadata jsonb NOT NULL,
    occurred_at timestamp with time zone NOT NULL
) PARTITION BY RANGE (id);

-- For what comes before its partition is there, so that no event is ever refused.
CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;

-- The test database says audit.may_be_emptied, so that it can be emptied after each test.
CREATE FUNCTION audit_events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_setting('audit.may_be_emptied', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'Audit events are neither changed nor deleted.' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER audit_events_are_kept BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_refuse_change();

-- A partition has no part in this one of its table's, and gets its own.
CREATE TRIGGER audit_events_are_not_emptied BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse_change();
CREATE TRIGGER audit_events_are_not_emptied BEFORE TRUNCATE ON audit_events_default
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse_change();
"""
DROP = """
DROP TABLE audit_events;
DROP FUNCTION audit_events_refuse_change();
"""
ACTOR_KINDS = [(kind, kind) for kind in ("user", "admin_token", "system", "anonymous")]


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_counters")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, DROP)],
            state_operations=[
                migrations.CreateModel(
                    name="AuditEvent",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=cerply.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("organization_id", models.UUIDField(blank=True, null=True)),
                        ("type", models.CharField(choices=audit.models.event_types, max_length=40)),
                        ("subject_kind", models.CharField(blank=True, max_length=40)),
                        ("subject_id", models.UUIDField(blank=True, null=True)),
                        ("actor_kind", models.CharField(choices=ACTOR_KINDS, max_length=16)),
                        ("actor_id", models.UUIDField(blank=True, null=True)),
                        ("actor_label", models.CharField(blank=True, max_length=255)),
                        ("request_id", models.CharField(blank=True, max_length=128)),
                        (
                            "metadata",
                            models.JSONField(
                                blank=True, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder
                            ),
                        ),
                        ("occurred_at", models.DateTimeField()),
                    ],
                    options={"db_table": "audit_events", "ordering": ["-id"]},
                ),
            ],
        ),
        migrations.AddIndex(
            "AuditEvent", models.Index(fields=["organization_id", "id"], name="audit_events_by_organization")
        ),
        migrations.AddIndex("AuditEvent", models.Index(fields=["type", "id"], name="audit_events_by_type")),
        migrations.AddIndex(
            "AuditEvent",
            models.Index(
                fields=["actor_kind", "id"], condition=~Q(actor_kind="user"), name="audit_events_by_actor_kind"
            ),
        ),
        migrations.AddIndex("AuditEvent", models.Index(fields=["actor_id", "id"], name="audit_events_by_actor")),
        migrations.AddIndex("AuditEvent", models.Index(fields=["subject_id", "id"], name="audit_events_by_subject")),
        migrations.AddIndex("AuditEvent", models.Index(fields=["request_id", "id"], name="audit_events_by_request")),
    ]
