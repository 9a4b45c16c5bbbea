from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Beside the traffic: which of them have been kept long enough."""

    atomic = False

    dependencies = [
        ('notifications', '0004_webhooks'),
    ]

    operations = [
        AddIndexConcurrently('managernotification', models.Index(condition=models.Q(('read_at__isnull', False)), fields=['read_at'], name='notifications_read_by_age')),
        AddIndexConcurrently('managernotification', models.Index(condition=models.Q(('read_at', None)), fields=['sent_at'], name='notifications_unread_by_age')),
    ]
