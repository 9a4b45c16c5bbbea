import cerply.clock
import cerply.identifiers
import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns and tables, which are there at once; what looks at every row comes next, without a lock."""

    dependencies = [
        ('accounts', '0001_initial'),
        ('certificates', '0004_record_renderings'),
    ]

    operations = [
        migrations.AddField('certificate', 'revocation_code', models.CharField(blank=True, choices=[('issued_in_error', 'Issued in error'), ('requirements_not_met', 'Requirements not met'), ('misconduct', 'Misconduct'), ('superseded', 'Superseded'), ('holder_request', 'Asked for by the holder'), ('other', 'Other')], db_default='', default='', max_length=32)),
        migrations.AddField('certificate', 'suspended_at', models.DateTimeField(blank=True, null=True)),
        migrations.AddField('certificate', 'reinstated_at', models.DateTimeField(blank=True, null=True)),
        migrations.AddField('certificate', 'replacement_reason', models.CharField(blank=True, db_default='', default='', max_length=500)),
        migrations.AddField('certificate', 'renewed_at', models.DateTimeField(blank=True, null=True)),
        migrations.AddField('certificate', 'replaces', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='certificates.certificate')),
        migrations.AddField('certificate', 'replaced_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='certificates.certificate')),
        AddConstraintNotValid('certificate', models.CheckConstraint(condition=models.Q(('revocation_code', ''), models.Q(('revocation_code__in', ['issued_in_error', 'requirements_not_met', 'misconduct', 'superseded', 'holder_request', 'other']), ('revoked_at__isnull', False)), _connector='OR'), name='certificates_revocation_code_is_known')),
        AddConstraintNotValid('certificate', models.CheckConstraint(condition=models.Q(('replacement_reason', ''), ('replaced_at__isnull', False), _connector='OR'), name='certificates_replacement_has_a_time')),
        migrations.CreateModel(
            name='Suspension',
            fields=[
                ('id', models.UUIDField(default=cerply.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('certificate', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='suspensions', to='certificates.certificate')),
                ('suspended_at', models.DateTimeField(default=cerply.clock.now)),
                ('reason', models.CharField(max_length=500)),
                ('reinstated_at', models.DateTimeField(null=True)),
                ('reinstatement_reason', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'db_table': 'suspensions',
                'ordering': ['suspended_at', 'id'],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('reinstated_at', None)), fields=('certificate',), name='suspensions_one_open_per_certificate'),
                    models.CheckConstraint(condition=models.Q(models.Q(('reinstated_at', None), ('reinstatement_reason', '')), models.Q(('reinstated_at__gte', models.F('suspended_at')), models.Q(('reinstatement_reason', ''), _negated=True)), _connector='OR'), name='suspensions_end_for_a_reason'),
                ],
            },
        ),
        migrations.CreateModel(
            name='ExpiryReminder',
            fields=[
                ('id', models.UUIDField(default=cerply.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
                ('certificate', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='reminders', to='certificates.certificate')),
                ('days', models.PositiveSmallIntegerField(help_text='Which of the steps: so many days before the end.')),
                ('created_at', models.DateTimeField(default=cerply.clock.now)),
                ('mail_due', models.BooleanField(default=True)),
                ('mailed_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'expiry_reminders',
                'ordering': ['id'],
                'indexes': [models.Index(condition=models.Q(('mail_due', True)), fields=['id'], name='expiry_reminders_owed_a_mail')],
                'constraints': [models.UniqueConstraint(fields=('certificate', 'days'), name='expiry_reminders_once_per_step')],
            },
        ),
    ]
