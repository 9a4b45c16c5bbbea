"""Completing tracks: cycles, certificates, and completions from outside."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from cerply.tracks.editing import change_track
from cerply.tracks.models import CertifiesFrom, Item
from certificates.models import Certificate, Source
from gamification.models import Completion, LearnerStanding
from gamification.progress import record
from notifications.models import ManagerNotification
from tests.api.client import Api
from tests.factories import ACTOR, Cast, complete, make_answer, make_track


def test_the_last_item_issues_the_certificate(api: Api, cast: Cast) -> None:
    items = list(cast.track.items.all())
    row = {"trackId": str(cast.track.id), "correct": True}
    bodies = [api.post("/attempts", row | {"itemId": str(item.id)}, by=cast.learner).body for item in items]
    assert [len(body["certificates"]) for body in bodies] == [0, 0, 0, 1]
    issued = bodies[-1]["certificates"][0]
    stored = Certificate.objects.get()
    assert (issued["id"], issued["trackTitle"]) == (str(stored.id), "Fire Safety Fundamentals")
    assert (stored.source, stored.learner_name) == (Source.SELF, "Maya Lindqvist")
    assert ManagerNotification.objects.filter(manager=cast.manager, type="certificate").count() == 1
    assert AuditEvent.objects.filter(type="certificate_issued", subject_id=stored.id).count() == 1


def test_a_wrong_answer_completes_nothing(cast: Cast) -> None:
    assert complete(cast.learner, cast.track, correct=False).certificates == []


def test_a_valid_certificate_is_not_issued_twice(cast: Cast) -> None:
    assert len(complete(cast.learner, cast.track).certificates) == 1
    assert complete(cast.learner, cast.track).certificates == []
    assert Completion.objects.count() == 2
    assert Certificate.objects.count() == 1


def test_a_revoked_certificate_does_not_come_back_with_the_next_answer(cast: Cast) -> None:
    complete(cast.learner, cast.track)
    Certificate.objects.update(revoked_at=timezone.now(), revocation_reason="A mistake.")
    first, *others = cast.track.items.all()
    assert record([make_answer(cast.learner, first)], actor=ACTOR).certificates == []
    assert len(record([make_answer(cast.learner, item) for item in others], actor=ACTOR).certificates) == 1


def test_cycles_within_one_batch(cast: Cast) -> None:
    outcome = record([make_answer(cast.learner, item) for item in cast.track.items.all()] * 3, actor=ACTOR)
    assert len(outcome.certificates) == 1
    assert list(Completion.objects.order_by("cycle").values_list("cycle", flat=True)) == [1, 2, 3]
    assert LearnerStanding.objects.get().tracks_completed == 1


def test_retiring_an_item_completes_nobody_by_itself(cast: Cast) -> None:
    *answered, last = cast.track.items.all()
    record([make_answer(cast.learner, item) for item in answered], actor=ACTOR)
    Item.objects.filter(id=last.id).update(retired_at=timezone.now())
    assert not Certificate.objects.exists()
    assert len(record([make_answer(cast.learner, answered[0])], actor=ACTOR).certificates) == 1


def test_answers_to_a_retired_item_count_for_levels_alone(cast: Cast) -> None:
    single = make_track(cast.organization, items=1)
    single.items.update(retired_at=timezone.now())
    assert complete(cast.learner, single).certificates == []
    assert LearnerStanding.objects.get().correct_answers == 1


def test_own_answers_and_the_systems_mixed(cast: Cast) -> None:
    """A track that takes any answer says `system` only when the systems vouch for each item."""
    first, *others = cast.track.items.all()
    answers = [make_answer(cast.learner, first, source=Source.SELF)]
    answers += [make_answer(cast.learner, item, source=Source.SYSTEM) for item in others]
    assert record(answers, actor=ACTOR).certificates[0].source == Source.SELF
    assert complete(cast.colleague, cast.track, source=Source.SYSTEM).certificates[0].source == Source.SYSTEM


def test_a_strict_track_waits_for_the_system(cast: Cast) -> None:
    strict = make_track(cast.organization, certifies_from=CertifiesFrom.SYSTEM)
    assert complete(cast.learner, strict, source=Source.SELF).certificates == []
    assert len(complete(cast.learner, strict, source=Source.SYSTEM).certificates) == 1


def test_own_answers_count_once_the_track_takes_any(cast: Cast) -> None:
    """They were given while it took the systems' alone, in the cycle that is still open."""
    track = make_track(cast.organization, items=2, certifies_from=CertifiesFrom.SYSTEM)
    first, last = track.items.all()
    assert record([make_answer(cast.learner, first)], actor=ACTOR).certificates == []
    change_track(track.id, {"certifiesFrom": CertifiesFrom.ANY}, actor=ACTOR)
    [certificate] = record([make_answer(cast.learner, last)], actor=ACTOR).certificates
    assert certificate.source == Source.SELF


def test_own_answers_count_no_more_once_the_track_takes_the_systems_alone(cast: Cast) -> None:
    first, *others = cast.track.items.all()
    record([make_answer(cast.learner, first)], actor=ACTOR)
    change_track(cast.track.id, {"certifiesFrom": CertifiesFrom.SYSTEM}, actor=ACTOR)
    rest = [make_answer(cast.learner, item, source=Source.SYSTEM) for item in others]
    assert record(rest, actor=ACTOR).certificates == []
    [certificate] = record([make_answer(cast.learner, first, source=Source.SYSTEM)], actor=ACTOR).certificates
    assert certificate.source == Source.SYSTEM


# -- completed outside --


def test_a_completion_from_outside(api: Api, cast: Cast) -> None:
    answer = api.post(f"/learners/{cast.learner.id}/completions", {"trackId": str(cast.track.id)}, by=cast.admin)
    assert answer.status == 201
    assert (answer.body["source"], answer.body["trackTitle"]) == ("outside", cast.track.title)
    certificate = Certificate.objects.get()
    assert answer.body["certificate"]["id"] == str(certificate.id)
    assert certificate.source == Source.OUTSIDE
    assert AuditEvent.objects.filter(type="completion_recorded").count() == 1
    again = api.post(f"/learners/{cast.learner.id}/completions", {"trackId": str(cast.track.id)}, by=cast.admin)
    assert again.body["certificate"]["id"] == str(certificate.id)
    assert Certificate.objects.count() == 1


def test_who_records_completions_from_outside(api: Api, cast: Cast) -> None:
    path, body = f"/learners/{cast.learner.id}/completions", {"trackId": str(cast.track.id)}
    for who in (cast.learner, cast.manager, cast.auditor, cast.outsider):
        assert api.post(path, body, by=who).status == 403
    assert api.post(path, body).status == 401
    assert api.post(path, body, by=cast.outside_admin).status == 404
    assert api.post(f"/learners/{uuid4()}/completions", body, by=cast.admin).status == 404
    assert not Completion.objects.exists()


@pytest.mark.parametrize("body", [{}, {"trackId": "x"}, {"trackId": None}, {"trackId": str(uuid4()), "more": 1}])
def test_a_bad_completion_is_refused(api: Api, cast: Cast, body: dict[str, Any]) -> None:
    assert api.post(f"/learners/{cast.learner.id}/completions", body, by=cast.admin).status == 400


def test_an_unknown_track_and_somebody_elses_are_the_same(api: Api, cast: Cast) -> None:
    path = f"/learners/{cast.learner.id}/completions"
    answers = [api.post(path, {"trackId": str(key)}, by=cast.admin) for key in (uuid4(), cast.outside_track.id)]
    assert [(answer.status, answer.details) for answer in answers] == [
        (400, {"trackId": ["There is no such track."]})
    ] * 2


def test_an_expired_certificate_is_renewed(cast: Cast) -> None:
    complete(cast.learner, cast.track)
    long_ago = timezone.now() - timedelta(days=400)
    Certificate.objects.update(issued_at=long_ago, expires_at=long_ago + timedelta(days=365))
    [renewed] = complete(cast.learner, cast.track).certificates
    old = Certificate.objects.exclude(id=renewed.id).get()
    assert (old.renewed_at, old.replaced_by, renewed.replaces) == (renewed.issued_at, renewed, old)
    assert old.status_at(timezone.now()) == "expired"
