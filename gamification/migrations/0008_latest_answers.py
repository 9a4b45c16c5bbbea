import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns with constant defaults, which no row is written for. What the rows do not know the job reads, once."""

    dependencies = [
        ('gamification', '0007_bulk_issues'),
    ]

    operations = [
        migrations.AddField(
            model_name='learnerlevel',
            name='last_answer_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='learnerlevel',
            name='latest_credits',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), db_default=[], default=list),
        ),
        migrations.AddField(
            model_name='learnerlevel',
            name='remembered',
            field=models.IntegerField(db_default=0, default=0),
        ),
    ]
