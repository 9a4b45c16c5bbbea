"""The link of somebody who has left, as the organization's admin sends it again or withdraws it."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.accounts.access import LearnerView
from certificates import keepsakes, representation, serializers
from certificates.views import TAGS


class KeepsakeLinkView(LearnerView):
    """No feature switches it off."""

    def permit(self) -> None:
        self.require(self.caller.administers)

    @extend_schema(
        operation_id="sendKeepsakeLink",
        summary="Mail somebody who has left a new link to her certificates",
        description="It is mailed by itself when she leaves. 409 while she has an account, or without certificates.",
        tags=TAGS,
        request=None,
        responses={202: serializers.KeepsakeLink},
    )
    def post(self, request: Request, learner_id: UUID) -> Response:
        self.refuse_fields()
        keepsake = keepsakes.send(self.found_learner, actor=self.caller.actor)
        return Response(representation.keepsake(keepsake), status=202)

    @extend_schema(
        operation_id="withdrawKeepsakeLink",
        summary="Withdraw her links: they show nothing from now on",
        tags=TAGS,
        responses={204: None},
    )
    def delete(self, request: Request, learner_id: UUID) -> Response:
        keepsakes.withdraw(self.found_learner, actor=self.caller.actor)
        return Response(status=204)
