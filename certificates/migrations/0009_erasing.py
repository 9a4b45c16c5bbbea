import cerply.clock
import cerply.identifiers
import django.db.models.deletion
import uuid
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns and tables, which are there at once; what looks at every row comes next, without a lock."""

    dependencies = [
        ('accounts', '0006_deactivated_at'),
        ('certificates', '0008_sealed_renderings'),
    ]

    operations = [
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('id', models.UUIDField(default=cerply.identifiers.uuid7, editable=False, primary_key=True, serialize=False)),
                ('erased_at', models.DateTimeField(default=cerply.clock.now)),
                ('settled_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'erasures',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Keepsake',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('left_at', models.DateTimeField(help_text='When her account was closed.')),
                ('digest', models.BinaryField(max_length=32, null=True, unique=True)),
                ('requested_at', models.DateTimeField(default=cerply.clock.now)),
                ('due_at', models.DateTimeField(default=cerply.clock.now, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('mailed_at', models.DateTimeField(null=True)),
                ('withdrawn_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'keepsakes',
                'ordering': ['-left_at', 'id'],
            },
        ),
        migrations.AddField(
            model_name='certificate',
            name='erased_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='certificate',
            name='learner_name',
            field=models.CharField(blank=True, help_text='Empty once it is erased.', max_length=255),
        ),
        AddConstraintNotValid(
            model_name='certificate',
            constraint=models.CheckConstraint(condition=models.Q(('erased_at', None), models.Q(('learner_name', ''), ('pdf', '')), _connector='OR'), name='certificates_erased_say_no_name'),
        ),
        migrations.AddField(
            model_name='erasure',
            name='certificate',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='certificates.certificate'),
        ),
        migrations.AddField(
            model_name='erasure',
            name='learner',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.user'),
        ),
        migrations.AddField(
            model_name='erasure',
            name='organization',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization'),
        ),
        migrations.AddField(
            model_name='keepsake',
            name='learner',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.user'),
        ),
        migrations.AddField(
            model_name='keepsake',
            name='organization',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization'),
        ),
        migrations.AddIndex(
            model_name='erasure',
            index=models.Index(condition=models.Q(('settled_at', None)), fields=['id'], name='erasures_unsettled'),
        ),
        migrations.AddIndex(
            model_name='keepsake',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at', 'id'], name='keepsakes_owed_a_mail'),
        ),
        migrations.AddConstraint(
            model_name='keepsake',
            constraint=models.UniqueConstraint(fields=('learner', 'left_at'), name='keepsakes_once_per_leaving'),
        ),
    ]
