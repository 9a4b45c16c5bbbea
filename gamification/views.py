"""The progress API: answers and shares in; levels and badges out."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.accounts.access import LearnerView
from cerply.accounts.models import User
from cerply.errors import Invalid
from cerply.identifiers import parse_uuid
from cerply.openapi import PAGE_PARAMETERS
from cerply.permissions import Role
from cerply.tracks.models import Track
from gamification import representation, serializers
from gamification.answers import Answer
from gamification.completing import complete_outside
from gamification.explaining import explain
from gamification.models import Badge, LearnerBadge, LearnerLevel
from gamification.progress import ItemsGone, record
from gamification.resolving import resolve_answers, resolve_sharer
from gamification.sharing import share
from ops.api import ApiView
from ops.features import Feature


class RecordingView(ApiView):
    """A learner records for herself; an admin for any learner of the organization."""

    def permit(self) -> None:
        self.require(self.caller.role in {Role.LEARNER, Role.ADMIN})
        if self.caller.role is Role.LEARNER:
            self.require(all(self.is_own(row) for row in self.rows()), "You may record for yourself alone.")

    def rows(self) -> list[dict[str, Any]]:
        """What the body names, as far as it can be read; whether it is valid is for later."""
        value = self.body.value
        rows = value.get("attempts", [value]) if isinstance(value, dict) else []
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    def is_own(self, row: dict[str, Any]) -> bool:
        named, external = row.get("learnerId"), row.get("learnerExternalId")
        learner_id = parse_uuid(named) if isinstance(named, str) else None
        if learner_id and learner_id != self.caller.user_id:
            return False
        return not isinstance(external, str) or external == self.own_external_id

    @property
    def own_external_id(self) -> str | None:
        user = self.request.user
        return user.external_id if isinstance(user, User) else None


class AttemptsView(RecordingView):
    @extend_schema(
        operation_id="recordAttempts",
        summary="Record one answer, or up to 1,000",
        request=PolymorphicProxySerializer(
            "AttemptOrBatch", [serializers.AttemptInput, serializers.AttemptBatchInput], None
        ),
        responses={201: serializers.Recorded},
    )
    def post(self, request: Request) -> Response:
        value = self.body.parsed()
        is_batch = isinstance(value, dict) and "attempts" in value
        if is_batch:
            rows = self.valid(serializers.AttemptBatchInput)["attempts"]
        else:
            rows = [self.valid(serializers.AttemptInput)]
        answers = self.resolved(rows, is_batch)
        try:
            outcome = record(answers, actor=self.caller.actor)
        except ItemsGone:
            # It has been deleted meanwhile, and is as unknown as if it had been gone from the start.
            self.resolved(rows, is_batch)
            raise
        return Response(representation.recorded(outcome), status=201)

    def resolved(self, rows: list[dict[str, Any]], is_batch: bool) -> list[Answer]:
        answers, problems = resolve_answers(rows, self.caller)
        if problems:
            by_index = {str(index): problem for index, problem in sorted(problems.items())}
            raise Invalid({"attempts": by_index} if is_batch else problems[0])
        return answers


class SharesView(RecordingView):
    @extend_schema(
        operation_id="recordShare",
        summary="An artefact was shared with the team",
        request=serializers.ShareInput,
        responses={201: serializers.Shared},
    )
    def post(self, request: Request) -> Response:
        values = self.valid(serializers.ShareInput)
        learner = resolve_sharer(values, self.caller)
        shares = share(
            learner,
            values["artefactId"],
            client_id=values.get("id"),
            occurred_at=values.get("occurredAt"),
            actor=self.caller.actor,
        )
        return Response({"artefactId": values["artefactId"], "shares": shares}, status=201)


class CompletionsView(LearnerView):
    def permit(self) -> None:
        self.require(self.caller.administers)

    @extend_schema(
        operation_id="recordCompletion",
        summary="A learner completed a track outside Cerply",
        request=serializers.CompletionInput,
        responses={201: serializers.Completion},
    )
    def post(self, request: Request, learner_id: UUID) -> Response:
        track_id = self.valid(serializers.CompletionInput)["trackId"]
        track = Track.objects.usable_by(self.caller).filter(id=track_id).first()
        if track is None:
            raise Invalid({"trackId": ["There is no such track."]})
        completion = complete_outside(self.found_learner, track, actor=self.caller.actor)
        return Response(representation.completion(completion), status=201)


class LevelView(LearnerView):
    feature = Feature.GAMIFICATION

    @extend_schema(
        operation_id="getLevel",
        summary="A learner's level in a track",
        responses={200: serializers.LearnerLevel},
    )
    def get(self, request: Request, learner_id: UUID, track_id: UUID) -> Response:
        learner = self.found_learner
        tracks = Track.objects.filter(organization_id__in=[learner.organization_id]) | Track.objects.filter(
            organization=None
        )
        track = get_object_or_404(tracks, id=track_id)
        level = LearnerLevel.objects.filter(learner=learner, track=track).first()
        return Response(representation.level(level or LearnerLevel(learner=learner, track=track), track.title))


class LevelsView(LearnerView):
    feature = Feature.GAMIFICATION
    empty_for_unknown = True

    @extend_schema(
        operation_id="listLevels",
        summary="A learner's levels in the tracks that she has started",
        parameters=PAGE_PARAMETERS,
        responses={200: serializers.LevelPage},
    )
    def get(self, request: Request, learner_id: UUID) -> Response:
        page = self.page()
        levels = LearnerLevel.objects.in_reach_of(self.caller).filter(learner_id=learner_id).started()
        levels = levels.select_related("track").order_by("track__title", "track_id")
        return Response(
            page.of_queryset("levels", levels, lambda level: representation.level(level, level.track.title))
        )


class BadgesView(LearnerView):
    feature = Feature.GAMIFICATION
    empty_for_unknown = True

    @extend_schema(
        operation_id="listBadges",
        summary="The badges that a learner has earned",
        parameters=PAGE_PARAMETERS,
        responses={200: serializers.BadgePage},
    )
    def get(self, request: Request, learner_id: UUID) -> Response:
        page = self.page()
        awards = LearnerBadge.objects.in_reach_of(self.caller).filter(learner_id=learner_id).select_related("badge")
        body = page.of_queryset("badges", awards, representation.earned_badge)
        remaining = Badge.objects.filter(is_active=True).exclude(learner_badges__learner_id=learner_id).count()
        earned = body["total"]
        return Response(body | {"totalBadges": earned + remaining, "earned": earned, "remaining": remaining})


class BadgeView(LearnerView):
    feature = Feature.GAMIFICATION

    @extend_schema(
        operation_id="explainBadge",
        summary="Why a badge was earned, or what is missing",
        responses={200: serializers.BadgeExplained},
    )
    def get(self, request: Request, learner_id: UUID, slug: str) -> Response:
        badge = Badge.objects.filter(slug=slug).first()
        if badge is None:
            raise Http404
        explanation = explain(self.found_learner, badge)
        if not badge.is_active and not explanation.award:
            raise Http404
        return Response(representation.explained(explanation))
