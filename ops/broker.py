"""The queue: django-q's table, taken from in one statement, with an end to what kills its worker each time."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models.functions import Now
from django_q.brokers.orm import ORM
from django_q.models import OrmQ
from django_q.signing import BadSignature, SignedPackage

from cerply.metrics import Tally
from ops import doorbell, tallies
from ops.models import Delivery

logger = logging.getLogger(__name__)

GIVEN_UP = Tally("tasks_given_up", "Tasks of the queue that no worker came to the end of.", "reason", ["killed"])

# In seconds, before it asks a database again that is away.
PAUSE = 1.0

# Two workers never get the same rows, and what nobody has acknowledged in time is due again. By the database's clock.
TAKE = """
    WITH due AS (
        SELECT id FROM django_q_ormq WHERE key = %(key)s AND lock <= statement_timestamp()
         ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE django_q_ormq AS task SET lock = statement_timestamp() + make_interval(secs => %(retry)s)
          FROM due WHERE task.id = due.id
        RETURNING task.id, task.payload
    ), counted AS (
        INSERT INTO task_deliveries AS delivery (task_id, tries) SELECT id, 1 FROM taken
        ON CONFLICT (task_id) DO UPDATE SET tries = delivery.tries + 1
        RETURNING task_id, tries
    )
    SELECT id, payload, tries FROM taken JOIN counted ON task_id = id ORDER BY id
"""


class Broker(ORM):  # type: ignore[misc]
    """Tasks are rows: committed with their cause, delivered until acknowledged, ``max_attempts`` times at most."""

    def enqueue(self, task: str) -> int:
        row = OrmQ.objects.create(key=self.list_key, payload=task, lock=Now())
        transaction.on_commit(doorbell.ring)
        return int(row.pk)

    def dequeue(self) -> Sequence[tuple[int, str]] | None:
        options: dict[str, Any] = settings.Q_CLUSTER
        try:
            self.get_connection()  # a new one, where the last one is broken
            with connection.cursor() as cursor:
                cursor.execute(TAKE, {"key": self.list_key, "most": options["bulk"], "retry": options["retry"]})
                taken = cursor.fetchall()
        except (OperationalError, InterfaceError) as exc:
            # Raised, it would end the process that asks, and with it the tasks that it has.
            logger.warning("the queue cannot be read: %s", exc)
            time.sleep(PAUSE)
            return None
        if not taken:
            doorbell.wait(options["poll"])
            return None
        for task_id, payload, tries in taken:
            if tries > options["max_attempts"]:
                logger.error("task %s was begun %s times and never ended, giving up", _name(payload), tries - 1)
                GIVEN_UP.count("killed")
                self.delete(task_id)
        tallies.flush()
        return [(task_id, payload) for task_id, payload, tries in taken if tries <= options["max_attempts"]]

    def acknowledge(self, task_id: int) -> None:
        try:
            self.get_connection()
            self.delete(task_id)
        except (OperationalError, InterfaceError) as exc:
            logger.warning("task %s ended, and will be delivered once more: %s", task_id, exc)

    @transaction.atomic
    def delete(self, task_id: int) -> None:
        OrmQ.objects.filter(pk=task_id).delete()
        Delivery.objects.filter(pk=task_id).delete()


def _name(payload: str) -> str:
    try:
        task = SignedPackage.loads(payload)
    except (TypeError, BadSignature):
        return "of somebody else"
    return f"{task['func']}{task['args']}"
