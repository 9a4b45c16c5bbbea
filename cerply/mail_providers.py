"""Mail servers and providers, as ``EMAIL_URL`` names them.

A provider is its name as the scheme, its key as the user, and where it has more than one, the second as the password:
``postmark://server-token@``, ``mailgun://key@mg.example.com``, ``mailjet://key:secret@``. ``?api_url=`` names another
address of its API, as of a region.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

SMTP = "django.core.mail.backends.smtp.EmailBackend"
# In seconds, for each step of the conversation.
TIMEOUT = 20


class Unusable(Exception):
    """It names neither a mail server nor a provider, or not all that one needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One that django-anymail speaks to: where its classes are, and the options that are the parts of the address."""

    module: str
    # As it begins the names of classes.
    name: str
    user: str
    password: str = ""
    host: str = ""
    # The setting of django-anymail for the key with which it signs its events, if it does.
    signing_key: str = ""


PROVIDERS = {
    "brevo": Provider(module="brevo", name="Brevo", user="api_key"),
    "mailersend": Provider(
        module="mailersend", name="MailerSend", user="api_token", signing_key="MAILERSEND_SIGNING_SECRET"
    ),
    "mailgun": Provider(
        module="mailgun",
        name="Mailgun",
        user="api_key",
        host="sender_domain",
        signing_key="MAILGUN_WEBHOOK_SIGNING_KEY",
    ),
    "mailjet": Provider(module="mailjet", name="Mailjet", user="api_key", password="secret_key"),  # noqa: S106 - a name
    "mailtrap": Provider(module="mailtrap", name="Mailtrap", user="api_token"),
    "postmark": Provider(module="postmark", name="Postmark", user="server_token"),
    "sparkpost": Provider(module="sparkpost", name="SparkPost", user="api_key"),
}


def provider_in(url: str) -> str:
    """Its name; empty for a mail server."""
    scheme = url.partition(":")[0]
    return scheme if scheme in PROVIDERS else ""


def mailer_of(url: str) -> dict[str, Any]:
    """An entry of Django's ``MAILERS``."""
    name = provider_in(url)
    return _provided(PROVIDERS[name], url) if name else _served(url)


def _provided(provider: Provider, url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        given = {"user": parts.username, "password": parts.password, "host": parts.hostname}
    except ValueError:
        raise Unusable from None
    options = {}
    for part, value in given.items():
        option = getattr(provider, part)
        if bool(option) != bool(value):
            raise Unusable
        if option:
            options[option] = unquote(value or "")
    for option, values in parse_qs(parts.query).items():
        if option != "api_url":
            raise Unusable
        options[option] = values[-1]
    return {"BACKEND": f"anymail.backends.{provider.module}.EmailBackend", "OPTIONS": options}


def _served(url: str) -> dict[str, Any]:
    try:
        config = environ.Env.email_url_config(url)
    except (ValueError, ImproperlyConfigured):
        raise Unusable from None
    names = {
        "host": "EMAIL_HOST",
        "port": "EMAIL_PORT",
        "username": "EMAIL_HOST_USER",
        "password": "EMAIL_HOST_PASSWORD",
        "use_tls": "EMAIL_USE_TLS",
        "use_ssl": "EMAIL_USE_SSL",
        "file_path": "EMAIL_FILE_PATH",
    }
    options = {option: config[key] for option, key in names.items() if config.get(key)}
    if config["EMAIL_BACKEND"] == SMTP:
        options["timeout"] = TIMEOUT
        options.pop("file_path", None)
    return {"BACKEND": config["EMAIL_BACKEND"], "OPTIONS": options}
