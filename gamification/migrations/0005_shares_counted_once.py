"""Each artefact counts once, however often it is kept; the index is made while shares are recorded."""

from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("gamification", "0004_share_is_repeat")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                # One that was left half built is built anew.
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS shares_artefact_counted_once", migrations.RunSQL.noop
                ),
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY shares_artefact_counted_once"
                    " ON shares (learner_id, artefact_id) WHERE NOT is_repeat",
                    "DROP INDEX CONCURRENTLY IF EXISTS shares_artefact_counted_once",
                ),
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="share",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(is_repeat=False),
                        fields=("learner", "artefact_id"),
                        name="shares_artefact_counted_once",
                    ),
                ),
            ],
        ),
        migrations.RemoveConstraint(model_name="share", name="shares_artefact_counts_once"),
        # Going back begins with this: nothing but their client ids is lost.
        migrations.RunSQL(migrations.RunSQL.noop, "DELETE FROM shares WHERE is_repeat"),
    ]
