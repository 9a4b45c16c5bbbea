"""What learners did, and where that has brought them.

Attempts and shares are history and are only added to. The other rows say where a learner stands now, so that nothing
has to be computed from history; all of them are written under the lock on her `LearnerStanding`.
"""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import connections, models
from django.db.models import F, Q

from cerply import clock
from cerply.accounts.models import Organization, User
from cerply.identifiers import uuid7
from cerply.tenancy import TenantQuerySet
from cerply.tracks.models import Item, Track
from certificates.models import Certificate, Source
from gamification.levels import THRESHOLDS, Level, level_after

# Of how many of her latest answers in a track a learner's level keeps the credit.
REMEMBERED = 100
# A whole credit, as it is kept there.
WHOLE = 10_000


class SentQuerySet[M: models.Model](TenantQuerySet[M]):
    """What clients sent, under ids of their own."""

    def fingerprints(self, client_ids: "Collection[UUID]") -> "dict[UUID, bytes]":
        """What was sent under those of the ids that are known."""
        known = self.filter(client_id__in=client_ids).values_list("client_id", "fingerprint")
        return {client_id: bytes(fingerprint) for client_id, fingerprint in known}


class AttemptQuerySet(SentQuerySet["Attempt"]):
    def fast_runs(self, learner_ids: "list[UUID]", *, under_ms: int, count: int) -> "dict[UUID, int]":
        """How many of each learner's latest correct answers in a row took less; looks at ``count`` of each."""
        sql = """
            SELECT learner_id, count(*) FILTER (WHERE unbroken)
            FROM unnest(%s::uuid[]) AS asked (learner_id)
            CROSS JOIN LATERAL (
                SELECT bool_and(coalesce(response_ms < %s, false)) OVER (ORDER BY sequence DESC) AS unbroken
                FROM (
                    SELECT sequence, response_ms FROM attempts
                    WHERE attempts.learner_id = asked.learner_id AND credit = 1
                    ORDER BY sequence DESC LIMIT %s
                ) AS latest
            ) AS runs
            GROUP BY learner_id
        """
        with connections[self.db].cursor() as cursor:
            cursor.execute(sql, [learner_ids, under_ms, count])
            return dict(cursor.fetchall())


class Attempt(models.Model):
    """One answer. ``sequence`` is the order of arrival, given under the learner's lock."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    sequence = models.BigIntegerField()
    client_id = models.UUIDField(null=True)
    # SHA-256 of what was sent under ``client_id``, so that the same id with other content is noticed.
    fingerprint = models.BinaryField(max_length=32, null=True)
    credit = models.DecimalField(max_digits=5, decimal_places=4)
    response_ms = models.IntegerField(null=True)
    occurred_at = models.DateTimeField()
    local_day = models.DateField()
    source = models.CharField(max_length=16, choices=Source)
    recorded_at = models.DateTimeField(default=clock.now)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        db_table = "attempts"
        ordering = ["learner_id", "sequence"]
        constraints = [
            # Also the index that history is read by, in order of arrival.
            models.UniqueConstraint(fields=["learner", "sequence"], name="attempts_sequence_unique_per_learner"),
            models.UniqueConstraint(fields=["organization", "client_id"], name="attempts_client_id_counts_once"),
            models.CheckConstraint(condition=Q(credit__gte=0, credit__lte=1), name="attempts_credit_is_0_to_1"),
            models.CheckConstraint(
                condition=Q(response_ms=None) | Q(response_ms__gte=0), name="attempts_response_ms_is_not_negative"
            ),
            models.CheckConstraint(condition=Q(source__in=["self", "system"]), name="attempts_source_is_known"),
            models.CheckConstraint(
                condition=Q(client_id=None, fingerprint=None) | Q(client_id__isnull=False, fingerprint__isnull=False),
                name="attempts_fingerprint_goes_with_client_id",
            ),
        ]
        indexes = [
            # A new speed rule looks at the latest correct answers.
            models.Index(fields=["learner", "-sequence"], condition=Q(credit=1), name="attempts_latest_correct"),
        ]

    def __str__(self) -> str:
        return f"{self.learner_id} #{self.sequence}"

    @property
    def is_correct(self) -> bool:
        return self.credit == 1


class StandingQuerySet(TenantQuerySet["LearnerStanding"]):
    def lock(self, learners: "list[User]") -> "dict[UUID, LearnerStanding]":
        """The learners' rows, made where they are missing, locked in id order until the transaction ends."""
        learners = sorted(learners, key=lambda learner: learner.id)
        self.bulk_create(
            [LearnerStanding(learner=learner, organization_id=learner.member_of) for learner in learners],
            ignore_conflicts=True,
        )
        locked = self.filter(learner__in=learners).order_by("learner_id").select_for_update(of=("self",))
        return {standing.learner_id: standing for standing in locked}

    def hold(self, learner_ids: "list[UUID]") -> None:
        """Locks those that there are, in id order, until the transaction ends."""
        list(self.filter(learner__in=learner_ids).order_by("learner_id").select_for_update(of=("self",)).values("pk"))

    def claim(self, learner_id: "UUID") -> "LearnerStanding | None":
        """Her row, locked until the transaction ends; None while somebody else is at work on it."""
        free = self.filter(learner=learner_id).select_for_update(of=("self",), skip_locked=True)
        return free.select_related("learner").first()

    def owed_badges(self) -> Self:
        """Did something while badges were off."""
        return self.filter(badges_due=True)


class LearnerStanding(models.Model):
    """A learner's counters across all tracks. Locking this row serializes everything that she earns."""

    learner = models.OneToOneField(User, primary_key=True, on_delete=models.PROTECT, related_name="standing")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    sequence = models.BigIntegerField(default=0)
    correct_answers = models.IntegerField(default=0)
    streak = models.IntegerField(default=0)
    shares = models.IntegerField(default=0)
    tracks_completed = models.IntegerField(default=0)
    # How many of the latest correct answers in a row took less than so many milliseconds: {"5000": 7}.
    speed_runs = models.JSONField(default=dict)
    # Something was recorded while badges were off. The database's own default is for rows from before this column:
    # nobody knows what they are owed, so they are looked at once.
    badges_due = models.BooleanField(default=False, db_default=True)

    objects = StandingQuerySet.as_manager()

    class Meta:
        db_table = "learner_standings"
        indexes = [
            # What is owed where badges are on.
            models.Index(fields=["organization", "learner"], condition=Q(badges_due=True), name="standings_owed"),
        ]

    def __str__(self) -> str:
        return str(self.learner_id)


class LearnerDay(models.Model):
    """The learner answered something on this day of her calendar."""

    pk = models.CompositePrimaryKey("learner_id", "day")
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()

    class Meta:
        db_table = "learner_days"

    def __str__(self) -> str:
        return f"{self.learner_id} {self.day}"


# What `LearnerLevel.take` would have kept, had it been there from the first answer on.
REMEMBER = """
    UPDATE learner_levels AS level
       SET latest_credits = history.credits, last_answer_at = history.last_answer_at, remembered = level.answers
      FROM (
        SELECT learner_id, track_id, max(occurred_at) AS last_answer_at,
               (array_agg((credit * %(whole)s)::smallint ORDER BY sequence DESC))[1:%(most)s] AS credits
          FROM attempts JOIN items ON items.id = attempts.item_id
         WHERE learner_id = ANY(%(learners)s)
         GROUP BY learner_id, track_id
      ) AS history
     WHERE level.learner_id = history.learner_id AND level.track_id = history.track_id
       AND level.remembered <> level.answers
"""


class LearnerLevelQuerySet(TenantQuerySet["LearnerLevel"]):
    def started(self) -> Self:
        """Tracks that she has answered in; a completion from outside opens a row without an answer."""
        return self.filter(answers__gt=0)

    def forgetful(self) -> Self:
        """Those whose latest answers are not all kept in the row: it was written before there was room for them."""
        return self.exclude(remembered=F("answers"))

    def remember(self, learner_ids: "list[UUID]") -> None:
        """Keeps the latest answers of forgetful rows, from history. The caller holds the learners' locks."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(REMEMBER, {"learners": learner_ids, "whole": WHOLE, "most": REMEMBERED})


class LearnerLevel(models.Model):
    """How far a learner is in a track."""

    pk = models.CompositePrimaryKey("learner_id", "track_id")
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    track = models.ForeignKey(Track, on_delete=models.PROTECT, related_name="+")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    answers = models.IntegerField(default=0)
    credit = models.DecimalField(max_digits=14, decimal_places=4, default=Decimal(0))
    level = models.CharField(max_length=16, choices=Level, default=Level.NOVICE)
    leveled_up_at = models.DateTimeField(null=True)
    # The cycle that is open; completing the track closes it.
    cycle = models.IntegerField(default=1)
    # Of the latest answers, the last one first, in ten-thousandths.
    latest_credits = ArrayField(models.SmallIntegerField(), default=list, db_default=[])
    # When the latest of them was given, as their `occurred_at` says.
    last_answer_at = models.DateTimeField(null=True)
    # How many of the answers the two above know of: all of them, unless they were recorded before there were these.
    remembered = models.IntegerField(default=0, db_default=0)

    objects = LearnerLevelQuerySet.as_manager()

    class Meta:
        db_table = "learner_levels"
        constraints = [
            models.CheckConstraint(condition=Q(level__in=Level.values), name="learner_levels_level_is_known"),
            models.CheckConstraint(
                condition=Q(credit__gte=0, credit__lte=F("answers")), name="learner_levels_credit_is_at_most_answers"
            ),
            models.CheckConstraint(
                condition=Q(level=Level.NOVICE, leveled_up_at=None)
                | (~Q(level=Level.NOVICE) & Q(leveled_up_at__isnull=False)),
                name="learner_levels_leveled_up_once_above_novice",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.learner_id} in {self.track_id}: {self.level}"

    def take(self, credit: Decimal, occurred_at: datetime) -> None:
        """One more answer."""
        if self.remembered == self.answers:
            self.latest_credits = [int(credit * WHOLE), *self.latest_credits[: REMEMBERED - 1]]
            self.last_answer_at = max(self.last_answer_at or occurred_at, occurred_at)
            self.remembered += 1
        self.answers += 1
        self.credit += credit

    @property
    def correct_attempts(self) -> int:
        return int(self.credit)

    @property
    def next_level(self) -> Level | None:
        return level_after(Level(self.level))

    @property
    def attempts_to_next(self) -> int | None:
        following = self.next_level
        return THRESHOLDS[following] - self.correct_attempts if following else None


class LearnerItem(models.Model):
    """The learner has answered the item correctly in this cycle of its track."""

    pk = models.CompositePrimaryKey("learner_id", "item_id")
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    track = models.ForeignKey(Track, on_delete=models.PROTECT, related_name="+")
    cycle = models.IntegerField()
    source = models.CharField(max_length=16, choices=Source)

    class Meta:
        db_table = "learner_items"
        indexes = [
            # How many items of a track she has in the open cycle.
            models.Index(fields=["learner", "track", "cycle"], name="learner_items_by_cycle"),
        ]

    def __str__(self) -> str:
        return f"{self.learner_id} {self.item_id}"


class CompletionQuerySet(TenantQuerySet["Completion"]):
    def owed_a_certificate(self) -> Self:
        """Closed while certificates were off, or the one to be renewed suspended."""
        return self.filter(certificate_due=True)


class Completion(models.Model):
    """A learner closed a cycle of a track."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    track = models.ForeignKey(Track, on_delete=models.PROTECT, related_name="+")
    cycle = models.IntegerField()
    source = models.CharField(max_length=16, choices=Source)
    completed_at = models.DateTimeField(default=clock.now)
    certificate = models.ForeignKey(Certificate, null=True, on_delete=models.PROTECT, related_name="+")
    certificate_due = models.BooleanField(default=False)

    objects = CompletionQuerySet.as_manager()

    class Meta:
        db_table = "completions"
        ordering = ["completed_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["learner", "track", "cycle"], name="completions_close_a_cycle_once"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="completions_source_is_known"),
        ]
        indexes = [
            # What is owed when certificates are switched on.
            models.Index(
                fields=["organization", "learner"], condition=Q(certificate_due=True), name="completions_owed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.learner_id} completed {self.track_id} ({self.cycle})"


class ShareQuerySet(SentQuerySet["Share"]):
    def counted(self) -> Self:
        """Different artefacts, each the first time that it was shared."""
        return self.filter(is_repeat=False)


class Share(models.Model):
    """A learner shared an artefact with her team; each artefact counts once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    artefact_id = models.CharField(max_length=255)
    client_id = models.UUIDField(null=True)
    fingerprint = models.BinaryField(max_length=32, null=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=clock.now)
    # She had shared the artefact before: kept for its client id, and counts for nothing.
    is_repeat = models.BooleanField(default=False, db_default=False)

    objects = ShareQuerySet.as_manager()

    class Meta:
        db_table = "shares"
        ordering = ["recorded_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["learner", "artefact_id"], condition=Q(is_repeat=False), name="shares_artefact_counted_once"
            ),
            models.UniqueConstraint(fields=["organization", "client_id"], name="shares_client_id_counts_once"),
        ]

    def __str__(self) -> str:
        return f"{self.learner_id} shared {self.artefact_id}"
