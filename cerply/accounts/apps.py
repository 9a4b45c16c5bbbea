import logging

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

logger = logging.getLogger(__name__)


class AccountsConfig(AppConfig):
    name = "cerply.accounts"
    label = "accounts"
    verbose_name = "People and organizations"

    def ready(self) -> None:
        from axes.signals import user_locked_out

        from cerply.accounts import lockout, signing_in
        from cerply.accounts.models import OwedLink
        from ops import gauges

        if settings.ADMIN_TOKEN_IS_IGNORED:
            logger.warning("ADMIN_TOKEN is set, and ignored: it counts in development, test and staging alone.")
        user_logged_in.connect(signing_in.audit_success, dispatch_uid="accounts.signed_in")
        user_logged_out.connect(signing_in.audit_end, dispatch_uid="accounts.signed_out")
        user_login_failed.connect(signing_in.audit_failure, dispatch_uid="accounts.sign_in_failed")
        user_locked_out.connect(lockout.audit_lockout, dispatch_uid="accounts.locked_out")
        gauges.also_owed("owed_password_links", OwedLink.objects.all, since="requested_at")
