"""From the first release to this one, with data in it, and back, and forth again."""

import pytest

from audit.sealing import seal
from audit.verifying import verify
from certificates.models import Certificate
from certificates.revoking import revoke
from certificates.signing import is_intact
from notifications.models import ManagerNotification
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, give_answers, make_cast, make_track
from tests.management.books import books, columns, lost
from tests.management.scratch import migrate, migrate_to, scratch_database

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# What 0.1.0 left in a database, whoever depends on others first.
FIRST = {
    "notifications": "0001",
    "gamification": "0001",
    "certificates": "0001",
    "tracks": "0001",
    "accounts": "0001",
    "ops": "0001",
    "audit": "0002",
}
# Which tables 0.1.0 used that are gone, and why nobody misses them while it still runs.
GONE = {"feature_catch_ups": "a job's place in its work: the job fails until its worker is replaced"}


def live() -> Cast:
    """What people do in a week: answers, levels, badges, certificates, one of them revoked, and those who are told."""
    cast = make_cast()
    for learner in (cast.learner, cast.colleague):
        complete(learner, cast.track)
        give_answers(learner, make_track(cast.organization), 25)
    revoked = Certificate.objects.get(learner=cast.colleague)
    revoke(revoked.id, "Somebody else sat there.", actor=ACTOR)
    complete(cast.outsider, cast.outside_track)
    return cast


def assert_it_lives(cast: Cast) -> None:
    """What was promised before holds, and what is done now is done on top of it."""
    seal()
    assert verify().said == []
    certificate = Certificate.objects.get(learner=cast.learner, track=cast.track)
    assert is_intact(certificate.credential)
    api = Api()
    signature = certificate.credential.proof_value
    verified = api.get(f"/certificates/{certificate.id}/verify?signature={signature}").body
    assert verified["valid"] is True, verified
    levels = api.get(f"/learners/{cast.learner.id}/levels", by=cast.learner).body
    assert {level["level"] for level in levels["levels"]} == {"novice", "learner"}
    another = make_track(cast.organization)
    complete(cast.learner, another)
    assert Certificate.objects.filter(learner=cast.learner, track=another).count() == 1
    told = ManagerNotification.objects.filter(manager=cast.manager, type="certificate")
    assert told.count() == Certificate.objects.filter(learner=cast.learner).count()


def test_the_release_before_goes_on_writing_beside_the_new_schema() -> None:
    with scratch_database():
        migrate_to(FIRST)
        old = columns()
        migrate()
        new = columns()
    assert {table for table, _ in old} - {table for table, _ in new} == GONE.keys()
    assert {key for key in old.keys() - new.keys() if key[0] not in GONE} == set(), "The old release names them."
    tables = {table for table, _ in old}
    assert [key for key in new.keys() - old.keys() if key[0] in tables and new[key]] == [], "It says nothing for them."
    assert [key for key in old.keys() & new.keys() if new[key] and not old[key]] == []


def test_data_of_the_first_release_is_taken_over_and_can_go_back() -> None:
    with scratch_database():
        migrate()
        cast = live()
        migrate_to(FIRST)
        first = books()
        for table in ("attempts", "certificates", "learner_badges", "manager_notifications", "audit_events"):
            assert first[table], table

        migrate()
        assert lost(first, books()) == {}
        assert_it_lives(cast)

        week_of_the_new_release = books()
        migrate_to(FIRST)
        assert lost(week_of_the_new_release, books()) == {}

        migrate()
        assert_it_lives(cast)
