"""The routes of the audit, below ``/api``."""

from audit import views
from cerply.routing import route

urlpatterns = [
    route("audit/events", views.EventsView, "audit-events"),
    route("audit/heads", views.HeadsView, "audit-heads"),
    route("audit/bundle", views.BundleView, "audit-bundle"),
]
