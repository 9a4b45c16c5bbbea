"""What is owed while a feature is off, and the job that settles it."""

import signal
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from audit import kpis
from cerply.accounts import organizations
from cerply.accounts.models import Organization, User
from certificates.models import Certificate, SigningKey
from certificates.revoking import revoke
from gamification import catchup
from gamification.completing import complete_outside
from gamification.models import (
    Attempt,
    Badge,
    BadgeRule,
    Completion,
    LearnerBadge,
    LearnerStanding,
    RuleKind,
)
from gamification.revising import save_badge
from gamification.sharing import share
from notifications.models import ManagerNotification
from ops.features import Feature, set_toggle
from tests.factories import ACTOR, Cast, complete, give_answers, make_cast, make_track, make_user
from tests.processes import run_python


def switch(organization: Organization, on: bool) -> None:
    for feature in Feature:
        set_toggle(feature, organization.id, on, actor=ACTOR, reason="A test.")


def earned(learner: User) -> set[str]:
    return set(LearnerBadge.objects.filter(learner=learner).values_list("badge__slug", flat=True))


def lose_the_key(organization: Organization) -> SigningKey:
    return SigningKey.objects.create(organization=organization, public_key=b"0" * 32, sealed_private_key=b"0" * 60)


def test_one_who_fails_keeps_nobody_waiting_and_stays_owed(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    """An organization whose key nobody can open, and another one; whichever comes first."""
    learners = [(cast.outside, cast.outsider, cast.outside_track), (cast.organization, cast.learner, cast.track)]
    for organization, learner, track in learners:
        switch(organization, on=False)
        complete(learner, track)
    broken = lose_the_key(cast.outside)
    for organization, _, _ in learners:
        switch(organization, on=True)
    for _ in range(2):
        with pytest.raises(catchup.CatchUpFailed, match=str(cast.outsider.id)):
            catchup.resume()
        assert Certificate.objects.get().learner == cast.learner
        assert Completion.objects.owed_a_certificate().get().learner == cast.outsider
        assert LearnerBadge.objects.count() == 2
    assert f"learner {cast.outsider.id} could not be caught up on certificates" in caplog.text
    broken.delete()
    assert catchup.resume() == "Caught up 1 learners."
    assert Certificate.objects.count() == 2
    assert catchup.resume() == "Caught up 0 learners."


def test_a_process_that_still_takes_a_feature_to_be_off_leaves_its_debt(cast: Cast, settings: Settings) -> None:
    """A rolling restart: the worker has caught up already when an old process records."""
    switches = {value: dict.fromkeys(Feature.values, value) for value in (True, False)}
    settings.FEATURE_SWITCHES = switches[False]
    catchup.resume()
    settings.FEATURE_SWITCHES = switches[True]
    catchup.resume()
    settings.FEATURE_SWITCHES = switches[False]
    complete(cast.learner, cast.track)
    for artefact in "abc":
        share(cast.colleague, artefact, client_id=None, occurred_at=None, actor=ACTOR)
    settings.FEATURE_SWITCHES = switches[True]
    catchup.resume()
    assert (earned(cast.learner), earned(cast.colleague)) == ({"first-steps"}, {"knowledge-sharer"})
    assert Certificate.objects.get().learner == cast.learner
    assert not ManagerNotification.objects.exists()


@pytest.mark.parametrize("deed", ["answer", "share", "completion"])
def test_each_deed_leaves_a_debt_and_catching_up_clears_it(cast: Cast, deed: str) -> None:
    switch(cast.organization, on=False)
    if deed == "answer":
        give_answers(cast.learner, cast.track, 1, correct=False)
    elif deed == "share":
        share(cast.learner, "a", client_id=None, occurred_at=None, actor=ACTOR)
    else:
        complete_outside(cast.learner, cast.track, actor=ACTOR)
    assert LearnerStanding.objects.owed_badges().count() == 1
    catchup.resume()
    assert LearnerStanding.objects.owed_badges().count() == 1
    switch(cast.organization, on=True)
    catchup.resume()
    assert not LearnerStanding.objects.owed_badges().exists()
    give_answers(cast.learner, cast.track, 1)
    assert not LearnerStanding.objects.owed_badges().exists()


def test_one_badge_alone_leaves_the_others_owed(cast: Cast) -> None:
    switch(cast.organization, on=False)
    give_answers(cast.learner, cast.track, 20)
    switch(cast.organization, on=True)
    catchup.award_missing(cast.learner, actor=ACTOR, slugs=["first-steps"])
    assert LearnerStanding.objects.owed_badges().exists()
    catchup.resume()
    assert earned(cast.learner) == {"first-steps", "perfectionist"}


def test_rows_of_before_the_column_are_looked_at_once(cast: Cast) -> None:
    """An older process makes a row without saying whether anything is owed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO learner_standings (learner_id, organization_id, sequence, correct_answers, streak, shares,"
            " tracks_completed, speed_runs) VALUES (%s, %s, 0, 0, 0, 0, 0, '{}')",
            [cast.learner.id, cast.organization.id],
        )
    assert catchup.resume() == "Caught up 1 learners."
    assert catchup.resume() == "Caught up 0 learners."


def test_a_closed_organization_is_owed_until_it_is_open_again(cast: Cast) -> None:
    switch(cast.organization, on=False)
    complete(cast.learner, cast.track)
    organizations.close_organization(cast.organization, actor=ACTOR, reason="A test.")
    catchup.resume()
    assert not Certificate.objects.exists()
    organizations.reopen_organization(cast.organization, actor=ACTOR, reason="A test.")
    catchup.resume()
    assert Certificate.objects.count() == 1


def test_when_time_is_up_the_next_run_goes_on(cast: Cast) -> None:
    switch(cast.organization, on=False)
    for learner in (cast.learner, cast.colleague, cast.manager):
        give_answers(learner, cast.track, 1)
    switch(cast.organization, on=True)
    for caught_up in (1, 2, 3):
        said = catchup.resume(budget=timedelta(0))
        assert said == "Caught up 1 learners. Time is up, the next run goes on."
        assert LearnerBadge.objects.count() == caught_up
    assert catchup.resume(budget=timedelta(0)) == "Caught up 0 learners."


# -- between switching on and the job --


def test_what_was_earned_while_off_is_left_to_catching_up(cast: Cast) -> None:
    """Each kind of badge is met while off; then something else is recorded before the job comes."""
    save_badge(
        Badge(slug="daily", name="Daily", description="Daily.", icon="d"),
        BadgeRule(kind=RuleKind.DAILY_STREAK, count=1),
        actor=ACTOR,
    )
    single = make_track(cast.organization, items=1)
    switch(cast.organization, on=False)
    give_answers(cast.learner, cast.track, 201, response_ms=10)
    for artefact in "abc":
        share(cast.learner, artefact, client_id=None, occurred_at=None, actor=ACTOR)
    for track in [make_track(cast.organization, items=1) for _ in range(5)]:
        complete_outside(cast.learner, track, actor=ACTOR)
    switch(cast.organization, on=True)
    assert give_answers(cast.learner, single, 1, response_ms=10).badges == []
    share(cast.learner, "d", client_id=None, occurred_at=None, actor=ACTOR)
    complete_outside(cast.learner, make_track(cast.organization, items=1), actor=ACTOR)
    assert earned(cast.learner) == set()
    catchup.resume()
    badges = {row.badge.slug: row for row in LearnerBadge.objects.select_related("badge")}
    assert len(badges) == 7
    sequences = {str(row.id): row.sequence for row in Attempt.objects.all()}
    by_answers = {slug: sequences.get(row.evidence.get("attemptId")) for slug, row in badges.items()}
    assert by_answers == {
        "first-steps": 1,
        "daily": 1,
        "speed-demon": 10,
        "perfectionist": 20,
        "track-master": 201,
        "knowledge-sharer": None,
        "lifelong-learner": None,
    }
    assert badges["knowledge-sharer"].evidence["artefactId"] == "c"
    fifth = Completion.objects.order_by("completed_at", "id")[4]
    assert badges["lifelong-learner"].evidence["completionId"] == str(fifth.id)
    assert not ManagerNotification.objects.filter(type="badge").exists()


def test_what_is_earned_before_the_job_comes_is_awarded_at_once(cast: Cast) -> None:
    switch(cast.organization, on=False)
    give_answers(cast.learner, cast.track, 19)
    switch(cast.organization, on=True)
    [award] = give_answers(cast.learner, cast.track, 1).badges
    assert award.badge.slug == "perfectionist"
    assert ManagerNotification.objects.filter(type="badge").count() == 1
    catchup.resume()
    assert earned(cast.learner) == {"first-steps", "perfectionist"}


# -- killed --


KILLED_IN_THE_MIDDLE = """
from gamification import catchup
write_awards, written = catchup.write_awards, []
def write_and_die(awards, *, actor):
    badges = write_awards(awards, actor=actor)
    written.append(badges)
    if len(written) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return badges
catchup.write_awards = write_and_die
catchup.resume()
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_of_a_learner_the_next_run_goes_on() -> None:
    cast = make_cast()
    switch(cast.organization, on=False)
    for learner in [make_user(cast.organization) for _ in range(9)]:
        complete(learner, cast.track)
    switch(cast.organization, on=True)
    assert run_python(KILLED_IN_THE_MIDDLE).returncode == -signal.SIGKILL
    assert LearnerBadge.objects.count() == 4
    assert LearnerStanding.objects.owed_badges().count() == 5
    catchup.resume()
    assert (LearnerBadge.objects.count(), Certificate.objects.count()) == (9, 9)
    assert kpis.totals()["badges_awarded"] == kpis.totals()["certificates_issued"] == 9
    assert not Completion.objects.owed_a_certificate().exists()


def test_what_was_owed_does_not_bring_back_what_was_revoked(cast: Cast) -> None:
    """Completed while certificates were off, and again once they are on, before the job comes."""
    set_toggle(Feature.CERTIFICATES, cast.organization.id, False, actor=ACTOR, reason="Off.")
    assert complete(cast.learner, cast.track).certificates == []
    set_toggle(Feature.CERTIFICATES, cast.organization.id, True, actor=ACTOR, reason="On.")
    [certificate] = complete(cast.learner, cast.track).certificates
    assert not Completion.objects.owed_a_certificate().exists()
    assert set(Completion.objects.values_list("certificate", flat=True)) == {certificate.id}
    revoke(certificate.id, "Issued by mistake.", actor=ACTOR)
    catchup.resume()
    assert Certificate.objects.count() == 1
