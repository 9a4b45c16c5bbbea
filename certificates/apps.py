from django.apps import AppConfig


class CertificatesConfig(AppConfig):
    name = "certificates"

    def ready(self) -> None:
        from certificates import checks
        from certificates.models import Certificate, Keepsake
        from ops import gauges, health

        health.CHECKS["issuer host"] = checks.check_readiness
        gauges.also_owed("certificates_to_render", Certificate.objects.owed_a_pdf, since="issued_at")
        gauges.also_owed("keepsakes", Keepsake.objects.waiting, since="requested_at")
