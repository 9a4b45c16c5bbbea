"""A person's page, from which the link to her certificates is sent again or withdrawn."""

from collections.abc import Collection
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from unfold.decorators import action

from cerply.accounts.admin.users import UserAdmin
from cerply.accounts.models import User
from cerply.console import NothingForm, Question, actor_of, ask, change_url
from certificates import keepsakes
from certificates.models import Keepsake

admin.site.unregister(User)


@admin.register(User)
class UserWithKeepsakeAdmin(UserAdmin):
    actions_detail = [*UserAdmin.actions_detail, "send_keepsake", "withdraw_keepsake"]

    def unfit_actions(self, row: User) -> Collection[str]:
        unfit = set() if row.organization_id and keepsakes.has_left(row) else {"send-keepsake"}
        if not Keepsake.objects.live().filter(learner=row).exists():
            unfit.add("withdraw-keepsake")
        return unfit

    @action(description="Mail link to certificates", url_path="send-keepsake")
    def send_keepsake(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = get_object_or_404(User.objects.members(), pk=object_id)

        def do(values: dict[str, Any]) -> str:
            keepsakes.send(user, actor=actor_of(request.user))
            return f"A link to her certificates is being mailed to {user.email}."

        says = [
            f"Who leaves is mailed a link to her certificates. This mails another one to {user.email}.",
            "The one that she has works until the new one is on its way.",
        ]
        question = Question(f"Mail {user.name} a link to her certificates?", "Mail it", says=says, form=NothingForm)
        return ask(request, self, question, do, change_url(user))

    @action(description="Withdraw link to certificates", url_path="withdraw-keepsake")
    def withdraw_keepsake(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = get_object_or_404(User.objects.members(), pk=object_id)

        def do(values: dict[str, Any]) -> str:
            number = keepsakes.withdraw(user, actor=actor_of(request.user))
            return f"Withdrawn: {number}." if number else ""

        says = ["Whoever has the link sees nothing from now on. Her certificates stay as they are."]
        title = f"Withdraw {user.name}'s link to her certificates?"
        question = Question(title, "Withdraw", says=says, form=NothingForm)
        return ask(request, self, question, do, change_url(user))
