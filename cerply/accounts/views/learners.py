"""The organization's people."""

from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.accounts import people, representation, serializers
from cerply.accounts.access import LearnerView
from cerply.accounts.models import Membership, Team, User
from cerply.errors import Invalid
from cerply.openapi import PAGE_PARAMETERS
from cerply.requests import WRITES
from ops.api import ApiView

TAGS = ["people"]


def with_teams(users: QuerySet[User]) -> QuerySet[User]:
    return users.prefetch_related(Prefetch("memberships", Membership.objects.select_related("team")))


class LearnersView(ApiView):
    def permit(self) -> None:
        if self.request.method in WRITES:
            self.require(self.caller.administers)

    @extend_schema(
        operation_id="listLearners",
        summary="The people one may see, by name",
        tags=TAGS,
        parameters=[
            OpenApiParameter(
                "q",
                str,
                description=(
                    "Words, in any order and case. Each is to be the beginning of a word of the name, the e-mail "
                    "address or the external id: `maya lind`, `lindqvist`, `maya.l`, `example`, `hr-10`. The middle of "
                    "a word is not looked into."
                ),
            ),
            OpenApiParameter("team", {"type": "string", "format": "uuid"}, description="In this team."),
            *PAGE_PARAMETERS,
        ],
        responses={200: serializers.LearnerPage},
    )
    def get(self, request: Request) -> Response:
        query, page = self.query(serializers.LearnerQuery), self.page()
        users = User.objects.visible_to(self.caller)
        if text := query.get("q"):
            users = users.found_by(text)
        if team_id := query.get("team"):
            if not Team.objects.in_reach_of(self.caller).filter(id=team_id).exists():
                raise Invalid({"team": ["There is no such team."]})
            users = users.filter(id__in=Membership.objects.filter(team_id=team_id).values("user_id"))
        return Response(page.of_queryset("learners", with_teams(users), representation.learner))

    @extend_schema(
        operation_id="saveLearners",
        summary="Create somebody, or up to 1,000 people",
        description=(
            "A known `externalId` makes it an update: fields left out stay, role and password are never changed. "
            "A list is taken whole or not at all, and sets at most 50 passwords: each takes a while to hash."
        ),
        tags=TAGS,
        request=PolymorphicProxySerializer(
            "LearnerOrBatch", [serializers.LearnerInput, serializers.LearnerBatchShape], None
        ),
        responses={
            200: PolymorphicProxySerializer(
                "LearnerUpdatedOrSaved", [serializers.Learner, serializers.LearnersSaved], None
            ),
            201: serializers.Learner,
        },
    )
    def post(self, request: Request) -> Response:
        value = self.body.parsed()
        is_batch = isinstance(value, dict) and "learners" in value
        given = self.valid(serializers.LearnerBatchInput)["learners"] if is_batch else [value]
        rows, problems = checked_rows(self.caller.member_of, given)
        if not problems:
            try:
                saved = people.save_people(self.caller.member_of, rows, actor=self.caller.actor)
            except people.BadRows as exc:
                problems = dict(exc.problems)
        if problems:
            raise Invalid({"learners": {str(key): row for key, row in problems.items()}} if is_batch else problems[0])
        body = represented(saved.people)
        if is_batch:
            return Response({"learners": body, "created": saved.created, "updated": saved.updated})
        return Response(body[0], status=201 if saved.created else 200)


def checked_rows(
    organization_id: UUID, given: list[Any]
) -> tuple[list[dict[str, Any]], dict[int, dict[str, list[str]]]]:
    """The rows as values, and by index what is wrong with the others."""
    known = people.known_external_ids(organization_id, given)
    rows: list[dict[str, Any]] = []
    problems: dict[int, dict[str, list[str]]] = {}
    for index, row in enumerate(given):
        if not isinstance(row, dict):
            problems[index] = {"nonFieldErrors": ["Expected an object."]}
            continue
        external_id = row.get("externalId")
        is_update = isinstance(external_id, str) and external_id.strip() in known
        checked = (serializers.LearnerUpdateInput if is_update else serializers.LearnerInput)(data=row)
        if checked.is_valid():
            rows.append(dict(checked.validated_data))
        else:
            problems[index] = checked.errors
    return rows, problems


def represented(users: list[User]) -> list[dict[str, Any]]:
    """In the given order."""
    found = {user.id: user for user in with_teams(User.objects.filter(id__in=[user.id for user in users]))}
    return [representation.learner(found[user.id]) for user in users]


class OneLearnerView(LearnerView):
    def permit(self) -> None:
        if self.request.method in WRITES:
            self.require(self.caller.administers)
        super().permit()

    @extend_schema(operation_id="getLearner", summary="One person", tags=TAGS, responses={200: serializers.Learner})
    def get(self, request: Request, learner_id: UUID) -> Response:
        return Response(represented([self.found_learner])[0])

    @extend_schema(
        operation_id="changeLearner",
        summary="Change somebody",
        description="409 where the organization would be left without an active admin.",
        tags=TAGS,
        request=serializers.LearnerPatch,
        responses={200: serializers.Learner},
    )
    def patch(self, request: Request, learner_id: UUID) -> Response:
        values = self.valid(serializers.LearnerPatch)
        user = people.change_person(self.found_learner.id, values, actor=self.caller.actor)
        return Response(represented([user])[0])
