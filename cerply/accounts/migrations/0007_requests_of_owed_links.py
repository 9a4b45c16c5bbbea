from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ('accounts', '0006_deactivated_at'),
    ]

    operations = [
        # With a default in the database: older processes go on writing rows without it.
        migrations.AddField(
            model_name='owedlink',
            name='request_id',
            field=models.CharField(blank=True, db_default='', default='', max_length=128),
        ),
    ]
