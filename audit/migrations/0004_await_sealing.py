"""Each event that is recorded from now on waits to be sealed, in the transaction that records it.

Once for each statement, whatever number of events it has. The lock waits for those who are writing, so that every
event is either there before the trigger, for the next migration to find, or meets it.
"""

from django.db import migrations

CREATE = """
CREATE FUNCTION audit_events_await_sealing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unsealed (event_id) SELECT id FROM recorded;
    RETURN NULL;
END
$$;

CREATE TRIGGER audit_events_await_sealing AFTER INSERT ON audit_events
    REFERENCING NEW TABLE AS recorded
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_await_sealing();
"""
DROP = """
DROP TRIGGER audit_events_await_sealing ON audit_events;
DROP FUNCTION audit_events_await_sealing();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_evidence")]

    operations = [migrations.RunSQL(CREATE, DROP)]
