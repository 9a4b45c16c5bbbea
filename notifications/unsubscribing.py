"""The page behind the link to unsubscribe, and what mail programs post to it (RFC 8058).

To look at it changes nothing: programs that scan mail follow every link. What changes something is a POST with the
field that the standard names, from whomever has the link; no session and no CSRF token, for mail programs have neither.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from cerply.languages import direction, language_of, preferred
from cerply.permissions import Actor
from notifications.models import MailSubscription
from notifications.preferring import resubscribe, subscriber, unsubscribe
from notifications.sentences import say

BY_LINK = Actor.system("link to unsubscribe")
ONE_CLICK = ("List-Unsubscribe", "One-Click")
AGAIN = ("subscribe", "again")


@method_decorator(csrf_exempt, name="dispatch")
class UnsubscribePage(View):
    http_method_names = ["get", "head", "post"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        subscription = subscriber(token)
        if subscription is None:
            return self.unknown()
        return self.page(subscription, "done" if subscription.unsubscribed_at else "ask")

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        subscription = subscriber(token)
        if subscription is None:
            return self.unknown()
        if self.says(ONE_CLICK):
            unsubscribe(subscription, actor=BY_LINK)
            return self.page(subscription, "done")
        if self.says(AGAIN):
            resubscribe(subscription, actor=BY_LINK)
            return self.page(subscription, "undone")
        return self.page(subscription, "ask", status=400)

    def says(self, field: tuple[str, str]) -> bool:
        name, value = field
        return self.request.POST.get(name) == value

    def page(self, subscription: MailSubscription, key: str, status: int = 200) -> HttpResponse:
        user = subscription.user
        language = language_of(user.locale)
        organization = user.organization.name if user.organization else ""
        more = say(f"page.{key}.more", language, organization=organization, email=user.email)
        button = {"ask": "page.button", "done": "page.undo"}.get(key)
        context = {
            "headline": say(f"page.{key}", language),
            "more": more,
            "button": say(button, language) if button else "",
            "field": ONE_CLICK if key == "ask" else AGAIN,
        }
        return self.answer(language, context, status)

    def unknown(self) -> HttpResponse:
        language = preferred(self.request.headers.get("Accept-Language", ""))
        headline, more = say("page.unknown", language), say("page.unknown.more", language)
        return self.answer(language, {"headline": headline, "more": more}, 404)

    def answer(self, language: str, context: dict[str, Any], status: int) -> HttpResponse:
        context |= {"language": language, "direction": direction(language), "title": say("page.title", language)}
        response = render(self.request, "notifications/pages/unsubscribe.html", context, status=status)
        response["Cache-Control"] = "no-store"
        # The address is the permission: no other site is to learn it.
        response["Referrer-Policy"] = "no-referrer"
        return response
