from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = "Manager notifications"

    def ready(self) -> None:
        from anymail.signals import tracking

        from notifications.mail_events import receive

        tracking.connect(receive, dispatch_uid="notifications.mail_events")
