"""Reading the environment, typed, and refusing to start on a bad one with one clear line."""

import base64
import binascii
import re
import warnings
from collections.abc import Collection, Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, NoReturn

import environ
from limits import parse

from cerply import clock, mail_providers, seal

SHORTEST_SECRET = 32
PUBLISHED_ADMIN_TOKEN = "dev-admin-token-12345"  # noqa: S105 - published
PUBLISHED_SECRETS = frozenset({PUBLISHED_ADMIN_TOKEN, "development-secret-key-not-for-production"})
# What the documentation shows. It opens development and test, and nothing else.
DEMO_TOKENS = frozenset(
    f"demo-{who}-token"
    for who in ("learner", "manager", "admin", "newcomer", "other-learner", "other-manager", "other-admin")
)
DEMO_PASSWORD = "demo-password"  # noqa: S105 - published
DEMO_STAFF_PASSWORD = "demo-staff-password"  # noqa: S105 - published
DEMO_SECRETS = DEMO_TOKENS | {DEMO_PASSWORD, DEMO_STAFF_PASSWORD}
HOST = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)


class Environment(StrEnum):
    DEVELOPMENT = "development"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"


def refuse(message: str) -> NoReturn:
    """Stops the start with this line alone: no traceback, whatever is starting."""
    raise SystemExit(f"Cerply does not start: {message}")


class Env:
    """The process's environment. ``CERPLY_ENV`` decides what may have a default; unset or misspelt is production."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        name = variables.get("CERPLY_ENV", "")
        self.name = Environment(name) if name in set(Environment) else Environment.PRODUCTION

    @property
    def is_relaxed(self) -> bool:
        """Development and test: published secrets are allowed, and demo data."""
        return self.name in {Environment.DEVELOPMENT, Environment.TEST}

    def text(self, name: str, default: str = "") -> str:
        return self.variables.get(name, "").strip() or default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """On only when ``true``, spelt like this; an unset one is the default, any other word is off."""
        value = self.variables.get(name, "")
        return default if not value else value == "true"

    def one_of(self, name: str, default: str, choices: Collection[str]) -> str:
        value = self.text(name, default).upper()
        if value not in choices:
            refuse(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
        return value

    def number(self, name: str, default: int, *, least: int = 0) -> int:
        value = self.text(name, str(default))
        if not value.isascii() or not value.isdigit() or int(value) < least:
            refuse(f"{name} must be a whole number of at least {least}, not {value!r}.")
        return int(value)

    def words(self, name: str, default: str = "") -> list[str]:
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def secret(self, name: str, development: str) -> str:
        """A secret without a default outside of development and test."""
        value = self.text(name)
        if self.is_relaxed:
            return value or development
        if not value:
            refuse(f"{name} is not set. Set it to a random text of at least {SHORTEST_SECRET} characters.")
        self.refuse_weak(name, value)
        return value

    def former_secrets(self, name: str) -> list[str]:
        """Secrets that still count while one is rotated: as strong as the one that follows them."""
        values = self.words(name)
        if not self.is_relaxed:
            for value in values:
                self.refuse_weak(name, value)
        return values

    def refuse_weak(self, name: str, value: str) -> None:
        if value in PUBLISHED_SECRETS or len(value) < SHORTEST_SECRET or len(set(value)) < 8:
            refuse(f"{name} is weak or published. Set it to a random text of at least {SHORTEST_SECRET} characters.")

    def admin_token(self) -> str:
        """The token that opens everything for reading; empty where it does not count.

        Empty means that the header is as if it were not there: in production, and wherever CERPLY_ENV is misspelt.
        """
        value = self.text("ADMIN_TOKEN")
        if value and not self.is_relaxed:
            self.refuse_weak("ADMIN_TOKEN", value)
        counts = {Environment.DEVELOPMENT, Environment.TEST, Environment.STAGING}
        return value if self.text("CERPLY_ENV") in counts else ""

    def metrics_token(self) -> str:
        """What a reader of the metrics must show. Empty: only development and test tell them, and to anybody."""
        value = self.text("METRICS_TOKEN")
        if value and not self.is_relaxed:
            self.refuse_weak("METRICS_TOKEN", value)
        return value

    def encryption_keys(self, name: str, development: str) -> list[bytes]:
        """AES-256 keys in base64, the one to encrypt with first; older ones still decrypt."""
        keys = []
        for text in self.words(name, development if self.is_relaxed else ""):
            try:
                key = base64.b64decode(text, altchars=b"-_" if "-" in text or "_" in text else None, validate=True)
            except (ValueError, binascii.Error):
                key = b""
            if len(key) != 32:
                refuse(f"{name} must be a comma-separated list of keys of 32 bytes in base64.")
            if not self.is_relaxed and (len(set(key)) < 8 or key == base64.b64decode(development)):
                refuse(f"{name} holds a weak or published key. Make one with: openssl rand -base64 32")
            keys.append(key)
        if not keys:
            refuse(f"{name} is not set. Make a key with: openssl rand -base64 32")
        return keys

    def seal(self, certificates: str, key: str) -> seal.Seal | None:
        """What two files of PEM hold; none where neither is named."""
        if not self.text(certificates) and not self.text(key):
            return None
        for name, other in ((certificates, key), (key, certificates)):
            if not self.text(name):
                refuse(f"{name} is not set, and {other} is. Set both, or neither.")
        content = self._file(key)
        try:
            private_key = seal.read_key(content)
        except seal.Unusable as exc:
            refuse(f"{key} {exc}")
        content = self._file(certificates)
        try:
            return seal.Seal(seal.read_certificates(content, private_key, clock.now()), private_key)
        except seal.Unusable as exc:
            refuse(f"{certificates} {exc}")

    def _file(self, name: str) -> bytes:
        try:
            return Path(self.text(name)).read_bytes()
        except (OSError, ValueError):
            refuse(f"{name} must be the path of a file that Cerply may read.")

    def url(self, name: str, development: str) -> str:
        """An http(s) address without a trailing slash."""
        value = self.text(name, development if self.is_relaxed else "").rstrip("/")
        if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
            refuse(f"{name} must be the http(s) address under which people reach Cerply, like https://cerply.example.")
        return value

    def mailer(self, name: str, development: str) -> dict[str, Any]:
        """An entry of Django's ``MAILERS``: ``smtp+tls://user:password@host:587``, ``postmark://server-token@``."""
        value = self.text(name, development if self.is_relaxed else "")
        if not value:
            refuse(f"{name} is not set. Name a mail server: smtp+tls://user:password@host:587")
        known = ", ".join(mail_providers.PROVIDERS)
        right = f"smtp+tls://user:password@host:587, or a provider ({known}), like postmark://server-token@"
        try:
            mailer = mail_providers.mailer_of(value)
        except mail_providers.Unusable:
            refuse(f"{name} must name a mail server, like {right}.")
        is_server = mailer["BACKEND"] == mail_providers.SMTP and "host" in mailer["OPTIONS"]
        if not self.is_relaxed and not is_server and not mail_providers.provider_in(value):
            refuse(f"{name} must name a mail server outside of development and test: {right}.")
        return mailer

    def mail_event_secret(self, name: str, mailer: str) -> str:
        """What a provider shows when it tells of bounces: ``user:password``; empty where there is no provider."""
        value = self.text(name)
        if not mail_providers.provider_in(self.text(mailer)):
            return ""
        user, _, password = value.partition(":")
        if not user or not password:
            refuse(f"{name} is not set to user:password, with which the provider of {mailer} tells of bounces.")
        if not self.is_relaxed:
            self.refuse_weak(name, password)
        return value

    def mail_event_signing(self, name: str, mailer: str) -> dict[str, str]:
        """The setting of django-anymail for the key with which a provider signs what it tells, if it does."""
        provider = mail_providers.PROVIDERS.get(mail_providers.provider_in(self.text(mailer)))
        if provider is None or not provider.signing_key:
            return {}
        value = self.text(name)
        if not value:
            refuse(f"{name} is not set to the key with which the provider of {mailer} signs what it tells of bounces.")
        return {provider.signing_key: value}

    def database(self, name: str) -> dict[str, Any]:
        """An entry of Django's ``DATABASES``."""
        value = self.text(name)
        if not value:
            refuse(f"{name} is not set. `make demo` and `make test` start a PostgreSQL of their own; else name yours.")
        try:
            with warnings.catch_warnings(action="ignore"):
                config: dict[str, Any] = environ.Env.db_url_config(value)
        except ValueError:
            config = {}
        if config.get("ENGINE") != "django.db.backends.postgresql" or not config["NAME"]:
            refuse(f"{name} must name a PostgreSQL database: postgres://user:password@host:5432/name")
        return config

    def networks(self, name: str) -> list[IPv4Network | IPv6Network]:
        """Networks that may be reached though they are not public; none in production."""
        words = self.words(name)
        if words and self.name is Environment.PRODUCTION:
            refuse(f"{name} must be empty in production: webhooks go to public addresses alone.")
        try:
            return [ip_network(word) for word in words]
        except ValueError:
            refuse(f"{name} must be a comma-separated list of networks, like 127.0.0.0/8.")

    def redis(self, name: str) -> str:
        """The address of a Redis; empty where there is none."""
        value = self.text(name)
        if value and not re.fullmatch(r"(rediss?|unix)://\S+", value):
            refuse(f"{name} must name a Redis, like redis://:password@localhost:6379/0.")
        return value

    def rate(self, name: str, default: str) -> str:
        """A rate in the notation of the ``limits`` library: ``10/minute``."""
        value = self.text(name, default)
        try:
            parse(value)
        except ValueError:
            refuse(f"{name} must be a rate like 10/minute, not {value!r}.")
        return value

    def host(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not HOST.fullmatch(value):
            refuse(f"{name} must be a host name, like credentials.example.")
        if ":" in value and not self.is_relaxed:
            refuse(f"{name} must have no port outside of development and test: verifiers look for it at 443.")
        return value.lower()
