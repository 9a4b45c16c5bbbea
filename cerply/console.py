"""What the pages of the admin have in common."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Model, QuerySet
from django.db.models.functions import Collate, Lower
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import action
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminTextareaWidget

from cerply.errors import ApiError
from cerply.identifiers import parse_uuid
from cerply.permissions import Actor, ActorKind
from cerply.text import validate_line, validate_paragraphs

MOST_COUNTED = 10_000


def actor_of(user: AbstractBaseUser | AnonymousUser) -> Actor:
    """Staff, as the audit names them."""
    return Actor(ActorKind.USER, user.pk, "staff")


class CappedPaginator(Paginator):
    """Counts no further than the pages that somebody would turn to; filters and the search find the rest."""

    template_name = "admin/capped_pagination.html"

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[:MOST_COUNTED].count()
        return min(len(rows), MOST_COUNTED)

    @property
    def is_capped(self) -> bool:
        return self.count >= MOST_COUNTED


class ConsoleList(ChangeList):
    """Where the count stopped at its limit, it is said once, with a plus, and not as if it were the number."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.paginator.is_capped:
            self.full_result_count = self.result_count


class DayFilter(RangeDateFilter):
    """From one day (in UTC) to another, both included."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        start, end = self._day("from"), self._day("to")
        if start:
            queryset = self.since(queryset, start)
        if end:
            queryset = self.before(queryset, end + timedelta(days=1))
        return queryset

    def since(self, queryset: QuerySet[Any], moment: datetime) -> QuerySet[Any]:
        return queryset.filter(**{f"{self.parameter_name}__gte": moment})

    def before(self, queryset: QuerySet[Any], moment: datetime) -> QuerySet[Any]:
        return queryset.filter(**{f"{self.parameter_name}__lt": moment})

    def _day(self, which: str) -> datetime | None:
        try:
            day = parse_date(self.used_parameters.get(f"{self.parameter_name}_{which}") or "")
        except ValueError:
            return None
        if day is None or not 1970 <= day.year <= 9000:
            return None
        return datetime(day.year, day.month, day.day, tzinfo=UTC)


def refusals(exc: ApiError | ValidationError) -> Iterator[tuple[str, str]]:
    """What a refusal says, by the field that it speaks of; empty, where it is none."""
    named: Mapping[str, Any]
    if isinstance(exc, ApiError):
        named = exc.details or {"": exc.text}
    else:
        named = exc.message_dict if hasattr(exc, "error_dict") else {"": exc.messages}
    for name, reasons in named.items():
        yield name, " ".join(map(str, reasons)) if isinstance(reasons, list) else str(reasons)


class RefusedForm(forms.ModelForm):
    """The form again, with all that was typed, and why what saves has refused it."""

    refusal: ClassVar[ApiError | ValidationError]
    wire_names: ClassVar[Mapping[str, str]]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name, said in refusals(self.refusal):
            field = self.wire_names.get(name, name)
            self.add_error(field if field in self.fields else None, said)
        return values


class ConsoleAdmin(ModelAdmin):
    """Lists that stay fast however long they are. Nothing is deleted, unless a subclass knows how."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_filter_submit = True
    actions = None
    # Django's own history would be empty: what changed is in the audit, where `trail` leads.
    actions_detail_hide_default = True
    # The form's fields by the names under which the functions that save refuse them.
    wire_names: ClassVar[Mapping[str, str]] = {}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The whole term at once, spaces and all; what it is looked for in, an index holds."""
        term = " ".join(search_term.replace("\0", "").split())
        if not term:
            return queryset, False
        return self.find(queryset, term, parse_uuid(term)), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ConsoleList

    def find(self, queryset: QuerySet[Any], term: str, key: UUID | None) -> QuerySet[Any]:
        """Rows that the term, which is ``key`` where it is an id, searches for."""
        return queryset.filter(pk=key) if key else queryset.none()

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        """Text is refused here as the API refuses it."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, forms.CharField) and isinstance(db_field, models.CharField | models.TextField):
            validate = validate_paragraphs if isinstance(db_field, models.TextField) else validate_line
            field.validators = [*field.validators, validate]
        return field

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """What the page showed goes with it, so that one that was open for long changes only what was changed in it."""
        form = super().get_form(request, obj, change, **kwargs)
        if refusal := getattr(request, "refusal", None):
            form = type("Refused", (RefusedForm, form), {"refusal": refusal, "wire_names": self.wire_names})
        if obj is not None:
            for field in form.base_fields.values():
                field.show_hidden_initial = not isinstance(field, forms.FileField)
        return form

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """What the functions that save refuse, the form says."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except (ApiError, ValidationError) as exc:
            if request.method != "POST" or hasattr(request, "refusal"):
                raise
            request.refusal = exc  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """What the functions that delete refuse is said on the page of the row."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except ApiError as exc:
            self.message_user(request, exc.text, messages.ERROR)
            meta = self.model._meta
            return HttpResponseRedirect(reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[object_id]))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        offered: list[Any] = super().get_actions_detail(request, object_id)
        key = parse_uuid(str(object_id))
        row = self.model._default_manager.filter(pk=key).first() if key else None
        unfit = self.unfit_actions(row) if row is not None else ()
        return [each for each in offered if each.path not in unfit]

    def unfit_actions(self, row: Any) -> Collection[str]:
        """Those that cannot be done with this row, by the end of their address."""
        return ()

    @action(description="History", url_path="trail")
    def trail(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse('admin:audit_auditevent_changelist')}?{urlencode({'q': object_id})}")

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return self.trail(request, object_id)  # type: ignore[no-any-return]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

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
        max_length=500,
        widget=UnfoldAdminTextareaWidget,
        validators=[validate_paragraphs],
        help_text="For the record: the audit keeps it.",
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
    """Shows the page, and when it is sent back does it.

    ``do`` gets the form's values and returns what to say then: nothing, where nothing changed.
    """
    form = question.form(request.POST if request.method == "POST" else None, initial=dict(question.initial or {}))
    if request.method == "POST" and form.is_valid():
        try:
            said = do(form.cleaned_data)
        except (ApiError, ValidationError) as exc:
            for _, refused in refusals(exc):
                form.add_error(None, refused)
        else:
            if said:
                messages.success(request, said)
            else:
                messages.info(request, "Nothing has changed.")
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


def link(row: Model | None, text: str = "") -> str:
    """To the page of the row."""
    return format_html('<a class="underline" href="{}">{}</a>', change_url(row), text or row) if row else "-"


def list_link(model: type[Model], text: str, **filters: Any) -> tuple[str, str]:
    """Text and address of a list, filtered."""
    meta = model._meta
    path = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return text, f"{path}?{urlencode(filters)}"


def links(*to: tuple[str, str]) -> str:
    return format_html_join(" · ", '<a class="underline" href="{1}">{0}</a>', to)


def pretty(value: Any) -> str:
    """JSON for people."""
    text = json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
    return format_html("<pre>{}</pre>", text)


def in_lower(field: str) -> Collate:
    """What begins in a certain way, an index on this finds; other collations than C do not sort by beginnings."""
    return Collate(Lower(field), "C")
