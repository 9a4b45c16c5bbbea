from django.db import migrations, models

COUNT = """
CREATE FUNCTION manager_notifications_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO inbox_deltas (manager_id, type, total, unread)
        SELECT manager_id, type, count(*), count(*) FILTER (WHERE read_at IS NULL)
          FROM added
         GROUP BY manager_id, type;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO inbox_deltas (manager_id, type, total, unread)
        SELECT manager_id, type, -count(*), -count(*) FILTER (WHERE read_at IS NULL)
          FROM gone
         GROUP BY manager_id, type;
    ELSE
        INSERT INTO inbox_deltas (manager_id, type, total, unread)
        SELECT manager_id, type, sum(total), sum(unread)
          FROM (SELECT manager_id, type, 1 AS total, (read_at IS NULL)::int AS unread FROM added
                 UNION ALL
                SELECT manager_id, type, -1, -(read_at IS NULL)::int FROM gone) AS changed
         GROUP BY manager_id, type
        HAVING sum(total) <> 0 OR sum(unread) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER manager_notifications_are_counted_when_inserted AFTER INSERT ON manager_notifications
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION manager_notifications_count();
CREATE TRIGGER manager_notifications_are_counted_when_updated AFTER UPDATE ON manager_notifications
    REFERENCING NEW TABLE AS added OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION manager_notifications_count();
CREATE TRIGGER manager_notifications_are_counted_when_deleted AFTER DELETE ON manager_notifications
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION manager_notifications_count();
"""
DO_NOT_COUNT = """
DROP TRIGGER manager_notifications_are_counted_when_inserted ON manager_notifications;
DROP TRIGGER manager_notifications_are_counted_when_updated ON manager_notifications;
DROP TRIGGER manager_notifications_are_counted_when_deleted ON manager_notifications;
DROP FUNCTION manager_notifications_count();
"""


class Migration(migrations.Migration):
    """What changes from now on is counted; what was there before, by the next migration."""

    dependencies = [
        ('notifications', '0005_retention'),
    ]

    operations = [
        migrations.CreateModel(
            name='InboxTotal',
            fields=[
                ('pk', models.CompositePrimaryKey('manager_id', 'type', blank=True, editable=False, primary_key=True, serialize=False)),
                ('manager_id', models.UUIDField()),
                ('type', models.CharField(max_length=16)),
                ('total', models.BigIntegerField()),
                ('unread', models.BigIntegerField()),
            ],
            options={
                'db_table': 'inbox_totals',
            },
        ),
        migrations.CreateModel(
            name='InboxDelta',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('manager_id', models.UUIDField()),
                ('type', models.CharField(max_length=16)),
                ('total', models.BigIntegerField()),
                ('unread', models.BigIntegerField()),
            ],
            options={
                'db_table': 'inbox_deltas',
                'indexes': [models.Index(fields=['manager_id'], name='inbox_deltas_by_manager')],
            },
        ),
        migrations.RunSQL(COUNT, DO_NOT_COUNT),
    ]
