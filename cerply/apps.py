from django.apps import AppConfig


class CerplyConfig(AppConfig):
    name = "cerply"

    def ready(self) -> None:
        from cerply.management import checks  # noqa: F401 - it registers them
