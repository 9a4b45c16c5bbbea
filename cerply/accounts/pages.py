"""Pages for people who sign in, without scripts: what all of them have in common, and those to sign in and out."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from cerply.accounts import second_factor, serializers, signing_in
from cerply.accounts.models import User
from cerply.accounts.sentences import SENTENCES
from cerply.accounts.signing_in import Ambiguous, Elsewhere
from cerply.csrf import passes_csrf
from cerply.errors import RateLimited, Unauthorized
from cerply.languages import LANGUAGES, direction, language_of, preferred
from cerply.permissions import ANONYMOUS, Caller
from cerply.throttling import client_address, spend, spend_for_email

HEADERS = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex, nofollow"}
# Where one is after signing in, unless one was on the way to another page.
HOME = "/inbox"


class PageView(View):
    """A page in the language of who is signed in, else in the visitor's; counted like a request of the API.

    To look at one changes nothing. Its forms bear the CSRF token, which is looked at here, so that a form that lay open
    for too long is answered by a page.
    """

    http_method_names: ClassVar[list[str]] = ["get", "head", "post"]  # type: ignore[misc]
    language: str
    user: User | None = None
    caller: Caller = ANONYMOUS

    @method_decorator(csrf_exempt)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        chosen = request.GET.get("lang", "")
        self.language = chosen if chosen in LANGUAGES else preferred(request.headers.get("Accept-Language", ""))
        response: HttpResponseBase
        try:
            if isinstance(request.user, User) and not second_factor.is_owed(request):
                self.user, self.caller = request.user, request.user.caller(by_session=True)
                self.language = language_of(self.user.locale)
            self.count()
            if request.method == "POST" and not passes_csrf(request):
                response = self.message(self.words["stale"], self.words["stale_more"], 403)
            else:
                response = self.refusal() or super().dispatch(request, *args, **kwargs)
        except RateLimited as exc:
            response = self.limited(exc)
        except (OperationalError, InterfaceError):
            self.user = None
            response = self.message(self.words["unavailable"], self.words["unavailable_more"], 503)
        for name, value in HEADERS.items():
            response[name] = value
        response["Content-Language"] = self.language
        patch_vary_headers(response, ["Accept-Language", "Cookie"])
        return response

    @property
    def words(self) -> Mapping[str, str]:
        return SENTENCES[self.language]

    def count(self) -> None:
        """Raises `RateLimited`."""
        if self.caller.is_anonymous:
            spend("anonymous", client_address(self.request))
        else:
            spend("api", self.caller.key)

    def refusal(self) -> HttpResponse | None:
        """What she gets instead of the page, if she may not see it."""
        return None

    def limited(self, exc: RateLimited) -> HttpResponse:
        seconds = exc.headers["Retry-After"]
        response = self.message(self.words["limited"], self.words["limited_more"].format(seconds=seconds), 429)
        response["Retry-After"] = seconds
        return response

    def message(self, headline: str, more: str, status: int) -> HttpResponse:
        return self.page("accounts/pages/message.html", {"headline": headline, "more": more}, status)

    def page(self, template: str, context: Mapping[str, Any], status: int = 200) -> HttpResponse:
        everywhere: dict[str, Any] = {
            "language": self.language,
            "direction": direction(self.language),
            "words": self.words,
            "person": self.user,
        }
        return render(self.request, template, {**everywhere, **context}, status=status)

    def see(self, address: str) -> HttpResponse:
        """After a form: the page there, which can be loaded again."""
        return HttpResponseRedirect(address, status=303)


def sign_in_first(request: HttpRequest) -> HttpResponse:
    """To the page to sign in, and back."""
    address = request.get_full_path() if request.method in {"GET", "HEAD"} else request.path
    return HttpResponseRedirect(f"{reverse('sign-in')}?{urlencode({'next': address})}")


class SignInPage(PageView):
    """By the rules of the API's sign-in: counted, audited and answered like there."""

    def count(self) -> None:
        if self.request.method == "POST":
            spend("sign_in", client_address(self.request))
        else:
            super().count()

    @property
    def next(self) -> str:
        """Where to go from here, on this site alone."""
        return signing_in.on_the_way_to(self.request, HOME)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.see(self.next) if self.user else self.form()

    def post(self, request: HttpRequest) -> HttpResponse:
        given = {name: request.POST.get(name, "") for name in ("email", "password", "organization")}
        if not given["organization"]:
            del given["organization"]
        checked = serializers.SignInInput(data=given)
        if not checked.is_valid():
            return self.form("incomplete", 400)
        values = checked.validated_data
        spend_for_email("sign_in_email", values["email"])
        try:
            signing_in.sign_in(request, values["email"], values["password"], values.get("organization"))
        except Elsewhere:
            return self.see(f"{reverse('admin:login')}?{urlencode({'next': self.next})}")
        except Unauthorized as exc:
            return self.form("wrong", exc.status)
        except Ambiguous as exc:
            return self.form("ambiguous", exc.status, organizations=exc.organizations)
        return self.see(self.next)

    def form(self, problem: str = "", status: int = 200, **more: Any) -> HttpResponse:
        kept = {"next": self.next} if self.next != HOME else {}
        context = {
            "problem": self.words[problem] if problem else "",
            "email": self.request.POST.get("email", "")[:254],
            "next": self.next,
            "languages": [(code, own, urlencode({"lang": code} | kept)) for code, own in LANGUAGES.items()],
        }
        return self.page("accounts/pages/sign_in.html", context | more, status)


class SignOutPage(PageView):
    def get(self, request: HttpRequest) -> HttpResponse:
        if self.user is None:
            return self.see(reverse("sign-in"))
        said = self.words["signed_in_as"].format(name=self.user.name)
        return self.page("accounts/pages/sign_out.html", {"said": said})

    def post(self, request: HttpRequest) -> HttpResponse:
        if self.user:
            signing_in.sign_out(request)
        return self.see(reverse("sign-in"))
