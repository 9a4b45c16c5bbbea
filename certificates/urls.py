"""Certificates, below ``/api``; and the documents that verifiers fetch, whose addresses credentials bear."""

from django.urls import path

from cerply.routing import route
from certificates import holding, keepsake_pages, keepsake_views, pages, publishing, uploading, views

urlpatterns = [
    route("learners/<id:learner_id>/certificates", views.LearnerCertificatesView, "learner-certificates"),
    route("learners/<id:learner_id>/keepsake-link", keepsake_views.KeepsakeLinkView, "keepsake-link"),
    route("certificates", views.CertificatesView, "certificates"),
    route("certificates/verify", uploading.VerifyFileView, "file-verify"),
    route("certificates/<id:certificate_id>", holding.OneCertificateView, "certificate"),
    route("certificates/<id:certificate_id>/credential", holding.CredentialView, "certificate-credential"),
    route("certificates/<id:certificate_id>/share-links", holding.ShareLinksView, "share-links"),
    route("certificates/<id:certificate_id>/share-links/<id:link_id>", holding.ShareLinkView, "share-link"),
    route("shared/<segment:secret>", holding.SharedCredentialView, "shared-credential"),
    route("certificates/<id:certificate_id>/download", views.DownloadView, "certificate-download"),
    route("certificates/<id:certificate_id>/verify", views.VerifyView, "certificate-verify"),
    route("certificates/<id:certificate_id>/revoke", views.RevokeView, "certificate-revoke"),
    route("certificates/<id:certificate_id>/suspend", views.SuspendView, "certificate-suspend"),
    route("certificates/<id:certificate_id>/reinstate", views.ReinstateView, "certificate-reinstate"),
    route("certificates/<id:certificate_id>/replace", views.ReplaceView, "certificate-replace"),
]

published = [
    route("issuers/<id:issuer_id>/did.json", publishing.DidDocumentView, "did-document"),
    route("issuers/<id:issuer_id>/jwks.json", publishing.KeySetView, "issuer-keys"),
    route("status/<id:status_list_id>", publishing.StatusListView, "status-list"),
    route("achievements/<id:achievement_id>", publishing.AchievementView, "achievement"),
    route("pictures/<segment:name>", publishing.PictureView, "picture"),
]

for_people = [
    path("verify", pages.FilePage.as_view(), name="verify-file"),
    path("verify/<id:certificate_id>", pages.CertificatePage.as_view(), name="verify"),
    path("keep/<segment:secret>", keepsake_pages.KeepsakePage.as_view(), name="keepsake"),
    path("keep/<segment:secret>/<id:certificate_id>.pdf", keepsake_pages.KeptPdf.as_view(), name="kept-pdf"),
    path("keep/<segment:secret>/<id:certificate_id>.zip", keepsake_pages.KeptBundle.as_view(), name="kept-bundle"),
]
