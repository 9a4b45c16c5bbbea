"""The daily verification in rounds, and who hears of what it finds."""

from datetime import timedelta

import pytest

from audit import gauges, rounds, verifying
from audit.models import (
    Verification,
)
from cerply import clock
from tests.api.client import Api
from tests.audit.evidence import (
    newest,
    record_and_seal,
    tamper,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("others")]


def test_the_job_goes_round_once_a_day(api: Api) -> None:
    assert rounds.state().problems is None
    assert rounds.go_on().startswith("Looked through 3 segments")
    assert rounds.go_on().endswith("is finished.")
    assert rounds.state().problems == 0
    with clock.moved_to(clock.now() + timedelta(days=1)):
        assert rounds.go_on().startswith("Looked through 3 segments")
    assert Verification.objects.count() == 2
    ready = api.get("/health/ready").body
    assert ready["audit"]["problems"] == 0
    assert ready["audit"]["verifiedAt"] is not None


def test_the_job_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    record_and_seal(1)
    record_and_seal(1)
    monkeypatch.setattr(verifying, "MOST_SEGMENTS", 1)
    monkeypatch.setattr(rounds, "LONGEST_RUN", -1)
    while not Verification.objects.exclude(finished_at=None).exists():
        rounds.go_on()
    [whole] = Verification.objects.all()
    assert (whole.segments, whole.events, whole.problems, whole.findings) == (5, 9, 0, [])


def test_the_job_alerts(caplog: pytest.LogCaptureFixture, api: Api) -> None:
    [event] = record_and_seal()
    tamper("DELETE FROM audit_events WHERE id = %s", [event])
    rounds.go_on()
    errors = [line.getMessage() for line in caplog.records if line.levelname == "ERROR"]
    assert errors == [f"the audit does not verify: removed: event {event} of segment {newest()} was removed"]
    assert rounds.state().problems == 1
    assert api.get("/health/ready").body["audit"]["problems"] == 1


def test_metrics_tell_when_it_was_verified_and_what_was_found() -> None:
    assert (list(gauges.verified_age()), list(gauges.holds())) == ([((), float("inf"))], [])
    now = clock.now()
    with clock.moved_to(now):
        rounds.go_on()
    with clock.moved_to(now + timedelta(hours=2)):
        assert (list(gauges.verified_age()), list(gauges.holds())) == ([((), 7200.0)], [((), 1.0)])
    tamper("UPDATE audit_events SET actor_label = 'somebody else'")
    with clock.moved_to(now + timedelta(days=2)):
        rounds.go_on()
        assert list(gauges.holds()) == [((), 0.0)]
