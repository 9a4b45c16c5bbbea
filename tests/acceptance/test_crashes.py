"""Processes are killed at random while clients write; afterwards the books agree.

On a service of its own, so that its database can be looked into.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from threading import Event
from urllib.error import URLError
from uuid import uuid4

import psycopg
import pytest

from cerply.management.processes import children_of
from tests.acceptance.client import FIRE, Service
from tests.acceptance.conftest import RunningDemo

pytestmark = pytest.mark.slow

# A part that dies three times within a minute would stop the demo, as it should.
KILLS = (b"cerply.wsgi:application", b"qcluster") * 2
WRITERS = 4
LEARNERS = 8

# Each finds rows of one book that another does not have.
BOOKS = {
    "levels and attempts": """
        SELECT learner_id, track_id FROM learner_levels
          FULL JOIN (SELECT learner_id, items.track_id, count(*) AS answers, sum(credit) AS credit
                       FROM attempts JOIN items ON items.id = item_id GROUP BY 1, 2) AS counted
               USING (learner_id, track_id)
         WHERE learner_levels.answers <> 0
           AND (learner_levels.answers, learner_levels.credit) IS DISTINCT FROM (counted.answers, counted.credit)
    """,
    "the order of arrival": """
        SELECT learner_id FROM attempts GROUP BY learner_id HAVING max(sequence) <> count(*)
    """,
    "standings and attempts": """
        SELECT standing.learner_id FROM learner_standings AS standing
          LEFT JOIN (SELECT learner_id, count(*) AS answers, count(*) FILTER (WHERE credit = 1) AS correct
                       FROM attempts GROUP BY 1) AS counted USING (learner_id)
         WHERE (sequence, correct_answers) IS DISTINCT FROM (coalesce(answers, 0), coalesce(correct, 0))
    """,
    "badges and the audit": """
        SELECT id FROM learner_badges
          FULL JOIN (SELECT (metadata->>'learnerBadgeId')::uuid AS id FROM audit_events WHERE type = 'badge_awarded')
               AS audited USING (id)
         WHERE learner_badges.learner_id IS NULL OR audited.id IS NULL
    """,
    "certificates and the audit": """
        SELECT certificates.id FROM certificates
          FULL JOIN (SELECT subject_id FROM audit_events WHERE type = 'certificate_issued') AS audited
               ON audited.subject_id = certificates.id
         WHERE certificates.id IS NULL OR subject_id IS NULL
    """,
    "certificates and completions": """
        SELECT certificate_id FROM completions LEFT JOIN certificates ON certificates.id = certificate_id
         WHERE certificate_due OR certificates.id IS NULL
    """,
    "badges and notifications": """
        SELECT learner_badges.id FROM learner_badges
          JOIN team_members AS membership
               ON membership.user_id = learner_badges.learner_id AND membership.role = 'member'
          JOIN team_members AS managing ON managing.team_id = membership.team_id AND managing.role = 'manager'
          LEFT JOIN manager_notifications AS told
               ON told.manager_id = managing.user_id AND told.cause_id = learner_badges.id
         WHERE told.id IS NULL AND managing.user_id <> learner_badges.learner_id
           AND learner_badges.learner_id = ANY(%(learners)s)
    """,
    "KPIs and the audit": """
        WITH counted AS (
            SELECT kpi, sum(amount) AS amount
              FROM (SELECT kpi, amount FROM kpi_totals UNION ALL SELECT kpi, amount FROM kpi_deltas) AS amounts
             GROUP BY kpi
        ), audited AS (
            SELECT CASE type WHEN 'badge_awarded' THEN 'badges_awarded' WHEN 'level_changed' THEN 'levels_changed'
                             WHEN 'certificate_issued' THEN 'certificates_issued' END AS kpi, count(*) AS amount
              FROM audit_events WHERE type IN ('badge_awarded', 'level_changed', 'certificate_issued') GROUP BY type
        )
        SELECT kpi FROM audited LEFT JOIN counted USING (kpi) WHERE audited.amount IS DISTINCT FROM counted.amount
    """,
}


@pytest.fixture
def demo_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    running = RunningDemo(tmp_path_factory.mktemp("crash"))
    yield running
    running.stop()


def write(service: Service, learners: list[str], items: list[str], stop: Event, seed: int) -> tuple[set[str], set[str]]:
    """Client ids that were answered 201, and all that were sent. What is not answered is sent again."""
    choice = random.Random(seed)
    answered: set[str] = set()
    sent: set[str] = set()
    waiting: list[dict[str, object]] = []
    while not stop.is_set() or waiting:
        if not waiting:
            waiting = [
                {
                    "id": str(uuid4()),
                    "learnerId": choice.choice(learners),
                    "trackId": FIRE,
                    "itemId": choice.choice(items),
                    "correct": choice.random() < 0.9,
                    "responseMs": choice.randrange(100, 9000),
                }
                for _ in range(choice.randrange(1, 8))
            ]
            sent |= {str(row["id"]) for row in waiting}
        with suppress(URLError, OSError, HTTPException):
            answer = service.post("/attempts", {"attempts": waiting})
            if answer.status == 201:
                answered |= {str(row["id"]) for row in waiting}
                waiting = []
            else:
                assert answer.status in {500, 502, 503}, answer
    return answered, sent


def descendants(pid: int) -> Iterator[int]:
    for child in children_of(pid):
        yield child
        yield from descendants(child)


def command_of(pid: int) -> list[bytes]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return []


def kill_one(demo: RunningDemo, part: bytes, choice: random.Random) -> None:
    """The part's main process, or one of those that it has forked."""
    victims = [pid for pid in descendants(demo.process.pid) if part in command_of(pid)]
    victims = [pid for pid in victims if b"cerply.management.guard" not in command_of(pid)]
    with suppress(ProcessLookupError):
        os.kill(choice.choice(sorted(victims)), signal.SIGKILL)


def test_after_random_kills_the_books_agree(demo_of_its_own: RunningDemo) -> None:
    demo, service = demo_of_its_own, Service(demo_of_its_own.url)
    learners = [service.new_learner() for _ in range(LEARNERS)]
    items = service.items(FIRE)
    choice, stop = random.Random(7), Event()
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write, service, learners, items, stop, seed) for seed in range(WRITERS)]
        try:
            for part in KILLS:
                kill_one(demo, part, choice)
                deadline = time.monotonic() + 30
                # Several answers in a row: each worker is back.
                while not all(demo.is_ready() for _ in range(4)):
                    assert time.monotonic() < deadline, "It does not come back."
                    assert demo.process.poll() is None, (demo.folder / "output.log").read_text()
        finally:
            stop.set()
        outcomes = [writer.result() for writer in writers]
    answered, sent = (set[str]().union(*parts) for parts in zip(*outcomes, strict=True))
    assert answered == sent
    with psycopg.connect(host=socket_folder(demo), user="postgres", dbname="cerply") as database:
        stored = {str(row[0]) for row in database.execute("SELECT client_id FROM attempts WHERE client_id IS NOT NULL")}
        assert stored == answered
        differences = {
            name: database.execute(query, {"learners": learners}).fetchall()[:5] for name, query in BOOKS.items()
        }
    assert differences == dict.fromkeys(BOOKS, [])


def socket_folder(demo: RunningDemo) -> str:
    """As the server's own command line says."""
    words = (word for pid in descendants(demo.process.pid) for word in command_of(pid))
    return next(word.partition(b"=")[2].decode() for word in words if word.startswith(b"unix_socket_directories="))
