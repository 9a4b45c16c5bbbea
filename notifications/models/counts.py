"""How much is in an inbox, without counting."""

from django.db import models


class InboxDelta(models.Model):
    """What one statement changed of how much is in an inbox. A trigger on the inbox inserts it, and gives it its id.

    Inserted only, so that no two transactions wait for each other.
    """

    id = models.BigAutoField(primary_key=True)
    manager_id = models.UUIDField()
    type = models.CharField(max_length=16)
    total = models.BigIntegerField()
    unread = models.BigIntegerField()

    class Meta:
        db_table = "inbox_deltas"
        indexes = [
            # How many are in her inbox?
            models.Index(fields=["manager_id"], name="inbox_deltas_by_manager")
        ]

    def __str__(self) -> str:
        return f"{self.manager_id} {self.type} {self.total:+d}, unread {self.unread:+d}"


class InboxTotal(models.Model):
    """The deltas that `notifications.counting.fold` has summed up. What is in the inbox is this and what remains."""

    pk = models.CompositePrimaryKey("manager_id", "type")
    manager_id = models.UUIDField()
    type = models.CharField(max_length=16)
    total = models.BigIntegerField()
    unread = models.BigIntegerField()

    class Meta:
        db_table = "inbox_totals"

    def __str__(self) -> str:
        return f"{self.manager_id} {self.type} {self.total}, unread {self.unread}"
