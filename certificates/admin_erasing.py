"""Erasing a certificate on its page."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from unfold.decorators import action

from cerply.console import Question, actor_of, change_url
from certificates.admin_lifetime import LifetimeActions
from certificates.erasing import erase
from certificates.models import Certificate

SAYS = [
    "Name, credential and PDF are removed for good: nobody can download it any more, or issue it again.",
    "Copies that people have can still be verified. The page says that the name was removed.",
    "Should its key ever be stolen, it cannot be signed again, and its copies fail.",
    "For everything that bears her name: manage.py erase_certificates --learner ID.",
]


class ErasingActions(LifetimeActions):
    @action(description="Erase", url_path="erase")
    def erase_certificate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        certificate = get_object_or_404(Certificate, pk=object_id)
        if certificate.erased_at:
            messages.info(request, f"It is erased since {certificate.erased_at:%Y-%m-%d %H:%M} UTC.")
            return HttpResponseRedirect(change_url(certificate))

        def do(key: UUID, values: dict[str, Any]) -> str:
            done = erase(key, actor=actor_of(request.user), reason=values["reason"])
            return "The name is removed. The file is being deleted." if done else ""

        question = Question("Erase this certificate?", "Erase", says=SAYS)
        return self.ask_about_one(request, object_id, question, do)
