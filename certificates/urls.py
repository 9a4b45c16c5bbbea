"""Certificates, below ``/api``."""

from cerply.routing import route
from certificates import views

urlpatterns = [
    route("learners/<id:learner_id>/certificates", views.LearnerCertificatesView, "learner-certificates"),
    route("certificates", views.CertificatesView, "certificates"),
    route("certificates/<id:certificate_id>/download", views.DownloadView, "certificate-download"),
    route("certificates/<id:certificate_id>/verify", views.VerifyView, "certificate-verify"),
    route("certificates/<id:certificate_id>/revoke", views.RevokeView, "certificate-revoke"),
]
