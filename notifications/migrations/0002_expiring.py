from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models

TYPES = [('level_up', 'Level up'), ('badge', 'Badge'), ('certificate', 'Certificate'), ('at_risk', 'At risk'), ('expiring', 'Certificate expiring')]


class Migration(migrations.Migration):
    """A new type. What is there is one of the old ones, so nothing is locked while it is looked at."""

    atomic = False

    dependencies = [
        ('notifications', '0001_initial'),
    ]

    operations = [
        migrations.AlterField('managernotification', 'type', models.CharField(choices=TYPES, max_length=16)),
        migrations.RemoveConstraint('managernotification', 'manager_notifications_type_is_known'),
        # Backwards: the old constraint has no word for them.
        migrations.RunSQL(migrations.RunSQL.noop, "DELETE FROM manager_notifications WHERE type = 'expiring'"),
        AddConstraintNotValid('managernotification', models.CheckConstraint(condition=models.Q(('type__in', [value for value, _ in TYPES])), name='manager_notifications_type_is_known')),
        ValidateConstraint('managernotification', 'manager_notifications_type_is_known'),
    ]
