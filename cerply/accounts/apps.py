from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_login_failed


class AccountsConfig(AppConfig):
    name = "cerply.accounts"
    label = "accounts"
    verbose_name = "People and organizations"

    def ready(self) -> None:
        from cerply.accounts import signing_in

        user_logged_in.connect(signing_in.audit_success, dispatch_uid="accounts.signed_in")
        user_login_failed.connect(signing_in.audit_failure, dispatch_uid="accounts.sign_in_failed")
