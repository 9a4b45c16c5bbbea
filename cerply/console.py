"""What the pages of the admin have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from cerply.errors import ApiError
from cerply.permissions import Actor, ActorKind

MOST_COUNTED = 10_000


def actor_of(user: AbstractBaseUser | AnonymousUser) -> Actor:
    """Staff, as the audit names them."""
    return Actor(ActorKind.USER, user.pk, "staff")


class CappedPaginator(Paginator):
    """Counts no further than the pages that somebody would turn to; filters and the search find the rest."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[:MOST_COUNTED].count()
        return min(len(rows), MOST_COUNTED)


class ConsoleAdmin(ModelAdmin):
    """Lists that stay fast however long they are. Nothing is deleted, unless a subclass knows how."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_filter_submit = True
    actions = None
    # Django's own history would be empty: what changed is in the audit.
    actions_detail_hide_default = True

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """What the functions refuse that the form could not know is said above it."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ApiError as exc:
            said = [exc.text, *(f"{name}: {' '.join(map(str, why))}" for name, why in (exc.details or {}).items())]
            self.message_user(request, " ".join(said), "error")
            request.method, request.POST = "GET", type(request.POST)()
            return super().changeform_view(request, *args, **kwargs)

    def log_addition(self, *args: Any) -> None:
        """Django's own log is not kept: what changes is audited where it changes."""

    log_change = log_deletions = log_addition


class ReadOnlyAdmin(ConsoleAdmin):
    """For history: nobody adds, changes or deletes, not even a superuser."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=500, widget=UnfoldAdminTextareaWidget, help_text="For the record: the audit keeps it."
    )


class NothingForm(forms.Form):
    """Asks for a click alone."""


@dataclass(frozen=True)
class Question:
    """What a page asks before something is done: what will happen, and what it needs to know."""

    title: str
    button: str
    says: Sequence[str] = ()
    form: type[forms.Form] = ReasonForm
    initial: Mapping[str, Any] | None = None
    # Rows of a table that shows whom it concerns.
    table: Sequence[Sequence[str]] = ()


def ask(
    request: HttpRequest, admin: ModelAdmin, question: Question, do: Callable[[dict[str, Any]], str], back: str
) -> HttpResponse:
    """Shows the page, and when it is sent back does it: ``do`` gets the form's values and returns what to say then."""
    form = question.form(request.POST if request.method == "POST" else None, initial=dict(question.initial or {}))
    if request.method == "POST" and form.is_valid():
        try:
            said = do(form.cleaned_data)
        except (ApiError, ValidationError) as exc:
            form.add_error(None, exc.text if isinstance(exc, ApiError) else exc)
        else:
            messages.success(request, said)
            return HttpResponseRedirect(back)
    context = {
        **admin.admin_site.each_context(request),
        "title": question.title,
        "question": question,
        "form": form,
        "back": back,
        "opts": admin.model._meta,
    }
    return TemplateResponse(request, "admin/ask.html", context)


def change_url(row: Model) -> str:
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
