"""How many are in an inbox and unread: the same as if it were counted, whoever changes it."""

import signal
from collections.abc import Callable
from importlib import import_module
from random import Random
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from cerply import clock
from cerply.accounts.models import User
from cerply.permissions import Caller, CallerKind, Role
from notifications import counting, reading
from notifications.counting import Counts, counts_of
from notifications.models import InboxDelta, InboxTotal, ManagerNotification, NotificationType
from tests.factories import Cast, give_answers, make_cast, make_user
from tests.notifications.inbox import tell
from tests.processes import run_python
from tests.threads import at_once

ROWS = ManagerNotification.objects


def counted(manager: User) -> Counts:
    """The slow way."""
    rows = ROWS.filter(manager=manager).values_list("type", "read_at")
    totals, unreads = dict.fromkeys(NotificationType.values, 0), dict.fromkeys(NotificationType.values, 0)
    for type_, read_at in rows:
        totals[type_] += 1
        unreads[type_] += read_at is None
    return Counts(totals, unreads)


def check(manager: User) -> None:
    told, right = counts_of(manager.caller()), counted(manager)
    assert told.unread == right.unread
    for type_ in (None, *NotificationType.values):
        for unread_only in (False, True):
            assert told.of(type_, unread_only=unread_only) == right.of(type_, unread_only=unread_only)


def test_nothing_is_nothing(cast: Cast) -> None:
    for caller in (cast.manager.caller(), Caller(CallerKind.ADMIN_TOKEN)):
        assert (counts_of(caller).unread, counts_of(caller).of(None, unread_only=False)) == (0, 0)
    assert counting.fold() == "Folded 0 changes of inboxes."


def test_whatever_is_done_to_inboxes_they_are_counted(cast: Cast) -> None:
    random = Random(7)
    managers = [cast.manager, make_user(cast.organization, Role.MANAGER), cast.outside_manager]

    def some() -> list[UUID]:
        ids = list(ROWS.values_list("id", flat=True))
        return random.sample(ids, min(len(ids), random.randrange(6)))

    deeds: list[Callable[[], object]] = [
        lambda: tell(random.choice(managers), cast.learner, 3, type=random.choice(NotificationType.values)),
        lambda: tell(random.choice(managers), cast.learner, 2, read_at=clock.now()),
        lambda: ROWS.filter(id__in=some()).update(read_at=clock.now()),
        lambda: ROWS.filter(id__in=some()).update(read_at=None),
        lambda: ROWS.filter(id__in=some()).update(type=random.choice(NotificationType.values)),
        lambda: ROWS.filter(id__in=some()).update(manager=random.choice(managers)),
        lambda: ROWS.filter(id__in=some()).update(content={}),
        lambda: ROWS.filter(id__in=some()).delete(),
        counting.fold,
    ]
    for _ in range(150):
        random.choice(deeds)()
    for manager in managers:
        check(manager)
    counting.fold()
    for manager in managers:
        check(manager)
    assert not InboxDelta.objects.exists()


def test_who_is_told_twice_is_counted_once(cast: Cast) -> None:
    row = tell(cast.manager, cast.learner)[0]
    again = ManagerNotification(
        organization_id=row.organization_id, manager=cast.manager, learner=cast.learner, type="badge"
    )
    again.cause_id = row.cause_id
    ROWS.bulk_create([again], ignore_conflicts=True)
    assert counts_of(cast.manager.caller()).of(None, unread_only=False) == 1


def test_what_is_taken_back_is_not_counted(cast: Cast) -> None:
    with transaction.atomic():
        tell(cast.manager, cast.learner)
        transaction.set_rollback(True)
    check(cast.manager)
    assert not InboxDelta.objects.exists()


def test_a_change_that_concerns_no_count_leaves_no_delta(cast: Cast) -> None:
    tell(cast.manager, cast.learner, 3)
    counting.fold()
    ROWS.update(content={})
    assert not InboxDelta.objects.exists()


def test_folding_goes_step_by_step(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "FOLD_STEP", 7)
    for _ in range(30):
        tell(cast.manager, cast.learner)
    assert counting.fold() == "Folded 30 changes of inboxes."
    assert (InboxTotal.objects.get().total, InboxTotal.objects.get().unread) == (30, 30)


def test_inboxes_that_were_there_before_are_counted_by_the_migration(cast: Cast) -> None:
    """Whatever of them was counted already, and folded."""
    count_what_is_there = import_module("notifications.migrations.0007_count_inboxes").COUNT_WHAT_IS_THERE
    tell(cast.manager, cast.learner, 5)
    tell(cast.outside_manager, cast.outsider, 2, read_at=clock.now())
    InboxDelta.objects.all().delete()
    tell(cast.manager, cast.learner, 3, type=NotificationType.LEVEL_UP)
    counting.fold()
    tell(cast.manager, cast.learner, 1)
    for _ in range(2):
        with connection.cursor() as cursor:
            cursor.execute(count_what_is_there)
        check(cast.manager)
        check(cast.outside_manager)


@pytest.mark.django_db(transaction=True)
def test_whoever_tells_reads_folds_and_asks_at_once_the_counts_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "FOLD_STEP", 3)
    cast = make_cast()
    caller = cast.manager.caller()
    tell(cast.manager, cast.learner, 100)

    def write() -> list[int]:
        for _ in range(15):
            tell(cast.manager, cast.learner)
        return []

    def fold() -> list[int]:
        for _ in range(10):
            counting.fold()
        return []

    def read() -> list[int]:
        for row in ROWS.order_by("?")[:20]:
            reading.mark(row.id, read=True, actor=caller.actor)
        return []

    def ask() -> list[int]:
        return [counts_of(caller).of(None, unread_only=False) for _ in range(50)]

    for seen in at_once([write, write, write, fold, fold, fold, read, read, ask, ask]):
        assert seen == sorted(seen)
        assert all(100 <= number <= 145 for number in seen)
    check(cast.manager)
    counting.fold()
    check(cast.manager)


@pytest.mark.django_db(transaction=True)
def test_two_who_tell_the_same_manager_do_not_wait_for_each_other() -> None:
    cast = make_cast()
    tell(cast.manager, cast.learner)
    counting.fold()
    with transaction.atomic():
        tell(cast.manager, cast.learner)
        assert at_once([lambda: len(tell(cast.manager, cast.learner)), counting.fold])[0] == 1
    check(cast.manager)


KILLED = """
from django.db import connection, transaction
from notifications import counting

def die(execute, sql, params, many, context):
    execute(sql, params, many, context)
    os.kill(os.getpid(), signal.SIGKILL)

with transaction.atomic(), connection.execute_wrapper(die):
    counting.fold()
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_fold_that_is_killed_has_done_nothing() -> None:
    cast = make_cast()
    give_answers(cast.learner, cast.track, 21)
    before = InboxDelta.objects.count()
    assert run_python(KILLED).returncode == -signal.SIGKILL
    assert InboxDelta.objects.count() == before > 0
    counting.fold()
    check(cast.manager)


def test_the_cost_is_the_same_for_a_long_inbox(cast: Cast) -> None:
    """No plan of it looks into the inbox at all."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {counting.COUNTS}", {"manager_id": uuid4()})
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "manager_notifications" not in plan
