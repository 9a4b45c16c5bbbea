"""Walks every route of the API against a demo that was just reset, and writes docs/api.md: what was asked and answered.

make demo-reset && make demo          # in one terminal
.venv/bin/python scripts/walk_api.py  # in another one
"""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

BASE = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
MAYA = "00000000-0000-0000-0000-000000000001"
NEWCOMER = "00000000-0000-0000-0000-000000000009"
FIRE = "00000000-0000-0000-0000-000000000101"
ITEM = "00000000-0000-0000-0000-000000010101"
LONGEST_LIST = 1
SHOWN_HEADERS = ("content-type", "content-disposition", "cache-control", "etag", "x-idempotency-replay", "retry-after")

lines: list[str] = []


def text(*paragraphs: str) -> None:
    for paragraph in paragraphs:
        lines.extend([paragraph, ""])


def call(
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str | None = "demo-admin-token",
    headers: dict[str, str] | None = None,
    file: str | None = None,
) -> Any:
    """Makes the request, writes it down as a curl line with its answer, and returns the answer's body.

    ``file``: the one that the body is written to have come from.
    """
    given = dict(headers or {})
    if token:
        given["Authorization"] = f"Bearer {token}"
    command = ["curl -s" if method == "GET" else f"curl -s -X {method}"]
    command += [f'-H "{name}: {value}"' for name, value in given.items()]
    if body is not None:
        given["Content-Type"] = "application/json"
        command += [
            '-H "Content-Type: application/json"',
            f"-d @{file}" if file else f"-d '{json.dumps(body, ensure_ascii=False)}'",
        ]
    last = path.rpartition("/")[2]
    saved_as = {"download": "certificate.pdf", "image.png": "badge.png", "image.svg": "badge.svg"}.get(last)
    command += [f"-o {saved_as}"] if saved_as else []
    command.append(f'"$CERPLY{path}"')
    data = json.dumps(body).encode() if body is not None else None
    request = Request(f"{BASE}/api{path}", data, given, method=method)  # noqa: S310 - our own http address
    try:
        answer = urlopen(request, timeout=30)  # noqa: S310 - our own http address
    except HTTPError as exc:
        answer = exc
    content = answer.read()
    value = json.loads(content) if content.startswith((b"{", b"[")) else None
    lines.extend(["```sh", " \\\n  ".join(command), "```", ""])
    status = f"`{answer.status}`"
    shown = [
        f"`{name}: {answer.headers[name]}`"
        for name in SHOWN_HEADERS[1:]
        if name in answer.headers and content[:4] == b"%PDF"
    ]
    shown += [f"`{name}: {answer.headers[name]}`" for name in SHOWN_HEADERS[4:] if name in answer.headers and not shown]
    lines.extend([f"{status} {' '.join(shown)}".strip(), ""])
    if value is not None:
        lines.extend(["```json", json.dumps(shortened(value), indent=2, ensure_ascii=False), "```", ""])
    return value


def shortened(value: Any) -> Any:
    """Long lists with their first row alone, and no secret."""
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    if isinstance(value, list) and len(value) > LONGEST_LIST and isinstance(value[0], dict):
        return [shortened(value[0]), f"… {len(value) - 1} more"]
    return "whsec_…" if str(value).startswith("whsec_") else value


def walk() -> None:
    text(
        "# The API, route by route",
        "Every request below was really made against a new demo, with the answer that it got; long lists are cut. Ids "
        "that do not begin with zeros were made then: put your own in their place. "
        "`scripts/walk_api.py` writes this page. The whole contract, with every field, is at `/api/docs`.",
        "```sh\nexport CERPLY=http://127.0.0.1:8080/api\n```",
        "## Signing in",
    )
    person = {"email": "person-1@nordlys.example", "password": "demo-password"}
    call("POST", "/auth/login", person, token=None)
    call("GET", "/auth/me", token="demo-manager-token")
    text("`POST /auth/logout` ends a session; it needs the session's cookie and `X-CSRFToken`.")
    call("POST", "/auth/password-link", {"email": "person-1@nordlys.example"}, token=None)
    made = call("POST", "/auth/tokens", {"name": "HR system"})
    call("GET", "/auth/tokens?limit=1")
    call("DELETE", f"/auth/tokens/{made['id']}")
    text("Without a credential, or with a wrong one:")
    call("GET", "/auth/me", token="wrong")

    text("## People")
    call("GET", "/learners?q=maya&limit=1")
    row = {"externalId": "hr-9001", "name": "Nadia Rahimi", "email": "nadia@nordlys.example", "timezone": "Europe/Oslo"}
    nadia = call("POST", "/learners", row)
    text("The same external id again is an update:")
    call("POST", "/learners", {"learners": [{"externalId": "hr-9001", "name": "Nadia Rahimi-Berg"}]})
    call("GET", f"/learners/{nadia['id']}")
    call("PATCH", f"/learners/{nadia['id']}", {"locale": "nb"})
    call("GET", "/teams?limit=1")
    team = call("POST", "/teams", {"name": "Substation West", "memberIds": [nadia["id"]]})
    call("GET", f"/teams/{team['id']}")
    call("PATCH", f"/teams/{team['id']}", {"name": "Substation East"})
    call("PUT", f"/teams/{team['id']}/members/{NEWCOMER}")
    call("DELETE", f"/teams/{team['id']}/members/{NEWCOMER}")
    call("DELETE", f"/teams/{team['id']}")

    text("## Material")
    call("GET", "/tracks?limit=1", token="demo-learner-token")
    call("GET", f"/tracks/{FIRE}", token="demo-learner-token")
    track = call("POST", "/tracks", {"externalId": "first-aid", "title": "First Aid", "certifiesFrom": "any"})
    items = {"items": [{"externalId": "fa-1", "title": "How fast are chest compressions?"}]}
    saved = call("POST", f"/tracks/{track['id']}/items", items)
    call("PATCH", f"/tracks/{track['id']}", {"title": "First Aid at Work", "language": "en", "validMonths": 24})
    call("PATCH", f"/tracks/{track['id']}/items/{saved['items'][0]['id']}", {"retired": True})

    text("## Progress")
    once = {"X-Idempotency-Key": "walk-1"}
    attempt = {"trackId": FIRE, "itemId": ITEM, "correct": True, "responseMs": 2400}
    call("POST", "/attempts", attempt, token="demo-newcomer-token", headers=once)
    text("The same request under the same key has no second effect, and gets the same answer:")
    call("POST", "/attempts", attempt, token="demo-newcomer-token", headers=once)
    text("Something wrong is named, and nothing is recorded:")
    call("POST", "/attempts", {"attempts": [attempt, attempt | {"credit": 2}]}, token="demo-newcomer-token")
    call("POST", "/shares", {"artefactId": "checklist-2026"}, token="demo-newcomer-token")
    call("POST", f"/learners/{NEWCOMER}/completions", {"trackId": FIRE})
    call("GET", f"/learners/{MAYA}/level/{FIRE}", token="demo-learner-token")
    call("GET", f"/learners/{MAYA}/levels", token="demo-manager-token")
    call("GET", f"/learners/{MAYA}/badges", token="demo-learner-token")
    call("GET", f"/learners/{MAYA}/badges/speed-demon", token="demo-learner-token")
    for form in ("credential", "image.png", "image.svg"):
        call("GET", f"/learners/{MAYA}/badges/first-steps/{form}", token="demo-learner-token")

    text("## Certificates")
    certificates = call("GET", f"/learners/{NEWCOMER}/certificates", token="demo-newcomer-token")
    certificate = certificates["certificates"][0]
    call("GET", f"/certificates?track={FIRE}&status=valid&limit=1")
    call("GET", f"/certificates/{certificate['id']}/download", token="demo-newcomer-token")
    text("Anyone may verify:")
    verify = f"/certificates/{certificate['id']}/verify?signature="
    call("GET", verify + certificate["signature"], token=None)
    call("GET", verify + "wrong", token=None)
    call("GET", f"/certificates/{certificate['id']}", token="demo-newcomer-token")
    text("Whether who scans the code sees the name is for its holder to say:")
    hidden = {"nameVisible": False}
    call("PATCH", f"/certificates/{certificate['id']}", hidden, token="demo-newcomer-token")
    text("The credential itself, and what anybody may ask about a file:")
    credential = call("GET", f"/certificates/{certificate['id']}/credential", token="demo-newcomer-token")
    call("POST", "/certificates/verify", credential, token=None, file="credential.json")
    text("Shared by its holder, until she withdraws the link:")
    shares = f"/certificates/{certificate['id']}/share-links"
    link = call("POST", shares, token="demo-newcomer-token")
    call("GET", shares, token="demo-newcomer-token")
    secret = link["url"].partition("share=")[2]
    call("GET", f"/shared/{secret}", token=None)
    call("DELETE", f"{shares}/{link['id']}", token="demo-newcomer-token")
    call("GET", f"/shared/{secret}", token=None)
    call("POST", f"/certificates/{certificate['id']}/suspend", {"reason": "The invigilator's report is awaited."})
    call("GET", verify + certificate["signature"], token=None)
    call("POST", f"/certificates/{certificate['id']}/reinstate", {"reason": "The report found nothing."})
    text("A misspelt name: the old one no longer holds, and the new one has its dates.")
    name = {"reason": "The name was misspelt.", "learnerName": "Nova Newcomer-Berg"}
    replaced = call("POST", f"/certificates/{certificate['id']}/replace", name)
    call("GET", verify + certificate["signature"], token=None)
    certificate = replaced["certificate"]
    verify = f"/certificates/{certificate['id']}/verify?signature="
    wrong = {"reason": "Recorded for the wrong person.", "code": "issued_in_error"}
    call("POST", f"/certificates/{certificate['id']}/revoke", wrong)
    call("GET", verify + certificate["signature"], token=None)
    call("GET", f"/certificates/{certificate['id']}/download", token="demo-newcomer-token")

    text("## Manager notifications")
    inbox = call("GET", "/manager/notifications?unreadOnly=true&limit=1", token="demo-manager-token")
    call("GET", "/manager/notifications/unread/count", token="demo-manager-token")
    path = f"/manager/notifications/{inbox['notifications'][0]['id']}"
    call("GET", path, token="demo-manager-token")
    call("PATCH", path, {"read": True}, token="demo-manager-token")
    call("POST", "/manager/notifications/read-all", {}, token="demo-manager-token")
    call("GET", "/manager/notification-preferences", token="demo-manager-token")
    preferences = {"frequency": "weekly", "types": ["level_up", "certificate"], "timezone": "Europe/Oslo"}
    call("PUT", "/manager/notification-preferences", preferences, token="demo-manager-token")
    text("What holds for managers who have said nothing; locked, for all of them.")
    call("GET", "/organization/notification-policy")
    policy = {"frequency": "daily", "types": ["level_up", "certificate", "at_risk"], "digestHour": 7, "locked": False}
    call("PUT", "/organization/notification-policy", policy)
    text("Who is at risk now, and what the organization calls so.")
    call("GET", "/at-risk?limit=1", token="demo-manager-token")
    call("GET", "/organization/at-risk-policy")

    text("## Webhooks", "For admins. See [webhooks.md](webhooks.md), also for what is sent.")
    hook = call("POST", "/webhooks", {"url": "https://hooks.example.com/cerply", "eventTypes": ["certificate.issued"]})
    path = f"/webhooks/{hook['id']}"
    call("GET", "/webhooks?limit=1")
    call("PATCH", path, {"eventTypes": ["certificate.issued", "learner.at_risk"]})
    call("POST", f"{path}/rotate-secret", {})
    call("GET", f"{path}/deliveries?limit=1")
    call("DELETE", path)

    text("## The audit", "For admins and auditors. See [audit.md](audit.md).")
    call("GET", "/audit/events?limit=1&type=certificate_revoked")
    text("With `format=ndjson` or `format=csv` (or `Accept`), all of them; `next` is the `cursor` of the next page.")
    call("GET", "/audit/heads?limit=1")
    text("`GET /audit/bundle?from=…&to=…` has the events with what proves them, for `verify_audit_bundle.py`.")

    text("## Operations")
    for path in ("/health", "/health/live", "/health/ready", "/version", "/ops/kpis"):
        call("GET", path, token=None)
    call("GET", "/ops/kpis?scope=organization", token="demo-manager-token")
    call("GET", "/flags", token="demo-learner-token")
    text("`GET /schema` is the OpenAPI document, and `GET /docs` a page to read and try it.")


if __name__ == "__main__":
    walk()
    page = "\n".join(lines).replace(BASE, "http://127.0.0.1:8080")
    Path(__file__).parents[1].joinpath("docs", "api.md").write_text(page.rstrip() + "\n")
