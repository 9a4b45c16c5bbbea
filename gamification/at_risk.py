"""Finding learners who are at risk, and telling their managers once.

Every learner is looked at, some hundreds in id order at a time: a level keeps the latest answers itself, so history is
not read. What differs from the open episodes is written; what is to be told is owed by the episode's row
until it is told, in a later transaction. So whoever is killed leaves nothing half done and the next run goes on; and
two at once find each episode, and tell of it, once: the database takes one open one of a learner, track and reason.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.tracks.models import Track
from gamification.models import (
    AtRiskEpisode,
    AtRiskReason,
    AtRiskWatch,
    Difference,
    Finding,
    LearnerLevel,
    LearnerStanding,
)
from notifications.milestones import Milestone, announce
from notifications.models import NotificationType
from ops.features import Feature, decisions

# Who are looked at in one transaction, and told of in the next.
LEARNERS = 500
FIRST = UUID(int=0)


def find() -> str:
    """The job, once a day: whoever runs it, and however late, each learner, track and reason is told of once."""
    moment = clock.now()
    watch(moment)
    found = recovered = told = 0
    for learner_ids in _everybody():
        _remember(learner_ids)
        new, over = _look(learner_ids, moment)
        found += new
        recovered += over
        told += _tell(learner_ids, moment)
    return f"Found {found} at risk and {recovered} recovered; told the managers of {told}."


# -- who is looked at --


def watch(moment: datetime) -> None:
    """Notices which organizations are looked at now and told; who was not told before is not told of what was."""
    known = {row.organization_id: row for row in AtRiskWatch.objects.all()}
    new = []
    for organization_id, closed_at in Organization.objects.order_by("id").values_list("id", "closed_at"):
        looks, tells = _state(organization_id, is_open=closed_at is None)
        row = known.get(organization_id)
        if row is None:
            new.append(AtRiskWatch(organization_id=organization_id, looks=looks, tells=tells))
        elif (row.looks, row.tells) != (looks, tells):
            _switch(row, moment, looks=looks, tells=tells)
    AtRiskWatch.objects.bulk_create(new, ignore_conflicts=True)


@transaction.atomic
def _switch(row: AtRiskWatch, moment: datetime, *, looks: bool, tells: bool) -> None:
    since = moment if tells and not row.tells else row.tells_since
    unchanged = AtRiskWatch.objects.filter(organization_id=row.organization_id, looks=row.looks, tells=row.tells)
    unchanged.update(looks=looks, tells=tells, tells_since=since)
    if not tells:
        AtRiskEpisode.objects.open().for_organization(row.organization_id).filter(owed=True).update(owed=False)


def _state(organization_id: UUID, *, is_open: bool) -> tuple[bool, bool]:
    """Whether its learners are looked at, and its managers told."""
    if not is_open:
        return False, False
    on = decisions(organization_id)
    looks = on[Feature.GAMIFICATION].on
    return looks, looks and on[Feature.MANAGER_NOTIFICATIONS].on


# -- looking --


def _everybody() -> Iterator[list[UUID]]:
    """Some hundreds of learners at a time, until all have been looked at."""
    after = FIRST
    while learner_ids := list(AtRiskWatch.objects.learners(after).values_list("id", flat=True)[:LEARNERS]):
        yield learner_ids
        after = learner_ids[-1]


@transaction.atomic
def _remember(learner_ids: Sequence[UUID]) -> None:
    """Has levels from before they kept their latest answers read them, once, while nobody records."""
    forgetful = LearnerLevel.objects.filter(learner__in=learner_ids).forgetful()
    if owners := sorted(set(forgetful.values_list("learner_id", flat=True))):
        LearnerStanding.objects.hold(owners)
        LearnerLevel.objects.remember(owners)


@transaction.atomic
def _look(learner_ids: Sequence[UUID], moment: datetime) -> tuple[int, int]:
    """Opens, changes and ends the episodes of these learners; how many are new, and how many have ended."""
    differences = AtRiskEpisode.objects.differences(learner_ids, moment)
    by_id = {each.episode_id: each for each in differences if each.episode_id}
    known = AtRiskEpisode.objects.locked(list(by_id))
    over, changed = [], []
    for row in known:
        now = by_id[row.id]
        if now.found is None or now.is_anew:
            over.append(row.id)
        else:
            row.show(now.found)
            changed.append(row)
    AtRiskEpisode.objects.filter(id__in=over).update(ended_at=moment, owed=False)
    AtRiskEpisode.objects.bulk_update(changed, ["last_answer_at", "share", "answers", "threshold"], batch_size=500)
    new = [_episode(each, each.found, moment) for each in differences if each.found and _is_new(each)]
    # In the order of the differences, which is the same for everybody; where another is open already, that one stays.
    AtRiskEpisode.objects.bulk_create(new, ignore_conflicts=True)
    return AtRiskEpisode.objects.filter(id__in=[row.id for row in new]).count(), len(over)


def _is_new(difference: Difference) -> bool:
    return difference.is_anew or difference.episode_id is None


def _episode(difference: Difference, found: Finding, moment: datetime) -> AtRiskEpisode:
    episode = AtRiskEpisode(
        organization_id=difference.organization_id,
        learner_id=difference.learner_id,
        track_id=difference.track_id,
        reason=difference.reason,
        since=found.since,
        found_at=moment,
        owed=difference.is_news,
    )
    episode.show(found)
    return episode


# -- telling --


@transaction.atomic
def _tell(learner_ids: Sequence[UUID], moment: datetime) -> int:
    """Tells what is owed of these learners, as far as there is a manager to tell it to; of how many episodes.

    Where managers are not told any more, nothing is owed any more.
    """
    owed = list(AtRiskEpisode.objects.owed(learner_ids))
    organizations = Organization.objects.filter(id__in={episode.organization_id for episode in owed})
    tells = {
        organization_id: _state(organization_id, is_open=closed_at is None)[1]
        for organization_id, closed_at in organizations.values_list("id", "closed_at")
    }
    told = [episode for episode in owed if tells[episode.organization_id]]
    learners = User.objects.only("name", "organization_id").in_bulk({episode.learner_id for episode in told})
    tracks = Track.objects.only("title").in_bulk({episode.track_id for episode in told})
    announce([_milestone(each, learners[each.learner_id], tracks[each.track_id], moment) for each in told])
    AtRiskEpisode.objects.filter(id__in=[each.id for each in told]).update(owed=False, told_at=moment)
    off = [episode.id for episode in owed if not tells[episode.organization_id]]
    AtRiskEpisode.objects.filter(id__in=off).update(owed=False)
    return len(told)


def _milestone(episode: AtRiskEpisode, learner: User, track: Track, moment: datetime) -> Milestone:
    return Milestone(
        NotificationType.AT_RISK,
        learner,
        episode.id,
        {
            "trackId": str(track.id),
            "trackTitle": track.title,
            "reason": episode.reason,
            **_numbers(episode, moment),
        },
    )


def _numbers(episode: AtRiskEpisode, moment: datetime) -> dict[str, object]:
    if episode.reason == AtRiskReason.SILENCE:
        return {"lastAnswerAt": clock.rfc3339(episode.last_answer_at), "days": episode.days_of_silence(moment)}
    return {"share": float(episode.share or 0), "answers": episode.answers, "threshold": episode.threshold}
