from django.db import migrations

# What is there, less what is counted of it already: in one statement, so in one snapshot, and beside the traffic.
COUNT_WHAT_IS_THERE = """
INSERT INTO inbox_totals AS totals (manager_id, type, total, unread)
SELECT manager_id, type, sum(total), sum(unread)
  FROM (SELECT manager_id, type, count(*) AS total, count(*) FILTER (WHERE read_at IS NULL) AS unread
          FROM manager_notifications
         GROUP BY manager_id, type
         UNION ALL
        SELECT manager_id, type, -total, -unread FROM inbox_deltas
         UNION ALL
        SELECT manager_id, type, -total, -unread FROM inbox_totals) AS missing
 GROUP BY manager_id, type
 ORDER BY manager_id, type
ON CONFLICT (manager_id, type)
DO UPDATE SET total = totals.total + excluded.total, unread = totals.unread + excluded.unread
"""


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0006_inbox_counts'),
    ]

    operations = [
        # Backwards: the tables go.
        migrations.RunSQL(COUNT_WHAT_IS_THERE, migrations.RunSQL.noop),
    ]
