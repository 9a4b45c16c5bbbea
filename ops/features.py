"""Features: which are on for whom and why, and switching them."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from audit.models import EventType
from audit.recording import Event, record, record_many
from cerply import clock
from cerply.errors import Conflict
from cerply.permissions import Actor
from ops.models import Feature, FeatureEnrolment, FeatureRollout
from ops.wake import enqueue

__all__ = [
    "Decision",
    "Feature",
    "Reason",
    "RolloutPreview",
    "decide",
    "decisions",
    "enrol",
    "is_on",
    "notice_changes",
    "preview_rollout",
    "set_pilot",
    "set_rollout",
    "set_toggle",
    "switched_on",
    "withdraw",
]

DECIDING = """
    SELECT asked.feature, rollout.percentage, enrolment.toggle, enrolment.pilot, enrolment.in_rollout
      FROM unnest(%(features)s::text[]) AS asked (feature)
      LEFT JOIN feature_rollouts AS rollout ON rollout.feature = asked.feature
      LEFT JOIN feature_enrolments AS enrolment
        ON enrolment.feature = asked.feature AND enrolment.organization_id = %(organization_id)s
"""


class Reason(StrEnum):
    """Which of the decisions decided, in their order."""

    SWITCH = "switch"
    ORGANIZATION = "organization"
    PILOT = "pilot"
    ROLLOUT = "rollout"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Decision:
    on: bool
    reason: Reason

    @classmethod
    def of(
        cls, feature: str, *, percentage: int | None, toggle: bool | None, pilot: bool | None, in_rollout: bool | None
    ) -> "Decision":
        if not switched_on(feature):
            return cls(False, Reason.SWITCH)
        if toggle is not None:
            return cls(toggle, Reason.ORGANIZATION)
        if pilot:
            return cls(True, Reason.PILOT)
        if percentage is not None:
            return cls(bool(in_rollout), Reason.ROLLOUT)
        return cls(True, Reason.DEFAULT)


# -- what is on --


def switched_on(feature: str) -> bool:
    """The switch for everyone, from the environment."""
    return bool(settings.FEATURE_SWITCHES[feature])


def decisions(organization_id: UUID | None = None) -> dict[Feature, Decision]:
    """Each feature, in one query; without an organization, what the switches say."""
    if organization_id is None:
        return {
            feature: Decision.of(feature, percentage=None, toggle=None, pilot=None, in_rollout=None)
            for feature in Feature
        }
    return _decided(list(Feature), organization_id)


def decide(feature: Feature, organization_id: UUID) -> Decision:
    """On or off for this organization, and why. Reads the database each time, so all processes agree at once."""
    return _decided([feature], organization_id)[feature]


def is_on(feature: Feature, organization_id: UUID) -> bool:
    return switched_on(feature) and decide(feature, organization_id).on


def _decided(features: Sequence[Feature], organization_id: UUID) -> dict[Feature, Decision]:
    with connection.cursor() as cursor:
        cursor.execute(
            DECIDING, {"features": [feature.value for feature in features], "organization_id": organization_id}
        )
        return {
            Feature(feature): Decision.of(
                feature, percentage=percentage, toggle=toggle, pilot=pilot, in_rollout=in_rollout
            )
            for feature, percentage, toggle, pilot, in_rollout in cursor.fetchall()
        }


# -- organizations come and go --


def enrol(organization_id: UUID) -> None:
    """A new organization (or one that is open again) joins each rollout as far as its share allows."""
    with transaction.atomic():
        for feature in Feature:
            rollout = _locked(feature)
            enrolment, created = FeatureEnrolment.objects.get_or_create(
                feature=feature, organization_id=organization_id
            )
            if not created:
                continue
            _fill_share(rollout, first=organization_id)
            enrolment.refresh_from_db()
            # What it begins with has not been switched.
            enrolment.effective = _decided([feature], organization_id)[feature].on
            enrolment.save(update_fields=["effective"])
            _notice(rollout, actor=Actor.system("rollout"), reason="The rollout takes its share.")


def withdraw(organization_id: UUID) -> None:
    """The organization is closed or deleted: it counts in no share any more."""
    with transaction.atomic():
        for feature in Feature:
            rollout = _locked(feature)
            FeatureEnrolment.objects.filter(feature=feature, organization_id=organization_id).delete()
            _fill_share(rollout)
            _notice(rollout, actor=Actor.system("rollout"), reason="The rollout takes its share.")


# -- switching --


def set_toggle(feature: Feature, organization_id: UUID, toggle: bool | None, *, actor: Actor, reason: str) -> Decision:
    """The organization's own say: on, off, or (None) none."""
    return _set(feature, organization_id, "toggle", toggle, actor=actor, reason=reason)


def set_pilot(feature: Feature, organization_id: UUID, pilot: bool, *, actor: Actor, reason: str) -> Decision:
    """On before the rollout reaches it."""
    return _set(feature, organization_id, "pilot", pilot, actor=actor, reason=reason)


def _set(
    feature: Feature, organization_id: UUID, setting: str, value: bool | None, *, actor: Actor, reason: str
) -> Decision:
    _require(reason)
    with transaction.atomic():
        rollout = _locked(feature)
        enrolment = FeatureEnrolment.objects.get(feature=feature, organization_id=organization_id)
        before = getattr(enrolment, setting)
        setattr(enrolment, setting, value)
        if enrolment.toggle is not None or enrolment.pilot:
            enrolment.in_rollout = False
        enrolment.save(update_fields=[setting, "in_rollout"])
        _fill_share(rollout, first=organization_id)
        decision = decide(feature, organization_id)
        if before != value:
            change = {"feature": feature, "setting": setting, "before": before, "after": value}
            record(_switched(organization_id, decision, reason, change), actor=actor)
        _notice(rollout, actor=actor, reason=reason, told={organization_id} if before != value else ())
    return decision


@dataclass(frozen=True, slots=True)
class RolloutPreview:
    """What setting the percentage would do; switched on and off are organizations."""

    feature: Feature
    before: int | None
    after: int | None
    candidates: int
    chosen: tuple[UUID, ...]
    switched_on: tuple[UUID, ...]
    switched_off: tuple[UUID, ...]

    @property
    def fingerprint(self) -> str:
        """Tells whether another preview would do the same."""
        return hashlib.sha256(repr((self.after, self.switched_on, self.switched_off)).encode()).hexdigest()


def preview_rollout(feature: Feature, percentage: int | None) -> RolloutPreview:
    """What `set_rollout` would do now. Only a lower percentage (or the first) switches anything off."""
    rollout = FeatureRollout.objects.filter(feature=feature).first() or FeatureRollout(feature=feature)
    candidates = dict(FeatureEnrolment.objects.candidates(feature).values_list("organization_id", "in_rollout"))
    chosen = [organization for organization in _in_order(feature, candidates) if candidates[organization]]
    if percentage is None:
        chosen = []
    else:
        share = _share(percentage, len(candidates))
        if rollout.percentage is not None and percentage >= rollout.percentage:
            share = max(share, len(chosen))  # the share may have shrunk since, but only lowering takes away
        waiting = [organization for organization in _in_order(feature, candidates) if not candidates[organization]]
        chosen = [*chosen[:share], *waiting[: max(0, share - len(chosen))]]
    on_before = {key for key, in_rollout in candidates.items() if in_rollout or rollout.percentage is None}
    on_after = set(candidates if percentage is None else chosen)
    return RolloutPreview(
        feature,
        rollout.percentage,
        percentage,
        len(candidates),
        tuple(chosen),
        tuple(_in_order(feature, on_after - on_before)),
        tuple(_in_order(feature, on_before - on_after)),
    )


def set_rollout(
    feature: Feature, percentage: int | None, *, actor: Actor, reason: str, shown: str | None = None
) -> RolloutPreview:
    """Takes an exact share of the organizations; None ends the rollout, and the feature is on for all of them.

    ``shown`` is the fingerprint of the preview that somebody agreed to: `Conflict` if it would do something else now.
    """
    _require(reason)
    if percentage is not None and not 0 <= percentage <= 100:
        raise ValueError("A percentage is from 0 to 100.")
    with transaction.atomic():
        rollout = _locked(feature)
        change = preview_rollout(feature, percentage)
        if shown is not None and shown != change.fingerprint:
            raise Conflict("Organizations have changed meanwhile. Look at what it does now, and say so again.")
        candidates = FeatureEnrolment.objects.candidates(feature)
        candidates.exclude(organization_id__in=change.chosen).update(in_rollout=False)
        candidates.filter(organization_id__in=change.chosen).update(in_rollout=True)
        rollout.percentage = percentage
        rollout.changed_at = clock.now()
        rollout.save(update_fields=["percentage", "changed_at"])
        metadata = {
            "feature": feature,
            "before": change.before,
            "after": change.after,
            "candidates": change.candidates,
            "chosen": len(change.chosen),
            "reason": reason,
        }
        record(Event(EventType.ROLLOUT_CHANGED, None, "feature", metadata=metadata), actor=actor)
        _notice(rollout, actor=actor, reason=reason)
    return change


def notice_changes() -> str:
    """Finds what the environment switched, for every organization. The job that catches up calls this first."""
    changed = 0
    for feature in Feature:
        with transaction.atomic():
            changed += _notice(_locked(feature), actor=Actor.system("environment"), reason="The switch for everyone.")
    return f"Noticed {changed} switched features."


# -- steps; the caller holds the lock of the rollout --


def _require(reason: str) -> None:
    if not reason.strip():
        raise ValueError("Say why: the reason is kept in the audit.")


def _locked(feature: Feature) -> FeatureRollout:
    FeatureRollout.objects.get_or_create(feature=feature)
    return FeatureRollout.objects.select_for_update().get(feature=feature)


def _share(percentage: int, candidates: int) -> int:
    """Of 40, 15 % are 6; half an organization is a whole one."""
    return (percentage * candidates + 50) // 100


def _in_order(feature: Feature, organizations: Collection[UUID]) -> list[UUID]:
    """The order in which a rollout takes them: fixed, and another one for each feature."""
    return sorted(organizations, key=lambda key: hashlib.sha256(f"{feature.value}{key}".encode()).digest())


def _fill_share(rollout: FeatureRollout, first: UUID | None = None) -> None:
    """Adds organizations where the share is larger than what was chosen; takes none away, which is for staff to do."""
    if rollout.percentage is None:
        return
    feature = Feature(rollout.feature)
    candidates = FeatureEnrolment.objects.candidates(feature)
    missing = _share(rollout.percentage, candidates.count()) - candidates.filter(in_rollout=True).count()
    if missing <= 0:
        return
    waiting = _in_order(feature, candidates.filter(in_rollout=False).values_list("organization_id", flat=True))
    waiting.sort(key=lambda organization: organization != first)
    candidates.filter(organization_id__in=waiting[:missing]).update(in_rollout=True)


def _notice(rollout: FeatureRollout, *, actor: Actor, reason: str, told: Collection[UUID] = ()) -> int:
    """Remembers and audits what differs from the last time; ``told`` are audited already."""
    feature = Feature(rollout.feature)
    changed = list(
        FeatureEnrolment.objects.switched_since(
            feature, switch=switched_on(feature), percentage=rollout.percentage
        ).order_by("organization_id")
    )
    for effective in (True, False):
        ids = [enrolment.id for enrolment in changed if enrolment.effective is not effective]
        FeatureEnrolment.objects.filter(id__in=ids).update(effective=effective)
    events = [
        _switched(enrolment.organization_id, _decision(rollout, enrolment), reason, {"feature": feature})
        for enrolment in changed
        if enrolment.organization_id not in told
    ]
    record_many(events, actor=actor)
    if any(not enrolment.effective for enrolment in changed):
        # What was earned meanwhile is awarded and issued now; the job by the clock goes on where this is interrupted.
        enqueue(settings.JOBS["catch_up_features"]["run"])
    return len(changed)


def _decision(rollout: FeatureRollout, enrolment: FeatureEnrolment) -> Decision:
    return Decision.of(
        rollout.feature,
        percentage=rollout.percentage,
        toggle=enrolment.toggle,
        pilot=enrolment.pilot,
        in_rollout=enrolment.in_rollout,
    )


def _switched(organization_id: UUID, decision: Decision, reason: str, change: dict[str, Any]) -> Event:
    metadata = {**change, "on": decision.on, "decidedBy": decision.reason, "reason": reason}
    return Event(EventType.FEATURE_SWITCHED, organization_id, "organization", organization_id, metadata)
