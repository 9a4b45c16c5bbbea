"""What an organization says for its managers, by the API."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.permissions import Role
from cerply.requests import WRITES
from notifications import representation, serializers
from notifications.preferring import decide_policy, policy_of
from notifications.views import TAGS
from ops.api import ApiView
from ops.features import Feature


class PolicyView(ApiView):
    """For the organization's admin; its managers and auditors may read it."""

    feature = Feature.MANAGER_NOTIFICATIONS

    def permit(self) -> None:
        readers = {Role.ADMIN} if self.request.method in WRITES else {Role.ADMIN, Role.AUDITOR, Role.MANAGER}
        self.require(self.caller.role in readers)

    @extend_schema(
        operation_id="getNotificationPolicy",
        summary="How managers are told by e-mail who have said nothing themselves",
        tags=TAGS,
        responses={200: serializers.Policy},
    )
    def get(self, request: Request) -> Response:
        return Response(representation.policy(policy_of(self.caller.member_of)))

    @extend_schema(
        operation_id="putNotificationPolicy",
        summary="Say how managers are told by e-mail; locked, whatever they say themselves",
        tags=TAGS,
        request=serializers.PolicyInput,
        responses={200: serializers.Policy},
    )
    def put(self, request: Request) -> Response:
        values = self.valid(serializers.PolicyInput)
        names = {"digestHour": "digest_hour", "digestWeekday": "digest_weekday"}
        fields = {names.get(name, name): value for name, value in values.items()}
        return Response(representation.policy(decide_policy(self.caller.member_of, fields, actor=self.caller.actor)))
