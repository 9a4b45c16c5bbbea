"""From what a client named to the rows it means.

Ids and external ids may be mixed. What is unknown and what belongs to somebody else get the same answer. Each kind of
row is one query, however many answers there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q

from cerply import clock
from cerply.accounts.models import User
from cerply.errors import Invalid
from cerply.permissions import Caller
from cerply.tracks.models import Item, Track
from certificates.models import Source
from gamification.answers import Answer
from gamification.models import Attempt, Share
from gamification.sharing import fingerprint

AHEAD = timedelta(minutes=5)
BACK = timedelta(hours=24)
# In the year before, no time zone could be told without leaving the calendar.
EARLIEST_YEAR = 2

type Row = Mapping[str, Any]
type Problems = dict[str, list[str]]


def resolve_answers(rows: Sequence[Row], caller: Caller) -> tuple[list[Answer], dict[int, Problems]]:
    """The answers, and by index what is wrong with the others."""
    learners = People(rows, caller)
    material = Material(rows, caller)
    now = clock.now()
    answers: list[Answer] = []
    problems: dict[int, Problems] = {}
    strays: dict[int, tuple[Answer, Problems]] = {}
    for index, row in enumerate(rows):
        learner, problem = learners.of(row)
        track, item, more = material.of(row)
        own = learner is not None and learner.id == caller.user_id
        stray = moment_problems(row.get("occurredAt"), caller, now)
        if learner is None or track is None or item is None:
            problems[index] = problem | more | stray
            continue
        answer = Answer(
            learner=learner,
            track=track,
            item=item,
            credit=_credit(row),
            source=Source.SELF if own else Source.SYSTEM,
            response_ms=row.get("responseMs"),
            occurred_at=row.get("occurredAt"),
            client_id=row.get("id"),
        )
        answers.append(answer)
        if stray:
            strays[index] = (answer, stray)
    return answers, problems | _unknown(strays, caller)


def _unknown(strays: Mapping[int, tuple[Answer, Problems]], caller: Caller) -> dict[int, Problems]:
    """Those that are not the repetition of something recorded in time: such a one is a duplicate, however late."""
    client_ids = [answer.client_id for answer, _ in strays.values() if answer.client_id]
    known = Attempt.objects.in_reach_of(caller).fingerprints(client_ids) if client_ids else {}
    return {
        index: problem
        for index, (answer, problem) in strays.items()
        if answer.client_id is None or known.get(answer.client_id) != answer.fingerprint
    }


def resolve_sharer(row: Row, caller: Caller) -> User:
    """The learner whose share it is; `Invalid` where there is none, or the share lies too far from now."""
    learner, problems = People([row], caller).of(row)
    occurred_at, client_id = row.get("occurredAt"), row.get("id")
    stray = moment_problems(occurred_at, caller, clock.now())
    if stray and learner and client_id:
        known = Share.objects.in_reach_of(caller).fingerprints([client_id])
        if known == {client_id: fingerprint(learner, row["artefactId"], occurred_at)}:
            return learner
    if problems or stray or learner is None:
        raise Invalid(problems | stray)
    return learner


def moment_problems(occurred_at: datetime | None, caller: Caller, now: datetime) -> Problems:
    """How far from now it may lie: a little ahead; and a day back, unless an admin says so."""
    if occurred_at is None:
        return {}
    if occurred_at > now + AHEAD:
        return {"occurredAt": ["This lies more than 5 minutes ahead."]}
    if not caller.administers and occurred_at < now - BACK:
        return {"occurredAt": ["This lies more than 24 hours back. An admin may record older ones."]}
    if occurred_at.year < EARLIEST_YEAR:
        return {"occurredAt": ["This lies too far back for any calendar."]}
    return {}


class People:
    """The learners that rows name; the caller herself where they name none."""

    def __init__(self, rows: Iterable[Row], caller: Caller) -> None:
        self.caller = caller
        ids = {row["learnerId"] for row in rows if "learnerId" in row}
        external_ids = {row["learnerExternalId"] for row in rows if "learnerExternalId" in row}
        if not caller.administers and caller.user_id:
            ids.add(caller.user_id)
        people = User.objects.members().in_reach_of(caller).filter(Q(id__in=ids) | Q(external_id__in=external_ids))
        self.by_id = {person.id: person for person in people}
        self.by_external_id = {person.external_id: person for person in self.by_id.values() if person.external_id}

    def of(self, row: Row) -> tuple[User | None, Problems]:
        if "learnerId" in row:
            name, learner = "learnerId", self.by_id.get(row["learnerId"])
        elif "learnerExternalId" in row:
            name, learner = "learnerExternalId", self.by_external_id.get(row["learnerExternalId"])
        elif self.caller.administers:
            return None, {"learnerId": ["Say whose it is."]}
        else:
            name, learner = "learnerId", self.by_id.get(self.caller.user_id) if self.caller.user_id else None
        return learner, {} if learner else {name: ["There is no such learner."]}


class Material:
    """The tracks and items that rows name: the organization's own, and the shared ones."""

    def __init__(self, rows: Sequence[Row], caller: Caller) -> None:
        tracks = Track.objects.usable_by(caller).filter(
            Q(id__in={row["trackId"] for row in rows if "trackId" in row})
            | Q(external_id__in={row["trackExternalId"] for row in rows if "trackExternalId" in row})
        )
        self.by_id = {track.id: track for track in tracks}
        # An own track goes before a shared one of the same external id.
        ordered = sorted(self.by_id.values(), key=lambda track: (track.organization_id is not None, track.id))
        self.by_external_id = {track.external_id: track for track in ordered}
        items = Item.objects.filter(track_id__in=self.by_id).filter(
            Q(id__in={row["itemId"] for row in rows if "itemId" in row})
            | Q(external_id__in={row["itemExternalId"] for row in rows if "itemExternalId" in row})
        )
        self.items_by_id: dict[tuple[UUID, UUID], Item] = {}
        self.items_by_external_id: dict[tuple[UUID, str], Item] = {}
        for item in items:
            self.items_by_id[item.track_id, item.id] = item
            if item.external_id:
                self.items_by_external_id[item.track_id, item.external_id] = item

    def of(self, row: Row) -> tuple[Track | None, Item | None, Problems]:
        if "trackId" in row:
            name, track = "trackId", self.by_id.get(row["trackId"])
        else:
            name, track = "trackExternalId", self.by_external_id.get(row["trackExternalId"])
        if track is None:
            return None, None, {name: ["There is no such track."]}
        if "itemId" in row:
            name, item = "itemId", self.items_by_id.get((track.id, row["itemId"]))
        else:
            name, item = "itemExternalId", self.items_by_external_id.get((track.id, row["itemExternalId"]))
        return track, item, {} if item else {name: ["The track has no such item."]}


def _credit(row: Row) -> Decimal:
    if "correct" in row:
        return Decimal(int(row["correct"]))
    credit: Decimal = row["credit"]
    return credit
