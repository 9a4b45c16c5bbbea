"""Every path of the service."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView, TemplateView

from cerply.accounts.admin.passwords import change_own
from cerply.accounts.pages import SignInPage, SignOutPage
from cerply.accounts.passwords import NewPasswordView
from cerply.accounts.second_factor_pages import SecondFactorPage
from cerply.accounts.signing_in import staff_sign_in
from certificates.urls import for_people
from certificates.urls import published as published_certificates
from gamification.urls import published as published_badges
from notifications.urls import for_people as for_managers
from ops.exposition import MetricsView

urlpatterns = [
    path("", TemplateView.as_view(template_name="cerply/start.html"), name="start"),
    path("admin", RedirectView.as_view(pattern_name="admin:index", query_string=True)),
    path("favicon.ico", RedirectView.as_view(url=static("cerply/favicon.svg"))),
    path("admin/login/", staff_sign_in),
    path("admin/second-factor/", SecondFactorPage.as_view(), name="second-factor"),
    path("admin/password_change/", admin.site.admin_view(change_own)),
    path("admin/", admin.site.urls),
    path(
        "password/changed",
        TemplateView.as_view(template_name="accounts/password_changed.html"),
        name="password-changed",
    ),
    path("sign-in", SignInPage.as_view(), name="sign-in"),
    path("sign-out", SignOutPage.as_view(), name="sign-out"),
    path("password/<uidb64>/<token>", NewPasswordView.as_view(), name="password"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("", include(published_certificates)),
    path("", include(published_badges)),
    path("", include(for_people)),
    path("", include(for_managers)),
    path("api/", include("cerply.accounts.urls")),
    path("api/", include("cerply.tracks.urls")),
    path("api/", include("gamification.urls")),
    path("api/", include("certificates.urls")),
    path("api/", include("notifications.urls")),
    path("api/", include("ops.urls")),
    path("api/", include("audit.urls")),
]

handler400 = "cerply.errors.bad_request"
handler403 = "cerply.errors.permission_denied"
handler404 = "cerply.errors.page_not_found"
handler500 = "cerply.errors.server_error"
