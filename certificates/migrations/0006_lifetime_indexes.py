from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    """Beside the traffic: a renewed certificate no longer stands, so a successor may."""

    atomic = False

    dependencies = [
        ('certificates', '0005_lifetime'),
    ]

    operations = [
        # Before there were renewals, what had a successor was replaced.
        migrations.RunSQL(
            migrations.RunSQL.noop,
            'UPDATE certificates SET replaced_at = renewed_at WHERE renewed_at IS NOT NULL AND revoked_at IS NULL AND replaced_at IS NULL',
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    [
                        'DROP INDEX CONCURRENTLY IF EXISTS certificates_one_standing',
                        'CREATE UNIQUE INDEX CONCURRENTLY certificates_one_standing ON certificates (learner_id, track_id) WHERE renewed_at IS NULL AND replaced_at IS NULL AND revoked_at IS NULL',
                        'DROP INDEX CONCURRENTLY IF EXISTS certificates_one_standing_per_learner_and_track',
                        'DROP INDEX CONCURRENTLY IF EXISTS certificates_one_successor',
                        'CREATE UNIQUE INDEX CONCURRENTLY certificates_one_successor ON certificates (replaces_id) WHERE replaces_id IS NOT NULL',
                    ],
                    [
                        'DROP INDEX CONCURRENTLY IF EXISTS certificates_one_successor',
                        'CREATE UNIQUE INDEX CONCURRENTLY certificates_one_standing_per_learner_and_track ON certificates (learner_id, track_id) WHERE replaced_at IS NULL AND revoked_at IS NULL',
                        'DROP INDEX CONCURRENTLY IF EXISTS certificates_one_standing',
                    ],
                ),
            ],
            state_operations=[
                migrations.RemoveConstraint('certificate', 'certificates_one_standing_per_learner_and_track'),
                migrations.AddConstraint('certificate', models.UniqueConstraint(condition=models.Q(('renewed_at', None), ('replaced_at', None), ('revoked_at', None)), fields=('learner', 'track'), name='certificates_one_standing')),
                migrations.AddConstraint('certificate', models.UniqueConstraint(condition=models.Q(('replaces__isnull', False)), fields=('replaces',), name='certificates_one_successor')),
            ],
        ),
        AddIndexConcurrently('certificate', models.Index(condition=models.Q(('expires_at__isnull', False), ('renewed_at', None), ('replaced_at', None), ('revoked_at', None)), fields=['expires_at', 'id'], name='certificates_ending')),
        ValidateConstraint('certificate', 'certificates_revocation_code_is_known'),
        ValidateConstraint('certificate', 'certificates_replacement_has_a_time'),
    ]
