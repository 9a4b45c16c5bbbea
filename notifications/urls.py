"""The managers' inbox, below ``/api``."""

from cerply.routing import route
from notifications import views

urlpatterns = [
    route("manager/notifications", views.NotificationsView, "notifications"),
    route("manager/notifications/unread/count", views.UnreadCountView, "unread-count"),
    route("manager/notifications/read-all", views.ReadAllView, "read-all"),
    route("manager/notifications/<id:notification_id>", views.NotificationView, "notification"),
    route("manager/notification-preferences", views.PreferencesView, "notification-preferences"),
]
