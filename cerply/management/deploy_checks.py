"""What has to be true of an installation once a release runs there; each question says what it saw."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from django.conf import settings
from django.db import DatabaseError
from django.utils.csp import CSP

from audit import keys as audit_keys
from audit.models import AuditKey, Kpi
from cerply import clock
from cerply.encryption import KeyUnavailable
from cerply.env import DEMO_TOKENS, PUBLISHED_ADMIN_TOKEN, Environment
from cerply.errors import ErrorCode
from cerply.management.installation import Answer, Installation, Silent
from certificates import issuers
from certificates.keys import LocalSigner
from certificates.models import Issuer, SigningKey
from ops import health
from ops.punctuality import PATIENCE, punctuality

# A worker says that it lives every 5 seconds.
OLDEST_SIGN_OF_LIFE = 60.0
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}
SIGNED_IN_ALONE = "/api/tracks"


class Fails(Exception):
    """With a sentence that says what was seen, and what to do."""


class NotAsked(Exception):
    """It is no question for this installation; with the reason."""


class Outcome(StrEnum):
    OK = "ok"
    FAILS = "fails"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    outcome: Outcome
    said: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def findings(installation: Installation) -> Iterator[Finding]:
    """Of each check, in their order. Where nobody answers, nothing else is asked."""
    is_silent = False
    for name, check in CHECKS.items():
        if is_silent:
            yield Finding(name, Outcome.NOT_ASKED, "Nobody answers.")
            continue
        try:
            yield Finding(name, Outcome.OK, check(installation))
        except NotAsked as exc:
            yield Finding(name, Outcome.NOT_ASKED, str(exc))
        except Fails as exc:
            yield Finding(name, Outcome.FAILS, str(exc))
        except Silent as exc:
            is_silent = name == "live"
            yield Finding(name, Outcome.FAILS, f"No answer from {installation.url}: {exc}.")
        except DatabaseError as exc:
            yield Finding(name, Outcome.FAILS, f"From here the database cannot be asked: {exc}".strip())


# -- the checks --


def live(installation: Installation) -> str:
    _expect(installation.ask("/api/health/live"), 200)
    return "The web server answers."


def ready(installation: Installation) -> str:
    _expect(installation.ask("/api/health/ready"), 200)
    return "Database and storage are there."


def version(installation: Installation) -> str:
    answer = _expect(installation.ask("/api/version"), 200)
    runs, here = answer.body.get("revision"), settings.IMAGE_REVISION
    if answer.body.get("version") != settings.VERSION or runs != here:
        raise Fails(
            f"{answer.body.get('version')} ({runs}) runs there, and this is {settings.VERSION} ({here}). "
            "Wait until the rollout is through, or run this command in the release that is to be there."
        )
    return f"{settings.VERSION} ({runs}) runs."


def migrations(installation: Installation) -> str:
    try:
        health.check_database()
    except health.Unready as exc:
        raise Fails(str(exc)) from exc
    return "All are applied."


def worker(installation: Installation) -> str:
    answer = _expect(installation.ask("/api/health/ready"), 200)
    age = answer.body.get("worker", {}).get("ageSeconds")
    if age is None or age > OLDEST_SIGN_OF_LIFE:
        when = "for an hour at least" if age is None else f"for {age:.0f} seconds"
        raise Fails(f"No job worker has shown a sign of life {when}. Start `manage.py qcluster`.")
    return f"It showed a sign of life {age:.0f} seconds ago."


def jobs(installation: Installation) -> str:
    moment = clock.now()
    standings = list(punctuality())
    said = []
    for each in standings:
        if each.overdue(moment) > PATIENCE:
            age = each.since_success(moment)
            last = "never succeeded" if age is None else f"last succeeded {str(age).partition('.')[0]} ago"
            said.append(f"{each.job} {last}")
    if unreadable := sorted(settings.JOBS.keys() - {each.job for each in standings}):
        said.append(f"no times can be read for {', '.join(unreadable)}")
    if said:
        raise Fails(f"Overdue: {'; '.join(said)}. `manage.py jobs NAME` says why.")
    return f"All {len(standings)} keep their times."


def errors(installation: Installation) -> str:
    for path, status, code in (
        ("/api/certificates/not-an-id/verify", 400, ErrorCode.BAD_REQUEST),
        ("/api/no-such-route", 404, ErrorCode.NOT_FOUND),
    ):
        answer = _expect(installation.ask(path), status)
        if answer.error_code != code:
            raise Fails(f"{path} answers {status} without our envelope and its {code}: {answer}")
    return "A malformed id is 400, an unknown route 404, both in the envelope."


def kpis(installation: Installation) -> str:
    answer = installation.ask("/api/ops/kpis")
    if settings.KPIS_REQUIRE_AUTH:
        _expect(answer, 401)
        return "They are for staff alone (KPIS_REQUIRE_AUTH)."
    counters = _expect(answer, 200).body.get("epic7", {})
    if missing := [kpi.value for kpi in Kpi if not isinstance(counters.get(kpi.value), int)]:
        raise Fails(f"There is no {', '.join(missing)}.")
    return ", ".join(f"{kpi.value} {counters[kpi.value]}" for kpi in Kpi)


def keys(installation: Installation) -> str:
    """Those that sign can be opened here, and a verifier finds an issuer's where her credentials say."""
    opened = 0
    try:
        for key in SigningKey.objects.active():
            LocalSigner(key)
            opened += 1
    except KeyUnavailable as exc:
        raise Fails(str(exc)) from exc
    for head_key in AuditKey.objects.active():
        if not audit_keys.is_ours(head_key):
            raise Fails(f"KEY_ENCRYPTION_KEYS has no key that opens audit key {head_key.id}.")
    if problem := issuers.host_problem():
        raise Fails(problem)
    issuer = Issuer.objects.filter(organization__signing_keys__retired_at=None).order_by("-created_at").first()
    if issuer is None:
        raise NotAsked("No organization has issued anything yet.")
    path = f"/issuers/{issuer.id}/did.json"
    answer = _expect(installation.ask(path, host=settings.ISSUER_HOST), 200)
    if answer.body != issuers.did_document(issuer, issuers.trusted_keys(issuer)):
        raise Fails(f"{path} is not what this database says: is it the same one? {answer}")
    return f"{opened} signing keys open, and {issuers.did_document_url(issuer)} names its own."


def admin_token(installation: Installation) -> str:
    if settings.RELAXED:
        raise NotAsked("In development and test the published one counts.")
    candidates = [PUBLISHED_ADMIN_TOKEN]
    if settings.CERPLY_ENV == Environment.PRODUCTION and settings.ADMIN_TOKEN_AS_GIVEN:
        candidates.append(settings.ADMIN_TOKEN_AS_GIVEN)
    for token in candidates:
        if installation.ask(SIGNED_IN_ALONE, X_Admin_Token=token).status != 401:
            which = "The published admin token" if token == PUBLISHED_ADMIN_TOKEN else "ADMIN_TOKEN"
            raise Fails(f"{which} is taken. Is CERPLY_ENV there what it is here, {settings.CERPLY_ENV}?")
    return "It is refused." if settings.CERPLY_ENV == Environment.PRODUCTION else "The published one is refused."


def demo_tokens(installation: Installation) -> str:
    if settings.RELAXED:
        raise NotAsked("In development and test they count.")
    for token in sorted(DEMO_TOKENS):
        if installation.ask(SIGNED_IN_ALONE, Authorization=f"Bearer {token}").status != 401:
            raise Fails(f"{token}, which the documentation shows, is taken: that database has the demo's data in it.")
    return "They are refused."


def headers(installation: Installation) -> str:
    answer = _expect(installation.ask("/"), 200)
    expected = HEADERS | {CSP.HEADER_ENFORCE: "default-src 'none'"}
    if settings.HTTPS:
        expected["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}"
    wrong = [name for name, text in expected.items() if not (answer.headers.get(name) or "").startswith(text)]
    if wrong:
        raise Fails(f"Missing, or weaker than they leave us: {', '.join(wrong)}. What does the proxy do with them?")
    return ", ".join(expected)


def metrics(installation: Installation) -> str:
    if settings.RELAXED and not settings.METRICS_TOKEN:
        raise NotAsked("In development and test anybody may read them where METRICS_TOKEN is not set.")
    _expect(installation.ask("/metrics"), 401)
    if not settings.METRICS_TOKEN:
        raise NotAsked("They are refused, to Prometheus too: METRICS_TOKEN is not set.")
    answer = _expect(installation.ask("/metrics", Authorization=f"Bearer {settings.METRICS_TOKEN}"), 200)
    if b"cerply_" not in answer.content:
        raise Fails("They have nothing of ours in them.")
    return "They are told to who has METRICS_TOKEN, and to nobody else."


CHECKS: dict[str, Callable[[Installation], str]] = {
    "live": live,
    "ready": ready,
    "version": version,
    "migrations": migrations,
    "worker": worker,
    "jobs": jobs,
    "errors": errors,
    "KPIs": kpis,
    "keys": keys,
    "admin token": admin_token,
    "demo tokens": demo_tokens,
    "headers": headers,
    "metrics": metrics,
}


def _expect(answer: Answer, status: int) -> Answer:
    """An answer of ours with this status; where it is 200 with JSON, an object."""
    if answer.status != status:
        raise Fails(f"Expected {status}, got {answer}")
    is_json = "json" in answer.headers.get("Content-Type", "")
    if status == 200 and is_json and not isinstance(answer.body, dict):
        raise Fails(f"Expected an object, got {answer}")
    return answer
