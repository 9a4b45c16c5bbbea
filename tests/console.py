"""The admin as a browser uses it."""

from typing import Any

from django.db.models import Model
from django.forms import FileField
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent


def page_of(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def action_of(row: Model, name: str) -> str:
    return page_of(row, "change", row.pk).removesuffix("change/") + f"{name}/"


def typed(console: Client, path: str, **values: Any) -> dict[str, Any]:
    """What a browser sends of the page's form, with some fields changed; a checkbox that is off is not sent."""
    sent: dict[str, Any] = {}
    page = console.get(path)
    for field in page.context["adminform"].form:
        if isinstance(field.field, FileField):
            continue
        value = field.value()
        if field.field.show_hidden_initial:
            sent[f"initial-{field.name}"] = "" if value is None else value
        sent[field.name] = "on" if value is True else value
    for formset in page.context["inline_admin_formsets"]:
        for field in formset.formset.management_form:
            sent[field.html_name] = field.value()
    sent |= values
    return {name: value for name, value in sent.items() if value is not None and value is not False}


def events(type_: str) -> list[AuditEvent]:
    """Of this type, oldest first."""
    return list(AuditEvent.objects.filter(type=type_).order_by("id"))
