"""Doing something in the admin to a selection of many rows, whose number must be typed first."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import ActionLocation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from cerply.console import Question

MOST_AT_ONCE = 5000
MOST_SHOWN = 50
CHANGED = "What is selected has changed meanwhile. Look at it as it is now, and type its number."


class SelectingAdmin(ModelAdmin):
    """A list with actions. Django 6.1 tells a list's from a page's, which unfold's own override does not know yet."""

    def get_action_choices(
        self,
        request: HttpRequest,
        default_choices: list[tuple[str, str]] | None = None,
        action_location: ActionLocation = ActionLocation.CHANGE_LIST,
    ) -> list[tuple[str, str]]:
        choices: list[tuple[str, str]] = super(ModelAdmin, self).get_action_choices(
            request, [("", "Select action")], action_location
        )
        return choices


class NumberForm(forms.Form):
    """The last of what a page asks."""

    number = forms.IntegerField(
        label="How many are they?",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Type the number that is named above, so that nothing is done to more than you mean.",
    )


def ask_about(
    request: HttpRequest,
    admin: ModelAdmin,
    question: Question,
    ids: Sequence[UUID],
    do: Callable[[dict[str, Any]], str],
) -> HttpResponse:
    """Shows the page for what an action of a list was given, and does it when the number was typed.

    ``do`` gets the form's values and returns what to say then. Nothing is done when other rows are selected by then.
    """
    shown = hashlib.sha256(b"".join(sorted(key.bytes for key in ids))).hexdigest()
    carried = {
        "action": request.POST["action"],
        "select_across": request.POST.get("select_across", "0"),
        ACTION_CHECKBOX_NAME: request.POST.getlist(ACTION_CHECKBOX_NAME),
        "shown": shown,
    }
    hidden = {name: forms.CharField(widget=forms.HiddenInput) for name in ("action", "select_across", "shown")}
    hidden[ACTION_CHECKBOX_NAME] = forms.Field(widget=forms.MultipleHiddenInput)  # type: ignore[assignment]
    form_class = type("SelectionForm", (NumberForm, question.form), hidden)
    if "shown" not in request.POST:
        form = form_class(initial={**(question.initial or {}), **carried})
    else:
        given = request.POST.copy()
        given["shown"] = shown
        form = form_class(given)
        if form.is_valid():
            if request.POST["shown"] != shown:
                form.add_error(None, CHANGED)
            elif form.cleaned_data["number"] != len(ids):
                form.add_error("number", f"They are not {form.cleaned_data['number']}.")
            else:
                messages.success(request, do(form.cleaned_data))
                return HttpResponseRedirect(request.get_full_path())
    context = {
        **admin.admin_site.each_context(request),
        "title": question.title,
        "question": replace(question, table=abridged(question.table)),
        "form": form,
        "back": request.get_full_path(),
        "opts": admin.model._meta,
    }
    return TemplateResponse(request, "admin/ask.html", context)


def abridged(table: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """As much of a table as somebody reads, and how much more there is."""
    if len(table) <= MOST_SHOWN:
        return table
    return [*table[:MOST_SHOWN], [f"… and {len(table) - MOST_SHOWN:,} more"]]
