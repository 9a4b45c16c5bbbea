"""Issuing certificates to everyone in an organization or a team who completed a track, thousands at a time.

Learners are taken in id order, a batch in a transaction. What a learner is owed is decided under her lock, so that it
may be interrupted, run again, and run by many at once, and each gets one certificate. Nobody is notified.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from cerply import clock
from cerply.accounts.models import Membership, Organization, Team, TeamRole
from cerply.errors import Conflict
from cerply.permissions import Actor, ActorKind
from cerply.tracks.models import Track
from certificates.issuing import in_force, is_due
from certificates.models import Certificate
from gamification.completing import certify_completions
from gamification.models import BulkIssue, Completion, LearnerStanding
from ops.features import Feature, is_on
from ops.wake import enqueue

BATCH = 200
# Then the worker takes a breath: it gives a task five minutes.
MOST_BATCHES = 20


@dataclass(frozen=True, slots=True)
class Circle:
    """Who is meant: everyone in the organization, or in the team, who completed the track."""

    organization_id: UUID
    track: Track
    team_id: UUID | None = None
    also_revoked: bool = False

    def check(self) -> None:
        """Raises `Conflict` where nothing can be issued, and says why."""
        organization = Organization.objects.get(id=self.organization_id)
        if organization.closed_at:
            raise Conflict(f"{organization} is closed. Open it again first.")
        if self.track.organization_id not in {None, self.organization_id}:
            raise Conflict(f"The track “{self.track}” is another organization's.")
        if self.team_id and not Team.objects.filter(id=self.team_id, organization=organization).exists():
            raise Conflict(f"{organization} has no such team.")
        if not is_on(Feature.CERTIFICATES, self.organization_id):
            raise Conflict(f"Certificates are off for {organization}. Switch them on, then issue what is owed.")

    def learners(self, after: UUID | None = None) -> list[UUID]:
        """The next batch of those who completed the track, in id order; whether they are owed anything or not."""
        completions = Completion.objects.for_organization(self.organization_id).filter(track=self.track)
        if self.team_id:
            members = Membership.objects.filter(team_id=self.team_id, role=TeamRole.MEMBER)
            completions = completions.filter(learner__in=members.values("user_id"))
        if after:
            completions = completions.filter(learner_id__gt=after)
        return list(completions.order_by("learner_id").values_list("learner_id", flat=True).distinct()[:BATCH])

    def owed(self, learners: Iterable[UUID]) -> list[Completion]:
        """Of these learners, the completions that earn a certificate now, the latest of each first."""
        completions = Completion.objects.for_organization(self.organization_id).filter(track=self.track)
        rows = list(
            completions.filter(learner__in=list(learners))
            .select_related("learner", "track")
            .order_by("learner_id", "-cycle")
        )
        held = in_force((row.learner_id, row.track_id) for row in rows)
        lost = set() if self.also_revoked else self._revoked(rows)
        latest = {row.learner_id: row for row in reversed(rows)}
        now = clock.now()

        def is_owed(row: Completion) -> bool:
            present = held.get((row.learner_id, row.track_id))
            if row.certificate_due:
                return is_due(present, now)
            return row is latest[row.learner_id] and present is None and row.learner_id not in lost

        return [row for row in rows if is_owed(row)]

    def _revoked(self, rows: Sequence[Completion]) -> set[UUID]:
        certificates = Certificate.objects.filter(track=self.track, revoked_at__isnull=False)
        return set(
            certificates.filter(learner__in=[row.learner_id for row in rows]).values_list("learner_id", flat=True)
        )


def issue_to_all(circle: Circle, *, actor: Actor) -> Iterator[int]:
    """After each batch, how many were issued so far. Raises `Conflict`."""
    circle.check()
    issued, cursor = 0, None
    while learners := circle.learners(cursor):
        issued += issue_batch(circle, learners, actor=actor)
        cursor = learners[-1]
        yield issued


@transaction.atomic
def issue_batch(circle: Circle, learners: Iterable[UUID], *, actor: Actor) -> int:
    """Returns how many were issued. Only who seems to be owed one is locked, and then looked at again."""
    people = {row.learner_id: row.learner for row in circle.owed(learners)}
    if not people:
        return 0
    LearnerStanding.objects.lock(list(people.values()))
    return len(certify_completions(circle.owed(people), actor=actor))


def count_due(circle: Circle) -> int:
    """To how many certificates would be issued now."""
    due, cursor = 0, None
    while learners := circle.learners(cursor):
        due += len({row.learner_id for row in circle.owed(learners)})
        cursor = learners[-1]
    return due


# -- asked for in the admin, done by the worker --


@transaction.atomic
def ask_for(circle: Circle, *, total: int, actor: Actor) -> BulkIssue:
    """Has the worker issue them; the row says how far it has come. Raises `Conflict`."""
    circle.check()
    if actor.id is None:
        raise ValueError("Somebody must have asked for it.")
    asked = BulkIssue.objects.create(
        organization_id=circle.organization_id,
        team_id=circle.team_id,
        track=circle.track,
        also_revoked=circle.also_revoked,
        asked_by=actor.id,
        total=total,
    )
    enqueue("gamification.bulk_issuing.resume")
    return asked


def resume() -> str:
    """The job: goes on with what was asked for and is not finished, batch by batch."""
    issued = batches = 0
    for key in list(BulkIssue.objects.unfinished().values_list("id", flat=True)):
        while (more := _advance(key)) is not None:
            issued, batches = issued + more, batches + 1
            if batches == MOST_BATCHES:
                enqueue("gamification.bulk_issuing.resume")
                return f"Issued {issued} certificates in bulk, and goes on."
    return f"Issued {issued} certificates in bulk."


@transaction.atomic
def _advance(key: UUID) -> int | None:
    """One batch: how many were issued; None when all were seen to, or none may be issued for the time being.

    Its row is locked, so one worker is at it.
    """
    asked = BulkIssue.objects.select_related("track", "organization").select_for_update(of=("self",)).get(id=key)
    if asked.finished_at or asked.organization.closed_at or not is_on(Feature.CERTIFICATES, asked.organization_id):
        return None
    circle = Circle(asked.organization_id, asked.track, asked.team_id, asked.also_revoked)
    learners = circle.learners(asked.cursor)
    if not learners:
        asked.finished_at = clock.now()
        asked.save(update_fields=["finished_at"])
        return None
    issued = issue_batch(circle, learners, actor=Actor(ActorKind.USER, asked.asked_by, "staff"))
    asked.issued += issued
    asked.cursor = learners[-1]
    asked.save(update_fields=["issued", "cursor"])
    return issued
