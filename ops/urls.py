"""The operational routes, below ``/api``."""

from cerply.routing import route
from ops import views

urlpatterns = [
    route("health", views.HealthView, "health"),
    route("health/live", views.LiveView, "live"),
    route("health/ready", views.ReadyView, "ready"),
    route("ops/kpis", views.KpisView, "kpis"),
    route("flags", views.FlagsView, "flags"),
    route("version", views.VersionView, "version"),
    route("schema", views.SchemaView, "schema"),
    route("docs", views.DocsView, "docs"),
]
