"""Learners at risk, for their managers; and what the organization calls at risk, for its admins."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply import clock
from cerply.openapi import PAGE_PARAMETERS
from cerply.permissions import Role
from cerply.requests import WRITES
from gamification import representation, serializers
from gamification.at_risk_policies import policy_of, set_policy
from gamification.models import AtRiskEpisode, AtRiskPolicy
from ops.api import ApiView
from ops.features import Feature

TAGS = ["at risk"]


class AtRiskView(ApiView):
    feature = Feature.GAMIFICATION

    def permit(self) -> None:
        self.require(self.caller.reads_organization or self.caller.role is Role.MANAGER)

    @extend_schema(
        operation_id="listAtRisk",
        summary="Learners who are at risk, as of the last daily look; the latest first",
        tags=TAGS,
        parameters=[
            OpenApiParameter("reason", {"$ref": "#/components/schemas/AtRiskReason"}),
            *PAGE_PARAMETERS,
        ],
        responses={200: serializers.AtRiskPage},
    )
    def get(self, request: Request) -> Response:
        query, page = self.query(serializers.AtRiskQuery), self.page()
        episodes = AtRiskEpisode.objects.present().visible_to(self.caller).select_related("learner", "track")
        if "reason" in query:
            episodes = episodes.filter(reason=query["reason"])
        now = clock.now()
        return Response(page.of_queryset("atRisk", episodes, lambda episode: representation.at_risk(episode, now)))


class AtRiskPolicyView(ApiView):
    """An admin's; an auditor reads it. Who reads everything is shown what holds for who has said nothing."""

    feature = Feature.GAMIFICATION

    def permit(self) -> None:
        self.require(self.caller.administers or (self.caller.reads_organization and self.request.method not in WRITES))

    @extend_schema(
        operation_id="getAtRiskPolicy",
        summary="When the organization calls a learner at risk",
        tags=TAGS,
        responses={200: serializers.AtRiskPolicy},
    )
    def get(self, request: Request) -> Response:
        organization_id = self.caller.organization_id
        return Response(
            representation.at_risk_policy(policy_of(organization_id) if organization_id else AtRiskPolicy())
        )

    @extend_schema(
        operation_id="putAtRiskPolicy",
        summary="Say when the organization calls a learner at risk",
        tags=TAGS,
        request=serializers.AtRiskPolicyInput,
        responses={200: serializers.AtRiskPolicy},
    )
    def put(self, request: Request) -> Response:
        values = self.valid(serializers.AtRiskPolicyInput)
        return Response(
            representation.at_risk_policy(set_policy(self.caller.member_of, values, actor=self.caller.actor))
        )
