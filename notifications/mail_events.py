"""What a mail provider calls when a mail bounced or was not wanted; django-anymail knows each one's language."""

from collections.abc import Callable
from typing import Any

from anymail.signals import AnymailTrackingEvent
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from cerply.mail_providers import PROVIDERS
from notifications.suppressing import hear


def view_of(provider: str) -> Callable[..., HttpResponseBase]:
    """Of ``settings.MAIL_PROVIDER``; it answers 400 to whoever does not show ``MAIL_EVENT_SECRET``."""
    its = PROVIDERS[provider]
    view: Any = import_string(f"anymail.webhooks.{its.module}.{its.name}TrackingWebhookView")
    as_view: Callable[..., HttpResponseBase] = view.as_view()
    return as_view


def receive(event: AnymailTrackingEvent, **kwargs: Any) -> None:
    """A receiver of ``anymail.signals.tracking``."""
    hear(event)
