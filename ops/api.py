"""The flow of an API request with the steps that need tables: feature switches and idempotency keys."""

from collections.abc import Callable
from typing import ClassVar

from django.db import transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.response import Response

from cerply import views
from cerply.errors import NotFound
from cerply.requests import WRITES
from ops import features, idempotency
from ops.features import Feature


class ApiView(views.ApiView):
    """Every view of the API that belongs to a feature, or writes."""

    feature: ClassVar[Feature | None] = None
    # Sign-in, tokens and passwords take no key: their answers must not be kept.
    idempotent: ClassVar[bool] = True

    def check_switch(self) -> None:
        if self.feature and not features.switched_on(self.feature):
            raise NotFound("Feature not enabled")

    def check_feature(self) -> None:
        """Staff and the admin token look at every organization, and so past what holds in one."""
        organization_id = self.caller.organization_id
        if self.feature and organization_id and not features.is_on(self.feature, organization_id):
            raise NotFound("Feature not enabled")

    def perform(self, handler: Callable[..., Response]) -> HttpResponseBase:
        if not self.idempotent or self.request.method not in WRITES or not self.caller.is_member:
            return super().perform(handler)
        key = idempotency.key_of(self.request)
        if key is None:
            return super().perform(handler)
        return self.perform_once(handler, idempotency.Scope.of(self.caller, self.request, key))

    def perform_once(self, handler: Callable[..., Response], scope: idempotency.Scope) -> HttpResponse:
        """The effect and its answer are committed together; an error takes both back and frees the key."""
        print_ = idempotency.fingerprint(self.body, self.request.META.get("QUERY_STRING", ""))
        with transaction.atomic():
            scope.hold()
            stored = idempotency.stored_answer(scope, print_)
            if stored is not None:
                return stored
            answer = idempotency.rendered(super().perform(handler))
            if answer.status_code < 400:
                idempotency.keep(scope, print_, answer)
            else:
                transaction.set_rollback(True)
        return answer
