"""Settings of every environment; what differs is read from the environment, here and nowhere else."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ

from cerply import browsers
from cerply.env import Env, refuse
from cerply.logs import LEVELS, logging_config
from cerply.mail import counted
from cerply.mail_providers import provider_in

BASE_DIR = Path(__file__).resolve().parent.parent
if not Env(os.environ).is_relaxed:
    # The demo and the tests say all that they need: a file for this machine's installation must not reach into them.
    environ.Env.read_env(BASE_DIR / ".env")
env = Env(os.environ)

# -- which installation --

CERPLY_ENV = env.name
RELAXED = env.is_relaxed
DEBUG = env.is_relaxed and env.flag("DEBUG")
PORT = env.number("PORT", 8080, least=1)
PUBLIC_URL = env.url("PUBLIC_URL", f"http://127.0.0.1:{PORT}")
PUBLIC_HOST = urlsplit(PUBLIC_URL).hostname or ""
HTTPS = PUBLIC_URL.startswith("https://")
ISSUER_HOST = env.host("ISSUER_HOST", urlsplit(PUBLIC_URL).netloc)
# Development may move from port to port without having named a host.
ISSUER_HOST_IS_FINAL = not RELAXED or bool(env.text("ISSUER_HOST"))
# Where the issuers' documents are. Only development does without TLS.
ISSUER_URL = f"{'https' if HTTPS else 'http'}://{ISSUER_HOST}"
VERSION = "0.1.0"
IMAGE_REVISION = env.text("IMAGE_REVISION", "unknown")
IMAGE_CREATED = env.text("IMAGE_CREATED", "unknown")
IMAGE_TAG = env.text("IMAGE_TAG", VERSION)

if not RELAXED and not HTTPS:
    refuse("PUBLIC_URL must begin with https:// outside of development and test.")

# -- secrets --

SECRET_KEY = env.secret("SECRET_KEY", "development-secret-key-not-for-production")
SECRET_KEY_FALLBACKS = env.former_secrets("SECRET_KEY_FALLBACKS")
ADMIN_TOKEN = env.admin_token()
# What is tried, to see that nobody takes it; see `cerply.management.deploy_checks`.
ADMIN_TOKEN_AS_GIVEN = env.text("ADMIN_TOKEN")
ADMIN_TOKEN_IS_IGNORED = bool(ADMIN_TOKEN_AS_GIVEN) and not ADMIN_TOKEN
KEY_ENCRYPTION_KEYS = env.encryption_keys("KEY_ENCRYPTION_KEYS", "ZGV2ZWxvcG1lbnQta2V5LW5vdC1mb3ItcHJvZHVjdGk=")
# None: PDFs are not sealed.
PDF_SEAL = env.seal("PDF_SEAL_CERTIFICATE", "PDF_SEAL_KEY")

# What Prometheus shows for /metrics.
METRICS_TOKEN = env.metrics_token()

# -- what is on --

FEATURE_SWITCHES = {
    "gamification": env.flag("FF_GAMIFICATION_V1"),
    "certificates": env.flag("FF_CERTIFICATES_V1"),
    "manager_notifications": env.flag("FF_MANAGER_NOTIFICATIONS_V1"),
}
PERSIST_AUDIT_EVENTS = env.flag("PERSIST_AUDIT_EVENTS", default=True)
RETAIN_AUDIT_DAYS = env.number("RETAIN_AUDIT_DAYS", 180, least=1)
RETAIN_NOTIFICATION_DAYS_READ = env.number("RETAIN_NOTIFICATION_DAYS_READ", 180, least=1)
RETAIN_NOTIFICATION_DAYS_UNREAD = env.number("RETAIN_NOTIFICATION_DAYS_UNREAD", 365, least=1)
# To whom the newest head of the platform's own chain is mailed.
AUDIT_HEADS_TO = env.words("AUDIT_HEADS_TO")
KPIS_REQUIRE_AUTH = env.flag("KPIS_REQUIRE_AUTH")
# How many seconds a page should wait before it asks again what is new in an inbox.
POLL_INTERVAL = env.number("POLL_INTERVAL", 15, least=1)

# Requests that may be made in a while, in the notation of the `limits` library, by class.
RATE_LIMITS = {
    "api": env.rate("RATE_LIMIT_API", "1000/second"),
    "anonymous": env.rate("RATE_LIMIT_ANONYMOUS", "1000/second" if RELAXED else "20/second"),
    "sign_in": env.rate("RATE_LIMIT_SIGN_IN", "1000/minute" if RELAXED else "10/minute"),
    # By the e-mail address that is tried, from wherever: more than one client may, so that none locks its bearer out.
    "sign_in_email": env.rate("RATE_LIMIT_SIGN_IN_EMAIL", "1000/minute" if RELAXED else "30/minute"),
    "password_link_email": env.rate("RATE_LIMIT_PASSWORD_LINK_EMAIL", "1000/minute" if RELAXED else "5/hour"),
    "verification": env.rate("RATE_LIMIT_VERIFICATION", "1000/second" if RELAXED else "60/minute"),
    # To look into a file that a stranger made takes up to a second of CPU.
    "files": env.rate("RATE_LIMIT_FILES", "1000/second" if RELAXED else "20/minute"),
}
# Those of them that all processes count together, for they are there to stop who guesses; each counts the others alone.
SHARED_RATE_CLASSES = frozenset({"sign_in", "sign_in_email", "password_link_email", "verification", "files"})
SHARED_COUNTS = "database://"
# How many proxies in front of us append to X-Forwarded-For; 0: the peer's address is the client's.
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", 0)

# -- Django --

ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "*" if RELAXED else PUBLIC_HOST)
CSRF_TRUSTED_ORIGINS = [f"https://{PUBLIC_HOST}"] if HTTPS else []
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "cerply.admin_config.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "anymail",
    "axes",
    "django_otp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "cerply",  # before django-q, whose worker it starts with a question of its own
    "django_q",
    "cerply.accounts",
    "cerply.tracks",
    "gamification",
    "certificates",
    "notifications",
    "ops",
    "audit",
]
MIDDLEWARE = [
    "cerply.requests.RequestIdMiddleware",
    "ops.watching.WatchMiddleware",
    # Before whatever answers for itself, so that each answer has their headers.
    "django.middleware.security.SecurityMiddleware",
    "cerply.requests.PolicyMiddleware",
    "cerply.requests.ProbeMiddleware",
    "cerply.requests.NulMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "cerply.urls"
WSGI_APPLICATION = "cerply.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
CSRF_FAILURE_VIEW = "cerply.errors.csrf_failure"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "cerply.formats"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
# The only files with an address of their own are logos, which the admin shows to staff.
MEDIA_URL = "/admin/accounts/organization/"
MEDIA_ROOT = Path(env.text("MEDIA_ROOT", str(BASE_DIR / ".data" / "media")))
# Static files are served from where they lie, so that there is no step between unpacking and starting.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = RELAXED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
FILE_UPLOAD_PERMISSIONS = 0o640

# -- database --

DATABASES = {"default": env.database("DATABASE_URL")}
DATABASES["default"] |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
# Behind a pooler that gives each transaction another connection, no cursor lives longer than its transaction.
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = env.flag("DATABASE_IS_POOLED")
DATABASES["default"]["OPTIONS"] = DATABASES["default"].get("OPTIONS", {}) | {"connect_timeout": 5}

# -- who may come in --

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "cerply.accounts.backends.EmailBackend"]
# Whoever fails so often with one e-mail address, from one client address, is locked out of it for a while.
AXES_FAILURE_LIMIT = env.number("SIGN_IN_FAILURES", 10, least=1)
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
# A try while she is locked out does not make it longer.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "cerply.accounts.lockout.email_of"
AXES_CLIENT_IP_CALLABLE = "cerply.accounts.lockout.address_of"
AXES_CLIENT_STR_CALLABLE = "cerply.accounts.lockout.nobody"
AXES_SENSITIVE_PARAMETERS = ["username", "email", "password", "next"]
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["name", "email"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# E-mail addresses are unique within an organization and among staff, which the system check cannot see. Who is
# locked out is told by the views, for the middleware of axes would answer the API with a page.
SILENCED_SYSTEM_CHECKS = ["auth.W004", "axes.W002"]
# Staff show a code of their authenticator as well; see `cerply.accounts.second_factor`.
STAFF_SECOND_FACTOR = not RELAXED
LOGIN_URL = "admin:login"
PASSWORD_RESET_TIMEOUT = 24 * 60 * 60
SESSION_COOKIE_AGE = 14 * 24 * 60 * 60
STAFF_SESSION_AGE = 12 * 60 * 60
# With this prefix browsers take it from this host alone, over TLS, whatever a neighbouring host sets (RFC 6265bis).
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
# Not Strict: whoever follows a link in an e-mail of ours would find herself signed out.
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS and env.flag("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^api/health", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("TRUST_FORWARDED_PROTO") else None
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
X_FRAME_OPTIONS = "DENY"
# What pages may load, run and ask the browser for.
SECURE_CSP, ADMIN_CSP, DOCS_CSP = browsers.PAGES, browsers.ADMIN, browsers.DOCS
PERMISSIONS_POLICY = browsers.PERMISSIONS

# -- mail --

DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", f"Cerply <no-reply@{PUBLIC_HOST}>")
MAILERS = {"default": counted(env.mailer("EMAIL_URL", "consolemail://"))}
# None for a mail server, which returns what it cannot deliver by mail.
MAIL_PROVIDER = provider_in(env.text("EMAIL_URL"))
# What the provider shows when it tells of bounces and complaints.
ANYMAIL = {
    "WEBHOOK_SECRET": env.mail_event_secret("MAIL_EVENT_SECRET", "EMAIL_URL"),
    **env.mail_event_signing("MAIL_EVENT_SIGNING_KEY", "EMAIL_URL"),
}

# -- webhooks --

# What may be reached though it is not public, for development and tests.
WEBHOOK_ALLOWED_NETWORKS = env.networks("WEBHOOK_ALLOWED_NETWORKS")
# In seconds, for each of them as a whole, from looking up the name to the status of the answer.
WEBHOOK_TIMEOUT = 10.0

# -- REST --

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["cerply.accounts.authentication.CredentialAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    # Named for the OpenAPI document; bodies are read by `cerply.parsers`.
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "cerply.negotiation.OneRepresentation",
    "DEFAULT_THROTTLE_CLASSES": ["cerply.throttling.ClientThrottle"],
    "DEFAULT_SCHEMA_CLASS": "cerply.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "cerply.errors.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "COERCE_DECIMAL_TO_STRING": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Cerply",
    "DESCRIPTION": "Recognition and credentials for company learning.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "Level": "gamification.levels.Level",
        "Role": "cerply.permissions.Role",
        "TeamRole": "cerply.accounts.models.TeamRole",
        "Source": "certificates.models.Source",
        "CertificateStatus": "certificates.models.Status",
        "RevocationCode": "certificates.models.RevocationCode",
        "NotificationType": "notifications.models.NotificationType",
        "AtRiskReason": "gamification.models.AtRiskReason",
        "CertifiesFrom": "cerply.tracks.models.CertifiesFrom",
        "Frequency": "notifications.models.Frequency",
        "WebhookDeliveryState": "ops.outbox.OutboxState",
        "WebhookState": "notifications.webhooks.serializers.SHOWN_STATES",
        "WebhookEventType": "notifications.webhooks.serializers.TOLD",
        "WebhookEventTypeOrTest": "notifications.models.WebhookEvent",
    },
    "PATH_CONVERTER_OVERRIDES": {"id": {"type": "string", "format": "uuid"}, "segment": {"type": "string"}},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "cerply.openapi.close_request_bodies",
    ],
}

# -- jobs --

# Wakes the job worker at once; without it the worker polls the database.
REDIS_URL = env.redis("REDIS_URL")
Q_CLUSTER = {
    "name": "cerply",
    "orm": "default",
    "broker_class": "ops.broker.Broker",
    # What is due is put into the queue by `ops.timetable`.
    "scheduler": False,
    "workers": env.number("WORKERS", 2, least=1),
    "poll": 0.1,
    "bulk": 10,
    "queue_limit": 20,
    "timeout": 300,
    "retry": 360,
    "max_attempts": 5,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 1000,
    "label": "Queue",
}
# What runs by the clock: name, function, and cron line in UTC. A time that was missed is made up for by the latest one;
# where a job is not to run at any hour, ``within`` says how late that may be.
JOBS: dict[str, dict[str, Any]] = {
    "cleanup_idempotency_keys": {"run": "ops.idempotency.clean_up", "cron": "0 2 * * *"},
    "clear_rate_counts": {"run": "ops.counting.clear_expired", "cron": "*/30 * * * *"},
    "clear_sessions": {"run": "cerply.accounts.signing_in.clear_sessions", "cron": "30 2 * * *"},
    "cleanup_notifications": {"run": "notifications.retention.clean_up", "cron": "45 2 * * *"},
    "cleanup_audit_events": {"run": "audit.retention.clean_up", "cron": "0 3 * * 0"},
    "create_audit_partitions": {"run": "audit.partitions.create_ahead", "cron": "15 1 * * *"},
    "seal_audit": {"run": "audit.sealing.seal", "cron": "*/2 * * * *"},
    "verify_audit": {"run": "audit.rounds.go_on", "cron": "*/10 * * * *"},
    "mail_password_links": {"run": "cerply.accounts.passwords.mail_owed", "cron": "*/5 * * * *"},
    "mail_audit_heads": {"run": "cerply.accounts.witnessing.mail_heads", "cron": "*/10 * * * *"},
    "fold_kpis": {"run": "audit.kpis.fold", "cron": "*/5 * * * *"},
    "render_certificates": {"run": "certificates.rendering.render_owed", "cron": "*/5 * * * *"},
    "sign_again": {"run": "certificates.signing_again.sign_again", "cron": "*/5 * * * *"},
    "sign_status_lists": {"run": "certificates.status_lists.sign_lapsing", "cron": "*/5 * * * *"},
    "remind_of_expiry": {"run": "certificates.reminding.remind", "cron": "30 6 * * *", "within": timedelta(hours=12)},
    # Before the digests of European mornings.
    "find_at_risk": {"run": "gamification.at_risk.find", "cron": "30 3 * * *"},
    "settle_erasures": {"run": "certificates.erasing.settle_owed", "cron": "*/5 * * * *"},
    "mail_notifications": {"run": "notifications.delivery.mail_owed", "cron": "* * * * *"},
    "deliver_webhooks": {"run": "notifications.webhooks.delivering.deliver", "cron": "* * * * *"},
    "mail_webhook_notices": {"run": "notifications.webhooks.noticing.mail_owed", "cron": "*/5 * * * *"},
    "cleanup_webhooks": {"run": "notifications.webhooks.retention.clean_up", "cron": "45 2 * * *"},
    "mail_keepsakes": {"run": "certificates.keepsakes.mail_keepsakes", "cron": "*/5 * * * *"},
    "issue_in_bulk": {"run": "gamification.bulk_issuing.resume", "cron": "*/5 * * * *"},
    "catch_up_features": {"run": "gamification.catchup.resume", "cron": "*/5 * * * *"},
}

UNFOLD = {
    "SITE_TITLE": "Cerply",
    "SITE_HEADER": "Cerply",
    "DASHBOARD_CALLBACK": "cerply.dashboard.context",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "/static/cerply/favicon.svg"}],
    "STYLES": ["/static/cerply/console.css"],
    "LOGIN": {"form": "cerply.accounts.signing_in.StaffSignInForm"},
}
LOGGING = logging_config(json=not RELAXED or env.flag("LOG_JSON"), level=env.one_of("LOG_LEVEL", "INFO", LEVELS))
LOGGING_CONFIG = "logging.config.dictConfig"

# -- traces: the SDK reads its other variables itself --

TRACING = bool(env.text("OTEL_EXPORTER_OTLP_ENDPOINT"))
TRACING_NAME = env.text("OTEL_SERVICE_NAME", "cerply")
