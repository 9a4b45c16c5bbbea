from django.apps import AppConfig


class CertificatesConfig(AppConfig):
    name = "certificates"

    def ready(self) -> None:
        from certificates import checks
        from ops import health

        health.CHECKS["issuer host"] = checks.check_readiness
