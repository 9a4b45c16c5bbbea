"""Learners who are at risk of not getting further, and what each organization means by that."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connections, models
from django.db.models import Exists, F, OuterRef, Q

from cerply import clock
from cerply.accounts.models import Membership, Organization, User
from cerply.identifiers import uuid7
from cerply.permissions import Caller
from cerply.tenancy import TenantQuerySet
from cerply.tracks.models import Track
from certificates.models import RENEWAL
from gamification.models.progress import REMEMBERED, WHOLE

MOST_DAYS = 365


class AtRiskReason(models.TextChoices):
    COMPREHENSION = "comprehension", "Comprehension"
    SILENCE = "silence", "Silence"


class AtRiskPolicy(models.Model):
    """When an organization calls a learner at risk. One that has said nothing has no row, and the defaults hold."""

    organization = models.OneToOneField(Organization, primary_key=True, on_delete=models.CASCADE, related_name="+")
    comprehension = models.BooleanField(default=True, help_text="Look for comprehension that is too low.")
    share = models.PositiveSmallIntegerField(
        "at risk below",
        default=70,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Percent of credit: who has less of it over her latest answers in a track is at risk.",
    )
    answers = models.PositiveSmallIntegerField(
        "latest answers",
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(REMEMBERED)],
        help_text="Over so many of her latest answers in the track.",
    )
    least_answers = models.PositiveSmallIntegerField(
        "answers at least",
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(REMEMBERED)],
        help_text="Who has given fewer in the track is not judged yet.",
    )
    silence = models.BooleanField(default=True, help_text="Look for learners who have fallen silent.")
    days = models.PositiveSmallIntegerField(
        "days of silence",
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_DAYS)],
        help_text="Who has not answered for so long in a track that she has begun and not finished is at risk.",
    )
    changed_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "at_risk_policies"
        ordering = ["organization_id"]
        verbose_name = "at-risk policy"
        verbose_name_plural = "at-risk policies"
        constraints = [
            models.CheckConstraint(condition=Q(share__range=(1, 100)), name="at_risk_policies_share_is_a_percentage"),
            models.CheckConstraint(
                condition=Q(answers__range=(1, REMEMBERED)), name="at_risk_policies_answers_are_remembered"
            ),
            models.CheckConstraint(
                condition=Q(least_answers__gte=1, least_answers__lte=F("answers")),
                name="at_risk_policies_least_answers_are_looked_at",
                violation_error_message="No more answers can be required than are looked at.",
            ),
            models.CheckConstraint(condition=Q(days__range=(1, MOST_DAYS)), name="at_risk_policies_days_in_range"),
        ]

    def __str__(self) -> str:
        return f"At risk at {self.organization}"


class WatchQuerySet(models.QuerySet["AtRiskWatch"]):
    def learners(self, after: UUID) -> models.QuerySet[User]:
        """Those who are looked at, in id order, after this one."""
        watched = self.filter(looks=True).values("organization_id")
        return User.objects.filter(organization__in=watched, is_active=True, id__gt=after).order_by("id")


class AtRiskWatch(models.Model):
    """Whether the job looks at an organization and tells its managers, as it was at the job's last run."""

    organization = models.OneToOneField(Organization, primary_key=True, on_delete=models.CASCADE, related_name="+")
    looks = models.BooleanField()
    tells = models.BooleanField()
    # What came about before is not told any more; None: nothing is too old.
    tells_since = models.DateTimeField(null=True)

    objects = WatchQuerySet.as_manager()

    class Meta:
        db_table = "at_risk_watches"

    def __str__(self) -> str:
        return str(self.organization_id)


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a learner is at risk in a track; silence has no share, answers and threshold."""

    since: datetime
    last_answer_at: datetime
    share: Decimal | None
    answers: int | None
    threshold: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What is so now and not in the open episode; without a ``found`` she is not at risk any more."""

    episode_id: UUID | None
    organization_id: UUID
    learner_id: UUID
    track_id: UUID
    reason: AtRiskReason
    # She has recovered since, and is at risk anew.
    is_anew: bool
    # Managers are to be told.
    is_news: bool
    found: Finding | None


# Those at risk among some learners, held against the open episodes.
DIFFERENCES = """
    WITH at_risk AS (
        SELECT level.organization_id, level.learner_id, level.track_id, level.last_answer_at, found.*,
               watch.tells AND found.since >= coalesce(watch.tells_since, '-infinity') AS is_news
          FROM learner_levels AS level
          JOIN at_risk_watches AS watch ON watch.organization_id = level.organization_id
          LEFT JOIN at_risk_policies AS policy ON policy.organization_id = level.organization_id
         CROSS JOIN LATERAL (
            SELECT coalesce(policy.comprehension, %(comprehension)s) AS comprehension,
                   coalesce(policy.share, %(share)s) AS share,
                   coalesce(policy.answers, %(answers)s) AS answers,
                   coalesce(policy.least_answers, %(least_answers)s) AS least_answers,
                   coalesce(policy.silence, %(silence)s) AS silence,
                   coalesce(policy.days, %(days)s) * interval '24 hours' AS silent_for
         ) AS rule
         CROSS JOIN LATERAL (
            SELECT 'comprehension' AS reason, level.last_answer_at AS since,
                   trunc(latest.credit * 100.0 / (latest.answers * %(whole)s), 2) AS share,
                   latest.answers, rule.share AS threshold
              FROM (SELECT count(*)::int AS answers, sum(credit) AS credit
                      FROM unnest(level.latest_credits[1:rule.answers]) AS credit) AS latest
             WHERE rule.comprehension AND latest.answers >= rule.least_answers
               AND latest.credit * 100 < rule.share * latest.answers * %(whole)s
             UNION ALL
            SELECT 'silence', level.last_answer_at + rule.silent_for, NULL, NULL, NULL
             WHERE rule.silence AND level.last_answer_at + rule.silent_for <= %(now)s AND NOT (
                   level.cycle > 1 AND (
                   EXISTS (SELECT FROM completions AS done
                            WHERE done.learner_id = level.learner_id AND done.track_id = level.track_id
                              AND done.cycle = level.cycle - 1 AND done.certificate_id IS NULL)
                   OR EXISTS (SELECT FROM certificates AS held
                               WHERE held.learner_id = level.learner_id AND held.track_id = level.track_id
                                 AND coalesce(held.revoked_at, 'infinity') > level.last_answer_at
                                 AND coalesce(held.expires_at
                                              - least(%(renewal)s, (held.expires_at - held.issued_at) / 2),
                                              'infinity') > level.last_answer_at)))
         ) AS found
         WHERE level.learner_id = ANY(%(learners)s)
           AND level.last_answer_at IS NOT NULL
           AND EXISTS (SELECT FROM items WHERE items.track_id = level.track_id AND items.retired_at IS NULL)
    ), known AS (
        SELECT * FROM at_risk_episodes WHERE ended_at IS NULL AND learner_id = ANY(%(learners)s)
    )
    SELECT known.id, coalesce(at_risk.organization_id, known.organization_id), learner_id, track_id, reason,
           coalesce(reason = 'silence' AND at_risk.last_answer_at > known.last_answer_at, false),
           coalesce(at_risk.is_news, false),
           at_risk.since, at_risk.last_answer_at, at_risk.share, at_risk.answers, at_risk.threshold
      FROM at_risk FULL JOIN known USING (learner_id, track_id, reason)
     WHERE (at_risk.last_answer_at, at_risk.share, at_risk.answers, at_risk.threshold)
           IS DISTINCT FROM (known.last_answer_at, known.share, known.answers, known.threshold)
     ORDER BY learner_id, track_id, reason
"""


def _finding(since: datetime | None, *numbers: Any) -> Finding | None:
    return Finding(since, *numbers) if since else None


class EpisodeQuerySet(TenantQuerySet["AtRiskEpisode"]):
    def open(self) -> Self:
        """Not recovered, as far as it is known."""
        return self.filter(ended_at=None)

    def present(self) -> Self:
        """The open ones of people and organizations that are here; of the others nobody knows."""
        return self.open().filter(learner__is_active=True, organization__closed_at=None)

    def visible_to(self, caller: Caller) -> Self:
        """A manager's team members, not herself; the whole organization; everyone."""
        episodes = self.in_reach_of(caller)
        if caller.reads_organization:
            return episodes
        members = Membership.objects.managed_by(caller.id_to_match).values("user_id")
        return episodes.filter(learner__in=members).exclude(learner_id=caller.id_to_match)

    def owed(self, learner_ids: Collection[UUID]) -> Self:
        """Those of these learners that can be told, for there is a manager to tell it to; locked, in id order."""
        managed = Membership.objects.managed().filter(user=OuterRef("learner_id"))
        owed = self.open().filter(Exists(managed), owed=True, learner__in=learner_ids).order_by("id")
        return owed.select_for_update(no_key=True, of=("self",))

    def locked(self, ids: Collection[UUID]) -> Self:
        """Those that are still open, in id order, so that two who lock the same do not deadlock."""
        return self.open().filter(id__in=ids).order_by("id").select_for_update(no_key=True, of=("self",))

    def differences(self, learner_ids: Sequence[UUID], moment: datetime) -> list[Difference]:
        """What is other now than the learners' episodes say; always in the same order."""
        policy = AtRiskPolicy()
        values: dict[str, Any] = {
            name: getattr(policy, name)
            for name in ("comprehension", "share", "answers", "least_answers", "silence", "days")
        }
        values |= {"learners": list(learner_ids), "now": moment, "whole": WHOLE, "renewal": RENEWAL}
        with connections[self.db].cursor() as cursor:
            cursor.execute(DIFFERENCES, values)
            return [
                Difference(
                    episode_id, organization_id, learner_id, track_id, reason, is_anew, is_news, _finding(*numbers)
                )
                for episode_id, organization_id, learner_id, track_id, reason, is_anew, is_news, *numbers in cursor
            ]


class AtRiskEpisode(models.Model):
    """A learner is at risk in a track, from when it was found until she has recovered. A manager is told of it once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    learner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    track = models.ForeignKey(Track, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=16, choices=AtRiskReason)
    since = models.DateTimeField(help_text="The answer with which it was too low; the end of the days of silence.")
    last_answer_at = models.DateTimeField()
    share = models.DecimalField(null=True, max_digits=5, decimal_places=2, help_text="Percent of credit, rounded down.")
    answers = models.PositiveSmallIntegerField(null=True, help_text="Over so many answers.")
    threshold = models.PositiveSmallIntegerField(null=True, help_text="In percent: below it she is at risk.")
    found_at = models.DateTimeField(default=clock.now)
    # Managers are still to be told.
    owed = models.BooleanField()
    told_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = EpisodeQuerySet.as_manager()

    class Meta:
        db_table = "at_risk_episodes"
        ordering = ["-since", "-id"]
        verbose_name = "learner at risk"
        verbose_name_plural = "learners at risk"
        constraints = [
            # Also the index by which the job finds the open ones of some learners, and a manager those of her teams.
            models.UniqueConstraint(
                fields=["learner", "track", "reason"],
                condition=Q(ended_at=None),
                name="at_risk_episodes_once_until_recovery",
            ),
            models.CheckConstraint(
                condition=Q(
                    reason=AtRiskReason.COMPREHENSION,
                    share__isnull=False,
                    answers__isnull=False,
                    threshold__isnull=False,
                )
                | Q(reason=AtRiskReason.SILENCE, share=None, answers=None, threshold=None),
                name="at_risk_episodes_numbers_go_with_the_reason",
            ),
            models.CheckConstraint(
                condition=Q(owed=False) | Q(told_at=None, ended_at=None), name="at_risk_episodes_owed_until_told"
            ),
        ]
        indexes = [
            # GET /api/at-risk of an organization, the latest first.
            models.Index(
                fields=["organization", "-since", "-id"], condition=Q(ended_at=None), name="at_risk_episodes_present"
            ),
            # The admin's list of all organizations, the latest first; also GET /api/at-risk for who reads everything.
            models.Index(fields=["-since", "-id"], condition=Q(ended_at=None), name="at_risk_episodes_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.learner_id} in {self.track_id}: {self.reason}"

    def show(self, found: Finding) -> None:
        """The numbers as they are now; since when it is so stays."""
        self.last_answer_at = found.last_answer_at
        self.share, self.answers, self.threshold = found.share, found.answers, found.threshold

    def days_of_silence(self, moment: datetime) -> int:
        """Whole ones."""
        return (moment - self.last_answer_at) // timedelta(days=1)
