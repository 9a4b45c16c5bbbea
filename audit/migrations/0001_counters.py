import uuid

from django.db import migrations, models

import cerply.identifiers

KPIS = [
    ("badges_awarded", "Badges Awarded"),
    ("levels_changed", "Levels Changed"),
    ("certificates_issued", "Certificates Issued"),
    ("certificates_downloaded", "Certificates Downloaded"),
    ("certificates_revoked", "Certificates Revoked"),
    ("notifications_marked_read", "Notifications Marked Read"),
]


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="KpiDelta",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=cerply.identifiers.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kpi", models.CharField(choices=KPIS, max_length=40)),
                ("organization_id", models.UUIDField(default=uuid.UUID(int=0))),
                ("amount", models.BigIntegerField()),
            ],
            options={"db_table": "kpi_deltas"},
        ),
        migrations.CreateModel(
            name="KpiTotal",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization_id", "kpi", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("organization_id", models.UUIDField(default=uuid.UUID(int=0))),
                ("kpi", models.CharField(choices=KPIS, max_length=40)),
                ("amount", models.BigIntegerField()),
            ],
            options={"db_table": "kpi_totals"},
        ),
    ]
