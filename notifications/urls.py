"""The managers' inbox and webhooks, below ``/api``; pages for who has had a mail, and what a mail provider calls."""

from django.conf import settings
from django.urls import path

from cerply.routing import route
from notifications import inbox_pages, mail_events, policies, views
from notifications.unsubscribing import UnsubscribePage
from notifications.webhooks import views as webhooks

urlpatterns = [
    route("manager/notifications", views.NotificationsView, "notifications"),
    route("manager/notifications/unread/count", views.UnreadCountView, "unread-count"),
    route("manager/notifications/read-all", views.ReadAllView, "read-all"),
    route("manager/notifications/<id:notification_id>", views.NotificationView, "notification"),
    route("manager/notification-preferences", views.PreferencesView, "notification-preferences"),
    route("organization/notification-policy", policies.PolicyView, "notification-policy"),
    route("webhooks", webhooks.WebhooksView, "webhooks"),
    route("webhooks/<id:webhook_id>", webhooks.WebhookView, "webhook"),
    route("webhooks/<id:webhook_id>/rotate-secret", webhooks.SecretView, "webhook-secret"),
    route("webhooks/<id:webhook_id>/test", webhooks.SendTestView, "webhook-test"),
    route("webhooks/<id:webhook_id>/deliveries", webhooks.DeliveriesView, "webhook-deliveries"),
    route("webhooks/<id:webhook_id>/deliveries/<id:delivery_id>/replay", webhooks.ReplayView, "webhook-replay"),
]

for_people = [
    path("inbox", inbox_pages.InboxListPage.as_view(), name="inbox"),
    path("inbox/<id:notification_id>", inbox_pages.NotificationPage.as_view(), name="inbox-notification"),
    path("unsubscribe/<str:token>", UnsubscribePage.as_view(), name="unsubscribe"),
]
if settings.MAIL_PROVIDER:
    for_people.append(path("mail-events", mail_events.view_of(settings.MAIL_PROVIDER), name="mail-events"))
