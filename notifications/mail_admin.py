"""E-mail, for staff: what went out, what was given up, which addresses take nothing, and what organizations say."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from cerply.accounts.models import User
from cerply.console import (
    ConsoleAdmin,
    NothingForm,
    Question,
    ReadOnlyAdmin,
    ReasonForm,
    actor_of,
    ask,
    change_url,
    link,
    links,
    list_link,
)
from notifications.delivery import send_again
from notifications.models import (
    ManagerNotification,
    NotificationPolicy,
    NotificationPreference,
    NotificationType,
    OutgoingMail,
    SuppressedAddress,
    Wish,
)
from notifications.preferring import decide_policy, people_with_wishes
from notifications.suppressing import release
from ops.outbox import OutboxState


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "kind", "to", "state", "tries", "error", "finished_at"]
    list_select_related = ["recipient"]
    list_filter = [("recipient", AutocompleteSelectFilter), ("state", ChoicesDropdownFilter)]
    sortable_by = ()
    ordering = ["-id"]
    search_fields = ["id"]
    search_help_text = "The whole id of an e-mail or of its recipient, or the recipient's e-mail address."
    fields = [
        "id",
        "kind",
        "recipient",
        "organization",
        "window_end",
        "state",
        "tries",
        "error",
        "created_at",
        "due_at",
        "finished_at",
        "bounced_at",
        "message_id",
        "provider_id",
        "holds",
    ]
    readonly_fields = ["holds"]
    actions_detail = ["send_again", "trail"]

    def find(self, queryset: QuerySet[OutgoingMail], term: str, key: UUID | None) -> QuerySet[OutgoingMail]:
        if key:
            return queryset.filter(id=key) | queryset.filter(recipient_id=key)
        return queryset.filter(recipient__in=User.objects.with_address(term).values("id"))

    def unfit_actions(self, row: OutgoingMail) -> Collection[str]:
        return () if row.state == OutboxState.DEAD else {"send-again"}

    @admin.display(description="recipient")
    def to(self, row: OutgoingMail) -> str:
        return link(row.recipient, row.recipient.name)

    @admin.display(description="notifications")
    def holds(self, row: OutgoingMail) -> str:
        return links(
            list_link(ManagerNotification, f"{row.deliveries.count()} in it", delivery__mail__id__exact=row.id)
        )

    @action(description="Send again", url_path="send-again")
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        mail = get_object_or_404(OutgoingMail.objects.select_related("recipient"), pk=object_id)

        def do(values: dict[str, Any]) -> str:
            send_again(mail.id, actor=actor_of(request.user))
            return f"It is being sent to {mail.recipient.name}."

        says = [
            f"It was given up after {mail.tries} tries: {mail.error}",
            "It is tried anew, as often as in the beginning, with what is in it that she still wishes to hear.",
        ]
        question = Question("Send this e-mail again?", "Send", says=says, form=NothingForm)
        return ask(request, self, question, do, change_url(mail))


@admin.register(SuppressedAddress)
class SuppressedAddressAdmin(ReadOnlyAdmin):
    list_display = ["address", "reason", "suppressed_at", "released_at"]
    list_filter = [("reason", ChoicesDropdownFilter)]
    sortable_by = ()
    ordering = ["-id"]
    search_fields = ["address"]
    search_help_text = "The whole address."
    fields = ["address", "reason", "suppressed_at", "released_at", "whose"]
    readonly_fields = ["whose"]
    actions_detail = ["release", "trail"]

    def find(self, queryset: QuerySet[SuppressedAddress], term: str, key: UUID | None) -> QuerySet[SuppressedAddress]:
        return queryset.filter(id=key) if key else queryset.filter(address=term.lower())

    def unfit_actions(self, row: SuppressedAddress) -> Collection[str]:
        return {"release"} if row.released_at else ()

    @admin.display(description="whose")
    def whose(self, row: SuppressedAddress) -> str:
        people = User.objects.with_address(row.address)
        return links(*(list_link(User, user.name, q=user.id) for user in people)) or "nobody's"

    @action(description="Release", url_path="release")
    def release(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(SuppressedAddress, pk=object_id)

        def do(values: dict[str, Any]) -> str:
            release(row.id, actor=actor_of(request.user), reason=values["reason"])
            return f"E-mail goes to {row.address} again."

        says = [
            "Release it when the mailbox takes mail again, or its owner asked for it: a provider that sees mail bounce "
            "twice trusts us less.",
            "A provider may keep a list of its own, from which the address must be taken too.",
        ]
        question = Question(f"Send e-mail to {row.address} again?", "Release", says=says, form=ReasonForm)
        return ask(request, self, question, do, change_url(row))


class PolicyForm(forms.ModelForm):
    types = forms.MultipleChoiceField(
        choices=NotificationType.choices, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = NotificationPolicy
        fields = ("organization", "frequency", "types", "digest_hour", "digest_weekday", "locked")

    def clean_digest_hour(self) -> int:
        hour: int = self.cleaned_data["digest_hour"]
        if hour > 23:
            raise forms.ValidationError("Give an hour from 0 to 23.")
        return hour


@admin.register(NotificationPolicy)
class NotificationPolicyAdmin(ConsoleAdmin):
    form = PolicyForm
    list_display = ["organization", "frequency", "locked", "changed_at"]
    list_select_related = ["organization"]
    search_fields = ["organization__name"]
    search_help_text = "A part of the organization's name, or its whole id."
    ordering = ["organization__name"]
    autocomplete_fields = ["organization"]
    actions_detail = ["trail"]

    def find(self, queryset: QuerySet[NotificationPolicy], term: str, key: UUID | None) -> QuerySet[NotificationPolicy]:
        """In the whole name: organizations are few."""
        return queryset.filter(organization=key) if key else queryset.filter(organization__name__icontains=term)

    def get_readonly_fields(self, request: HttpRequest, obj: NotificationPolicy | None = None) -> list[str]:
        return ["organization"] if obj else []

    def save_model(self, request: HttpRequest, obj: NotificationPolicy, form: Any, change: bool) -> None:
        names = form.changed_data if change else [name for name in PolicyForm.Meta.fields if name != "organization"]
        values = {name: form.cleaned_data[name] for name in names}
        decide_policy(obj.organization_id, values, actor=actor_of(request.user))
        obj._state.adding = False


@admin.register(NotificationPreference)
class NotificationPreferenceAdmin(ReadOnlyAdmin):
    list_display = ["user", "frequency", "timezone", "changed_at"]
    list_select_related = ["user"]
    search_fields = ["user__email"]
    search_help_text = "The manager's whole e-mail address or id."
    fields = ["user", "frequency", "types", "timezone", "digest_hour", "digest_weekday", "changed_at", "holds"]
    readonly_fields = ["holds"]

    def find(
        self, queryset: QuerySet[NotificationPreference], term: str, key: UUID | None
    ) -> QuerySet[NotificationPreference]:
        return queryset.filter(user=key) if key else queryset.filter(user__in=User.objects.with_address(term))

    @admin.display(description="what holds now")
    def holds(self, row: NotificationPreference) -> str:
        """She may have unsubscribed, and her organization may have decided for her."""
        wish = Wish.of(people_with_wishes().get(id=row.user_id))
        said = f"{wish.frequency.label}, set by the {wish.set_by}"
        return f"Off: she has unsubscribed on {wish.unsubscribed_at:%Y-%m-%d}" if wish.unsubscribed_at else said
