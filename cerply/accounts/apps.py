from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "cerply.accounts"
    label = "accounts"
    verbose_name = "People and organizations"
