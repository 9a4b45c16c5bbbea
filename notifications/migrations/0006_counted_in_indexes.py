from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Beside the traffic: the inbox and its unread part are counted in their indexes alone."""

    atomic = False

    dependencies = [
        ('notifications', '0005_retention'),
    ]

    operations = [
        AddIndexConcurrently('managernotification', models.Index(fields=['manager', '-sent_at', '-id'], include=['organization'], name='notifications_inbox')),
        AddIndexConcurrently('managernotification', models.Index(condition=models.Q(('read_at', None)), fields=['manager', '-sent_at', '-id'], include=['organization'], name='notifications_unread')),
        RemoveIndexConcurrently('managernotification', 'manager_notifications_inbox'),
        RemoveIndexConcurrently('managernotification', 'manager_notifications_unread'),
    ]
