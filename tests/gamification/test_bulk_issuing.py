"""Everyone in a team or an organization who completed a track gets her certificate, whatever happens meanwhile."""

import signal
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command

from audit import kpis
from audit.models import AuditEvent
from cerply import clock
from cerply.accounts.models import User
from cerply.accounts.organizations import close_organization
from cerply.errors import Conflict
from cerply.permissions import Actor
from cerply.tracks.models import Track
from certificates.models import Certificate, Credential, Source, StatusSlot
from certificates.revoking import revoke
from certificates.suspending import suspend
from gamification import bulk_issuing
from gamification.bulk_issuing import Circle, ask_for, count_due, issue_to_all, resume
from gamification.models import BulkIssue, Completion
from notifications.models import ManagerNotification
from ops.features import Feature, set_toggle
from tests.factories import ACTOR, Cast, complete, make_cast, make_staff, make_team, make_track, make_user
from tests.processes import run_python
from tests.threads import at_once


def issue_certificates(**options: Any) -> str:
    out = StringIO()
    given = {name: str(value) if isinstance(value, UUID) else value for name, value in options.items()}
    call_command("issue_certificates", stdout=out, **given)
    return out.getvalue().strip()


def have_completed(track: Track, *learners: User) -> None:
    """Without a certificate for it, as from before there were any."""
    Completion.objects.bulk_create(
        Completion(organization_id=learner.member_of, learner=learner, track=track, cycle=1, source=Source.SYSTEM)
        for learner in learners
    )


def check_books(learners: int) -> None:
    """One certificate each, and everything else that counts certificates says the same number."""
    assert Certificate.objects.count() == learners
    assert Certificate.objects.values("learner", "track").distinct().count() == learners
    assert Credential.objects.count() == StatusSlot.objects.count() == learners
    assert AuditEvent.objects.filter(type="certificate_issued").count() == learners
    assert AuditEvent.objects.filter(type="certificate_issued").values("subject_id").distinct().count() == learners
    assert kpis.totals()["certificates_issued"] == learners
    for completion in Completion.objects.select_related("certificate"):
        assert completion.certificate is not None
        assert completion.certificate.learner_id == completion.learner_id


@pytest.fixture
def learners(cast: Cast) -> list[User]:
    made = [make_user(cast.organization) for _ in range(5)]
    have_completed(cast.track, *made)
    return made


def test_everyone_in_the_organization(cast: Cast, learners: list[User]) -> None:
    complete(cast.learner, cast.track)
    assert issue_certificates(organization=cast.organization.id, track=cast.track.id).startswith(
        "Issued 5 certificates"
    )
    check_books(6)
    assert Certificate.objects.get(learner=learners[0]).source == Source.SYSTEM
    assert ManagerNotification.objects.count() == 1 + ManagerNotification.objects.exclude(type="certificate").count()
    again = issue_certificates(organization=cast.organization.id, track=cast.track.id)
    assert again == "Issued 0 certificates of “Fire Safety Fundamentals”."


def test_everyone_in_the_team_alone(cast: Cast, learners: list[User]) -> None:
    team = make_team(cast.organization, learners[:2], [cast.manager])
    have_completed(cast.track, cast.manager)
    assert issue_certificates(team=team.id, track=cast.track.id).startswith("Issued 2 certificates")
    assert set(Certificate.objects.values_list("learner", flat=True)) == {learner.id for learner in learners[:2]}


def test_a_dry_run_says_how_many_and_issues_none(cast: Cast, learners: list[User]) -> None:
    said = issue_certificates(organization=cast.organization.id, track=cast.track.id, dry_run=True)
    assert said == "Would issue 5 certificates of “Fire Safety Fundamentals”."
    assert not Certificate.objects.exists()


def test_what_was_completed_while_certificates_were_off(cast: Cast) -> None:
    track = make_track(cast.organization, items=1, valid_months=12)
    set_toggle(Feature.CERTIFICATES, cast.organization.id, False, actor=ACTOR, reason="x")
    complete(cast.learner, track, source=Source.SYSTEM)
    with pytest.raises(CommandError, match="Certificates are off for Nordlys Energy"):
        issue_certificates(organization=cast.organization.id, track=track.id)
    set_toggle(Feature.CERTIFICATES, cast.organization.id, True, actor=ACTOR, reason="x")
    assert issue_certificates(organization=cast.organization.id, track=track.id).startswith("Issued 1 ")
    assert not Completion.objects.owed_a_certificate().exists()


def test_who_holds_one_gets_no_other(cast: Cast) -> None:
    [valid] = complete(cast.learner, cast.track).certificates
    [suspended] = complete(cast.colleague, cast.track).certificates
    suspend(suspended.id, "x", actor=ACTOR)
    assert count_due(Circle(cast.organization.id, cast.track)) == 0
    assert issue_certificates(organization=cast.organization.id, track=cast.track.id).startswith("Issued 0 ")
    # An expired one is renewed by completing the track again, not by this.
    Certificate.objects.filter(id=valid.id).update(issued_at=clock.now().replace(year=2020), expires_at=clock.now())
    assert issue_certificates(organization=cast.organization.id, track=cast.track.id).startswith("Issued 0 ")


def test_what_was_revoked_comes_back_only_when_that_is_said(cast: Cast) -> None:
    [revoked] = complete(cast.learner, cast.track).certificates
    revoke(revoked.id, "The wrong row was chosen.", actor=ACTOR)
    assert issue_certificates(organization=cast.organization.id, track=cast.track.id).startswith("Issued 0 ")
    said = issue_certificates(organization=cast.organization.id, track=cast.track.id, also_revoked=True)
    assert said.startswith("Issued 1 ")
    assert Completion.objects.get().certificate == Certificate.objects.standing().get()


def test_what_is_not_there_is_named(cast: Cast) -> None:
    organization, track = cast.organization.id, cast.track.id
    for options, said in (
        ({"organization": uuid4(), "track": track}, "There is no organization"),
        ({"organization": "nonsense", "track": track}, "There is no organization 'nonsense'"),
        ({"team": uuid4(), "track": track}, "There is no team"),
        ({"organization": organization, "track": uuid4()}, "There is no track"),
        ({"organization": organization, "track": cast.outside_track.id}, "another organization's"),
    ):
        with pytest.raises(CommandError, match=said):
            issue_certificates(**options)
    for arguments in ({}, {"organization": organization, "team": cast.team.id}):
        with pytest.raises((CommandError, SystemExit, TypeError)):
            issue_certificates(**arguments, track=track)
    close_organization(cast.organization, actor=ACTOR, reason="x")
    with pytest.raises(CommandError, match="is closed"):
        issue_certificates(organization=organization, track=track)


def test_a_shared_track(cast: Cast) -> None:
    shared = make_track(None, items=1)
    have_completed(shared, cast.learner, cast.outsider)
    assert issue_certificates(organization=cast.organization.id, track=shared.id).startswith("Issued 1 ")
    assert Certificate.objects.get().learner == cast.learner


# -- interrupted, and many at once --

KILLED_AFTER_TWO_BATCHES = """
from django.core.management import call_command
from gamification import bulk_issuing
from gamification.management.commands import issue_certificates
bulk_issuing.BATCH = 4
def die(self, done, total):
    if done == 8:
        os.kill(os.getpid(), signal.SIGKILL)
issue_certificates.Command.show_progress = die
call_command("issue_certificates", organization="{organization}", track="{track}")
"""
KILLED_INSIDE_THE_THIRD = """
from gamification import bulk_issuing, completing
bulk_issuing.BATCH = 4
issue, calls = completing.issue, []
def die(achievements, *, actor):
    issued = issue(achievements, actor=actor)
    calls.append(issued)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return issued
completing.issue = die
bulk_issuing.resume()
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_it_goes_on_where_it_was() -> None:
    cast = make_cast()
    have_completed(cast.track, *[make_user(cast.organization) for _ in range(30)])
    code = KILLED_AFTER_TWO_BATCHES.format(organization=cast.organization.id, track=cast.track.id)
    assert run_python(code).returncode == -signal.SIGKILL
    assert Certificate.objects.count() == 8
    assert issue_certificates(organization=cast.organization.id, track=cast.track.id).startswith("Issued 22 ")
    check_books(30)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_inside_a_batch_the_worker_goes_on_and_counts_right() -> None:
    cast = make_cast()
    have_completed(cast.track, *[make_user(cast.organization) for _ in range(30)])
    staff = make_staff().caller().actor
    asked = ask_for(Circle(cast.organization.id, cast.track), total=30, actor=staff)
    assert run_python(KILLED_INSIDE_THE_THIRD).returncode == -signal.SIGKILL
    asked.refresh_from_db()
    assert (Certificate.objects.count(), asked.issued, asked.finished_at) == (8, 8, None)
    at_once([resume] * 3)
    asked.refresh_from_db()
    assert asked.issued == 30
    assert asked.finished_at is not None
    check_books(30)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_run_by_many_at_once_beside_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_issuing, "BATCH", 5)
    cast = make_cast()
    learners = [make_user(cast.organization) for _ in range(20)]
    have_completed(cast.track, *learners[:16])
    circle = Circle(cast.organization.id, cast.track)

    def run() -> None:
        for _ in issue_to_all(circle, actor=ACTOR):
            pass

    answering = [lambda learner=learner: complete(learner, cast.track) for learner in learners[16:]]
    at_once([*[run] * 4, *answering])
    check_books(20)


# -- asked for in the admin --


def asked_for(cast: Cast, **fields: Any) -> BulkIssue:
    actor: Actor = make_staff(email=f"{uuid4()}@cerply.example").caller().actor
    circle = Circle(cast.organization.id, cast.track, **fields)
    return ask_for(circle, total=count_due(circle), actor=actor)


def test_the_worker_issues_what_was_asked_for(cast: Cast, learners: list[User]) -> None:
    asked = asked_for(cast)
    assert asked.total == 5
    assert resume() == "Issued 5 certificates in bulk."
    asked.refresh_from_db()
    assert (asked.issued, asked.finished_at is None) == (5, False)
    check_books(5)
    assert AuditEvent.objects.filter(type="certificate_issued", actor_id=asked.asked_by).count() == 5
    assert resume() == "Issued 0 certificates in bulk."


def test_it_takes_a_breath(cast: Cast, learners: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_issuing, "BATCH", 1)
    monkeypatch.setattr(bulk_issuing, "MOST_BATCHES", 3)
    asked_for(cast)
    assert resume() == "Issued 3 certificates in bulk, and goes on."
    assert resume() == "Issued 2 certificates in bulk."
    check_books(5)


def test_switched_off_meanwhile_it_waits(cast: Cast, learners: list[User]) -> None:
    asked = asked_for(cast)
    set_toggle(Feature.CERTIFICATES, cast.organization.id, False, actor=ACTOR, reason="x")
    resume()
    asked.refresh_from_db()
    assert (Certificate.objects.count(), asked.finished_at) == (0, None)
    with pytest.raises(Conflict, match="Certificates are off"):
        asked_for(cast)
    set_toggle(Feature.CERTIFICATES, cast.organization.id, True, actor=ACTOR, reason="x")
    resume()
    check_books(5)


def test_a_team_that_is_gone_has_nobody(cast: Cast, learners: list[User]) -> None:
    team = make_team(cast.organization, learners, [])
    asked = asked_for(cast, team_id=team.id)
    team.delete()
    resume()
    asked.refresh_from_db()
    assert (Certificate.objects.count(), asked.finished_at is None) == (0, False)
