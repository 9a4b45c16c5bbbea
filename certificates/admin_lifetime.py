"""What staff do to certificates after they were issued: to one on its page, or to many that they select."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from cerply import clock
from cerply.console import Question, ReadOnlyAdmin, ReasonForm, actor_of, ask, change_url
from cerply.selection import MOST_AT_ONCE, SelectingAdmin, ask_about
from certificates.models import Certificate, RevocationCode, Status
from certificates.replacing import replace
from certificates.representation import REASONS, SENTENCES
from certificates.revoking import can_be_revoked, revoke, revoke_many
from certificates.suspending import (
    can_be_reinstated,
    can_be_suspended,
    reinstate,
    reinstate_many,
    suspend,
    suspend_many,
)

REVOKED_SAYS = [
    "A revocation is for good. A new certificate is earned by completing the track again.",
    "Who verifies it will read the sentence that you choose. The reason stays in the record.",
    "It can no longer be downloaded.",
]
SUSPENDED_SAYS = [
    "Until it is reinstated it does not hold, and is not renewed. It can still be downloaded.",
    f"Who verifies it will read: “{REASONS[Status.SUSPENDED]}” The reason below stays in the record.",
]
REINSTATED_SAYS = ["It holds again, as if it had not been suspended; the record keeps that it was."]


class RevocationForm(ReasonForm):
    code = forms.ChoiceField(
        choices=[(code, f"{code.label}: “{SENTENCES[code]}”") for code in RevocationCode],
        required=False,
        initial=RevocationCode.OTHER,
        widget=UnfoldAdminSelectWidget,
        label="What strangers read",
    )
    field_order = ("code", "reason")

    def clean_code(self) -> RevocationCode:
        return RevocationCode(self.cleaned_data["code"] or RevocationCode.OTHER)


class ReplacementForm(ReasonForm):
    learner_name = forms.CharField(
        max_length=255, widget=UnfoldAdminTextInputWidget, label="Name", help_text="As it is to be on the certificate."
    )
    field_order = ("learner_name", "reason")


def described(certificate: Certificate) -> list[list[str]]:
    return [
        ["Learner", certificate.learner_name],
        ["Track", certificate.track_title],
        ["Organization", certificate.organization_name],
        ["Issued", f"{certificate.issued_at:%Y-%m-%d %H:%M} UTC"],
        ["Status", str(certificate.status_at(clock.now()).label)],
    ]


class LifetimeActions(SelectingAdmin, ReadOnlyAdmin):
    """To be mixed into the admin of certificates."""

    lifetime_actions = ("revoke_certificate", "suspend_certificate", "reinstate_certificate", "replace_certificate")
    actions: Any = ("revoke_selected", "suspend_selected", "reinstate_selected")

    # -- one --

    def ask_about_one(
        self, request: HttpRequest, key: str, question: Question, do: Callable[[UUID, dict[str, Any]], str]
    ) -> HttpResponse:
        certificate = get_object_or_404(Certificate, pk=key)
        question = Question(
            question.title,
            question.button,
            says=question.says,
            form=question.form,
            initial={"learner_name": certificate.learner.name},
            table=described(certificate),
        )
        return ask(request, self, question, lambda values: do(certificate.id, values), change_url(certificate))

    @action(description="Revoke", url_path="revoke")
    def revoke_certificate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        certificate = get_object_or_404(Certificate, pk=object_id)
        if certificate.revoked_at:
            messages.info(request, f"It is revoked already, for: {certificate.revocation_reason}")
            return HttpResponseRedirect(change_url(certificate))

        def do(key: UUID, values: dict[str, Any]) -> str:
            done = revoke(key, values["reason"], code=values["code"], actor=actor_of(request.user))
            return f"The certificate of {done.learner_name} is revoked since {done.revoked_at:%Y-%m-%d %H:%M} UTC."

        question = Question("Revoke this certificate?", "Revoke", says=REVOKED_SAYS, form=RevocationForm)
        return self.ask_about_one(request, object_id, question, do)

    @action(description="Suspend", url_path="suspend")
    def suspend_certificate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def do(key: UUID, values: dict[str, Any]) -> str:
            done = suspend(key, values["reason"], actor=actor_of(request.user))
            return f"The certificate is suspended since {done.suspended_at:%Y-%m-%d %H:%M} UTC."

        question = Question("Suspend this certificate?", "Suspend", says=SUSPENDED_SAYS)
        return self.ask_about_one(request, object_id, question, do)

    @action(description="Reinstate", url_path="reinstate")
    def reinstate_certificate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def do(key: UUID, values: dict[str, Any]) -> str:
            done = reinstate(key, values["reason"], actor=actor_of(request.user))
            return f"The certificate holds again since {done.reinstated_at:%Y-%m-%d %H:%M} UTC."

        question = Question("Reinstate this certificate?", "Reinstate", says=REINSTATED_SAYS)
        return self.ask_about_one(request, object_id, question, do)

    @action(description="Replace", url_path="replace")
    def replace_certificate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def do(key: UUID, values: dict[str, Any]) -> str:
            name = values["learner_name"]
            done = replace(key, values["reason"], learner_name=name, actor=actor_of(request.user))
            return f"Certificate {done.replaced_by_id} has taken its place."

        says = [
            "It is issued again with the name below and the same dates, under a new id and code.",
            f"Who verifies this one will read: “{REASONS[Status.REPLACED]}” The reason below stays in the record.",
        ]
        question = Question("Replace this certificate?", "Replace", says=says, form=ReplacementForm)
        return self.ask_about_one(request, object_id, question, do)

    # -- many --

    def ask_about_many(
        self,
        request: HttpRequest,
        selected: QuerySet[Certificate],
        fit: Callable[[Certificate], bool],
        question: Question,
        do: Callable[[Iterable[UUID], dict[str, Any]], int],
    ) -> HttpResponse | None:
        """Those that do not fit are left out, and it is said how many they are."""
        certificates = list(selected.order_by("-issued_at", "-id")[: MOST_AT_ONCE + 1])
        if len(certificates) > MOST_AT_ONCE:
            messages.error(
                request, f"More than {MOST_AT_ONCE:,} are selected. Filter the list, and take a part at a time."
            )
            return None
        fitting = [certificate for certificate in certificates if fit(certificate)]
        if not fitting:
            messages.info(request, "For none of these there is anything to do.")
            return None
        circles = Counter((each.organization_name, each.track_title) for each in fitting)
        learners = len({certificate.learner_id for certificate in fitting})
        left_out = len(certificates) - len(fitting)
        question = Question(
            f"{question.title} {len(fitting):,} certificates?",
            f"{question.button} {len(fitting):,}",
            says=[
                f"{len(fitting):,} certificates of {learners:,} learners are meant:",
                *(f"{number:,} × “{track}”, {name}" for (name, track), number in circles.most_common(10)),
                *([f"… of {len(circles):,} tracks in all."] if len(circles) > 10 else []),
                *([f"{left_out:,} of the selected ones are left out, for there is nothing to do."] if left_out else []),
                *question.says,
            ],
            form=question.form,
            table=[
                [each.learner_name, each.track_title, each.organization_name, f"{each.issued_at:%Y-%m-%d}"]
                for each in fitting
            ],
        )
        ids = [certificate.id for certificate in fitting]
        return ask_about(request, self, question, ids, lambda values: f"Done: {do(ids, values):,} certificates.")

    @action(description="Revoke the selected certificates")
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[Certificate]) -> HttpResponse | None:
        def do(ids: Iterable[UUID], values: dict[str, Any]) -> int:
            return revoke_many(ids, values["reason"], code=values["code"], actor=actor_of(request.user))

        question = Question("Revoke", "Revoke", says=REVOKED_SAYS, form=RevocationForm)
        return self.ask_about_many(request, queryset, can_be_revoked, question, do)

    @action(description="Suspend the selected certificates")
    def suspend_selected(self, request: HttpRequest, queryset: QuerySet[Certificate]) -> HttpResponse | None:
        def do(ids: Iterable[UUID], values: dict[str, Any]) -> int:
            return suspend_many(ids, values["reason"], actor=actor_of(request.user))

        question = Question("Suspend", "Suspend", says=SUSPENDED_SAYS)
        return self.ask_about_many(request, queryset, can_be_suspended, question, do)

    @action(description="Reinstate the selected certificates")
    def reinstate_selected(self, request: HttpRequest, queryset: QuerySet[Certificate]) -> HttpResponse | None:
        def do(ids: Iterable[UUID], values: dict[str, Any]) -> int:
            return reinstate_many(ids, values["reason"], actor=actor_of(request.user))

        question = Question("Reinstate", "Reinstate", says=REINSTATED_SAYS)
        return self.ask_about_many(request, queryset, can_be_reinstated, question, do)
