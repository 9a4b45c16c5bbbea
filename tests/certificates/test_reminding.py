"""Reminders that a certificate ends: to learner and managers, once each."""

import signal
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from pytest_django import Settings

from cerply import clock
from cerply.accounts.organizations import close_organization
from cerply.tracks.models import Track
from certificates.models import Certificate, ExpiryReminder
from certificates.reminding import NotMailed, mail_owed, remind
from certificates.replacing import replace
from certificates.revoking import revoke
from certificates.suspending import reinstate, suspend
from notifications.models import ManagerNotification
from ops.features import Feature, set_toggle
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, make_cast, make_track, make_user
from tests.processes import run_python
from tests.threads import at_once

END = datetime(2027, 6, 30, 12, tzinfo=UTC)


@pytest.fixture
def track(cast: Cast) -> Track:
    return make_track(cast.organization, items=1, title="First Aid", valid_months=12)


@pytest.fixture
def certificate(cast: Cast, track: Track) -> Certificate:
    """Ends at `END`."""
    with clock.moved_to(datetime(2026, 6, 30, 12, tzinfo=UTC)):
        return complete(cast.learner, track).certificates[0]


def run(days_before: float) -> None:
    with clock.moved_to(END - timedelta(days=days_before)):
        remind()


def told() -> list[int]:
    """How many days were left, as the manager heard it."""
    rows = ManagerNotification.objects.filter(type="expiring").order_by("sent_at")
    return [row.content["daysLeft"] for row in rows]


def mailed() -> int:
    return len(mail.outbox)


def test_learner_and_manager_hear_of_it_at_each_step_once(api: Api, cast: Cast, certificate: Certificate) -> None:
    for half_days in range(130, -3, -1):
        run(half_days / 2)
    assert told() == [60, 30, 7]
    assert mailed() == 3
    rows = api.get("/manager/notifications?type=expiring", by=cast.manager).body["notifications"]
    assert rows[0]["content"] == {
        "learnerName": "Maya Lindqvist",
        "certificateId": str(certificate.id),
        "trackId": str(certificate.track_id),
        "trackTitle": "First Aid",
        "expiresAt": "2027-06-30T12:00:00.000000Z",
        "daysLeft": 7,
    }
    message = mail.outbox[0]
    assert (message.to, message.subject) == ([cast.learner.email], "Your certificate “First Aid” ends on 2027-06-30")
    assert "in 60 days" in message.body
    assert certificate.printed_url in message.body


@pytest.mark.parametrize(("days", "steps"), [(60.1, []), (60, [60]), (45, [60]), (20, [30]), (7, [7]), (0.5, [7])])
def test_a_late_job_sends_the_nearest_step_alone(certificate: Certificate, days: float, steps: list[int]) -> None:
    run(days)
    run(days)
    assert list(ExpiryReminder.objects.values_list("days", flat=True)) == steps
    assert (len(told()), mailed()) == (len(steps), len(steps))


def test_after_the_end_nothing_is_said(certificate: Certificate) -> None:
    run(0)
    run(-1)
    assert (told(), mailed()) == ([], 0)


@pytest.mark.parametrize("what", ["revoke", "suspend", "renew", "leave", "close", "switch"])
def test_nothing_of_what_does_not_matter_any_more(
    cast: Cast, track: Track, certificate: Certificate, what: str
) -> None:
    with clock.moved_to(END - timedelta(days=80)):
        match what:
            case "revoke":
                revoke(certificate.id, "x", actor=ACTOR)
            case "suspend":
                suspend(certificate.id, "x", actor=ACTOR)
            case "renew":
                assert complete(cast.learner, track).certificates
            case "leave":
                cast.learner.is_active = False
                cast.learner.save()
            case "close":
                close_organization(cast.organization, actor=ACTOR, reason="x")
            case "switch":
                set_toggle(Feature.CERTIFICATES, cast.organization.id, False, actor=ACTOR, reason="x")
    run(50)
    assert (told(), mailed(), ExpiryReminder.objects.count()) == ([], 0, 0)


def test_what_comes_back_is_reminded_of_at_the_nearest_step(cast: Cast, certificate: Certificate) -> None:
    suspend(certificate.id, "x", actor=ACTOR)
    run(60)
    reinstate(certificate.id, "x", actor=ACTOR)
    run(10)
    assert told() == [10]


def test_a_replacement_does_not_remind_again(cast: Cast, certificate: Certificate) -> None:
    run(60)
    with clock.moved_to(END - timedelta(days=50)):
        replace(certificate.id, "x", learner_name="Maja", actor=ACTOR)
    run(49)
    assert told() == [60]
    run(30)
    assert told() == [60, 30]
    assert "Hello" in mail.outbox[1].body


def test_a_certificate_that_never_had_so_many_days_left(cast: Cast, track: Track) -> None:
    track.valid_months = 1
    track.save()
    with clock.moved_to(datetime(2027, 5, 31, 12, tzinfo=UTC)):
        [certificate] = complete(cast.learner, track).certificates
    assert certificate.expires_at == END
    for days in (29, 20, 8, 7, 6):
        run(days)
    assert told() == [7]


def test_with_the_inbox_off_the_learner_is_told_alone(cast: Cast, certificate: Certificate) -> None:
    set_toggle(Feature.MANAGER_NOTIFICATIONS, cast.organization.id, False, actor=ACTOR, reason="x")
    run(60)
    assert (told(), mailed()) == ([], 1)


def test_many_more_than_a_batch(cast: Cast, track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("certificates.reminding.BATCH", 2)
    with clock.moved_to(END - timedelta(days=365)):
        for _ in range(5):
            complete(make_user(cast.organization), track)
    run(59)
    assert (ExpiryReminder.objects.count(), mailed()) == (5, 5)


# -- what is owed --


class Refusing(EmailBackend):
    """A mail server that does not take mail for everybody."""

    def send_messages(self, messages: list[mail.EmailMessage]) -> int:  # type: ignore[override]
        if any("refused" in message.to[0] for message in messages):
            raise OSError("450 try again later")
        return int(super().send_messages(messages))


@pytest.fixture
def refusing(settings: Settings) -> None:
    settings.MAILERS = {"default": {"BACKEND": f"{__name__}.Refusing"}}


@pytest.mark.usefixtures("refusing")
def test_a_mail_that_is_refused_stays_owed_and_keeps_nobody_waiting(cast: Cast, track: Track) -> None:
    cast.learner.email = "refused@example.com"
    cast.learner.save()
    with clock.moved_to(END - timedelta(days=365)):
        complete(cast.learner, track)
        complete(cast.colleague, track)
    with pytest.raises(NotMailed, match="Mailed 1 learners; could not mail 1"):
        run(60)
    assert told() == [60]
    cast.learner.email = "taken@example.com"
    cast.learner.save()
    run(59)
    assert [message.to[0] for message in mail.outbox] == [cast.colleague.email, "taken@example.com"]
    assert "in 59 days" in mail.outbox[1].body
    assert not ExpiryReminder.objects.owed_a_mail().exists()


def test_owed_mails_of_two_steps_are_one_mail(certificate: Certificate) -> None:
    for days in (60, 30):
        ExpiryReminder.objects.create(organization_id=certificate.organization_id, certificate=certificate, days=days)
    with clock.moved_to(END - timedelta(days=20)):
        assert mail_owed() == 1
    assert not ExpiryReminder.objects.owed_a_mail().exists()


def test_what_has_ended_meanwhile_is_not_mailed(certificate: Certificate) -> None:
    ExpiryReminder.objects.create(organization_id=certificate.organization_id, certificate=certificate, days=7)
    with clock.moved_to(END + timedelta(days=1)):
        assert mail_owed() == 0
    assert mailed() == 0


KILLED_BEFORE_THE_MAILS = """
from certificates import reminding
from cerply import clock
from datetime import datetime
def die():
    os.kill(os.getpid(), signal.SIGKILL)
reminding.mail_owed = die
with clock.moved_to(datetime.fromisoformat("{moment}")):
    reminding.remind()
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_between_the_rows_and_the_mails_it_owes_them_still() -> None:
    cast = make_cast()
    track = make_track(cast.organization, items=1, valid_months=12)
    with clock.moved_to(datetime(2026, 6, 30, 12, tzinfo=UTC)):
        complete(cast.learner, track)
    moment = END - timedelta(days=60)
    assert run_python(KILLED_BEFORE_THE_MAILS.format(moment=moment.isoformat())).returncode == -signal.SIGKILL
    assert (told(), mailed(), ExpiryReminder.objects.owed_a_mail().count()) == ([60], 0, 1)
    run(59)
    run(58)
    assert (told(), mailed()) == ([60], 1)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_run_by_many_at_once_each_is_told_once() -> None:
    cast = make_cast()
    track = make_track(cast.organization, items=1, valid_months=12)
    with clock.moved_to(datetime(2026, 6, 30, 12, tzinfo=UTC)):
        for learner in (cast.learner, cast.colleague):
            complete(learner, track)

    def late() -> None:
        run(60)
        connection.close()

    at_once([late] * 5)
    assert (ExpiryReminder.objects.count(), told(), mailed()) == (2, [60], 2)
