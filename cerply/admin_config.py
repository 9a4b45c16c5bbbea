"""Which site Django's admin is: an app configuration of its own, for it is read before any model is there."""

from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    default_site = "cerply.accounts.console_site.ConsoleSite"
