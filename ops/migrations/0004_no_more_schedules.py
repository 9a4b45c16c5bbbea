"""What is due follows from the settings alone; the release before puts its schedules back with its own ``migrate``."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("ops", "0003_expected_runs"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]

    operations = [
        migrations.RunSQL(
            "DELETE FROM django_q_schedule WHERE func = 'ops.jobs.run_scheduled'",
            migrations.RunSQL.noop,
        )
    ]
