"""The page between the password and the admin: staff show a code, or set up the app that makes them."""

from typing import Any

import segno
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from cerply.accounts import second_factor, signing_in
from cerply.accounts.models import User
from cerply.errors import ApiError, RateLimited
from cerply.throttling import client_address, spend

LONGEST_CODE = 64


@method_decorator(never_cache, name="dispatch")
class SecondFactorPage(View):
    user: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, User) or not request.user.is_staff:
            return HttpResponseRedirect(reverse("admin:login"))
        if not second_factor.is_owed(request):
            return HttpResponseRedirect(self.next)
        self.user = request.user
        return super().dispatch(request, *args, **kwargs)

    @property
    def next(self) -> str:
        return signing_in.on_the_way_to(self.request, reverse("admin:index"))

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.form()

    def post(self, request: HttpRequest) -> HttpResponse:
        if "leave" in request.POST:
            signing_in.sign_out(request)
            return HttpResponseRedirect(reverse("admin:login"))
        code = request.POST.get("code", "")[:LONGEST_CODE]
        try:
            spend("sign_in", client_address(request))
            if second_factor.has_authenticator(self.user):
                second_factor.show(request, self.user, code)
                return HttpResponseRedirect(self.next)
            codes = second_factor.confirm(request, self.user, code)
        except RateLimited as exc:
            seconds = exc.headers["Retry-After"]
            return self.form(f"Too many tries. Wait {seconds} seconds.", exc.status, {"Retry-After": seconds})
        except ApiError as exc:
            return self.form(exc.text, exc.status)
        return render(request, "accounts/recovery_codes.html", {"codes": codes, "next": self.next})

    def form(self, problem: str = "", status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
        context: dict[str, Any] = {"problem": problem, "next": self.next, "person": self.user}
        template = "accounts/second_factor.html"
        if not second_factor.has_authenticator(self.user):
            device = second_factor.new_authenticator(self.user)
            code = segno.make(second_factor.uri_of(device), micro=False)
            context |= {"qr": code.svg_data_uri(scale=5), "secret": second_factor.secret_of(device)}
            template = "accounts/new_authenticator.html"
        response = render(self.request, template, context, status=status)
        for name, value in (headers or {}).items():
            response[name] = value
        return response
