"""Rows as the API writes them."""

from datetime import datetime
from typing import Any

from cerply.clock import rfc3339
from certificates.models import Certificate
from gamification.at_risk_policies import FIELDS
from gamification.explaining import Explanation
from gamification.folding import LevelChange
from gamification.models import AtRiskEpisode, AtRiskPolicy, AtRiskReason, Completion, LearnerBadge, LearnerLevel
from gamification.progress import Recorded


def recorded(outcome: Recorded) -> dict[str, Any]:
    return {
        "recorded": outcome.recorded,
        "duplicates": outcome.duplicates,
        "levelChanges": [level_change(change) for change in outcome.level_changes],
        "badges": [awarded_badge(badge) for badge in outcome.badges],
        "certificates": [issued_certificate(certificate) for certificate in outcome.certificates],
    }


def level_change(change: LevelChange) -> dict[str, Any]:
    return {
        "learnerId": str(change.learner.id),
        "trackId": str(change.track.id),
        "trackTitle": change.track.title,
        "previousLevel": change.previous,
        "newLevel": change.new,
        "correctAttempts": change.correct_attempts,
    }


def awarded_badge(award: LearnerBadge) -> dict[str, Any]:
    return {
        "id": str(award.id),
        "learnerId": str(award.learner_id),
        "slug": award.badge.slug,
        "name": award.badge.name,
        "icon": award.badge.icon,
        "earnedAt": rfc3339(award.earned_at),
    }


def issued_certificate(certificate: Certificate) -> dict[str, Any]:
    return {
        "id": str(certificate.id),
        "learnerId": str(certificate.learner_id),
        "trackId": str(certificate.track_id),
        "trackTitle": certificate.track_title,
        "issuedAt": rfc3339(certificate.issued_at),
        "verificationUrl": certificate.verification_url,
        "downloadUrl": certificate.download_url,
    }


def completion(done: Completion) -> dict[str, Any]:
    return {
        "id": str(done.id),
        "learnerId": str(done.learner_id),
        "trackId": str(done.track_id),
        "trackTitle": done.track.title,
        "source": done.source,
        "completedAt": rfc3339(done.completed_at),
        "certificate": issued_certificate(done.certificate) if done.certificate else None,
    }


def level(row: LearnerLevel, track_title: str) -> dict[str, Any]:
    return {
        "userId": str(row.learner_id),
        "trackId": str(row.track_id),
        "trackTitle": track_title,
        "level": row.level,
        "correctAttempts": row.correct_attempts,
        "nextLevel": row.next_level,
        "attemptsToNext": row.attempts_to_next,
        "leveledUpAt": rfc3339(row.leveled_up_at) if row.leveled_up_at else None,
    }


def earned_badge(award: LearnerBadge) -> dict[str, Any]:
    return {
        "id": str(award.id),
        "slug": award.badge.slug,
        "name": award.badge.name,
        "description": award.badge.description,
        "icon": award.badge.icon,
        "earnedAt": rfc3339(award.earned_at),
    }


def explained(explanation: Explanation) -> dict[str, Any]:
    badge, award = explanation.badge, explanation.award
    return {
        "slug": badge.slug,
        "name": badge.name,
        "description": badge.description,
        "icon": badge.icon,
        "earned": award is not None,
        "earnedAt": rfc3339(award.earned_at) if award else None,
        "ruleVersion": explanation.rule.version,
        "progress": {"current": explanation.current, "target": explanation.rule.target},
        "evidence": award.evidence if award else None,
    }


def at_risk(episode: AtRiskEpisode, now: datetime) -> dict[str, Any]:
    """With learner and track selected."""
    is_silent = episode.reason == AtRiskReason.SILENCE
    return {
        "id": str(episode.id),
        "learnerId": str(episode.learner_id),
        "learnerName": episode.learner.name,
        "trackId": str(episode.track_id),
        "trackTitle": episode.track.title,
        "reason": episode.reason,
        "since": rfc3339(episode.since),
        "foundAt": rfc3339(episode.found_at),
        "lastAnswerAt": rfc3339(episode.last_answer_at),
        "share": None if episode.share is None else float(episode.share),
        "answers": episode.answers,
        "threshold": episode.threshold,
        "days": episode.days_of_silence(now) if is_silent else None,
    }


def at_risk_policy(policy: AtRiskPolicy) -> dict[str, Any]:
    return {name: getattr(policy, attribute) for name, attribute in FIELDS.items()}
