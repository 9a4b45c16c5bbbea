"""The ledger holds also what is expected, and what was missed; the queue counts its deliveries."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ops', '0002_delete_featurecatchup'),
    ]

    operations = [
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('task_id', models.BigIntegerField(help_text='Of django_q_ormq.', primary_key=True, serialize=False)),
                ('tries', models.PositiveSmallIntegerField(default=1)),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'db_table': 'task_deliveries',
            },
        ),
        migrations.AlterField(
            model_name='jobrun',
            name='attempts',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='jobrun',
            name='detail',
            field=models.TextField(blank=True, help_text='What it did, or why it did not.'),
        ),
        migrations.AlterField(
            model_name='jobrun',
            name='heartbeat_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='jobrun',
            name='outcome',
            field=models.CharField(choices=[('due', 'Due'), ('running', 'Running'), ('succeeded', 'Succeeded'), ('failed', 'Failed, to be tried again'), ('gave_up', 'Given up'), ('missed', 'Missed')], default='due', max_length=16),
        ),
        migrations.AlterField(
            model_name='jobrun',
            name='started_at',
            field=models.DateTimeField(blank=True, help_text='The latest attempt.', null=True),
        ),
        migrations.AddConstraint(
            model_name='jobrun',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', False), ('outcome__in', ('succeeded', 'gave_up', 'missed'))), models.Q(models.Q(('outcome__in', ('succeeded', 'gave_up', 'missed')), _negated=True), ('finished_at', None)), _connector='OR'), name='job_runs_finished_by_outcome'),
        ),
        # The release before knows no run that nobody has begun.
        migrations.RunSQL(migrations.RunSQL.noop, "DELETE FROM job_runs WHERE started_at IS NULL"),
    ]
