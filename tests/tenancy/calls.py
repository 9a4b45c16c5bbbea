"""Every call of the API by people of ours that names something of theirs: generated from the routes there are."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from django.db import transaction
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.urls.resolvers import URLPattern

from cerply.permissions import Role
from cerply.views import ApiView
from ops.views import schema_document
from tests.tenancy.world import KINDS, MARK, Side, World, rows_of, rows_written

PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
CHANGES = ("POST", "PUT", "PATCH", "DELETE")
# Whom they answer does not depend on who asks; see docs/security.md.
PUBLIC = frozenset(
    {
        "/api/auth/login",
        "/api/auth/password-link",
        "/api/certificates/verify",
        "/api/certificates/{certificate_id}/verify",
        "/api/docs",
        "/api/flags",
        "/api/health",
        "/api/health/live",
        "/api/health/ready",
        "/api/ops/kpis",
        "/api/schema",
        "/api/shared/{secret}",
        "/api/version",
    }
)
# What stands in a path in the place of what is no id.
SEGMENTS = {"slug": "consistent", "secret": "x"}
# Query parameters that take something of an organization's: what of theirs is sent.
QUERIES: Mapping[str, str] = {
    "team": "team_id",
    "track": "track_id",
    "organization": "organization_id",
    "actor": "learner_id",
    "target": "certificate_id",
    "q": "word",
    "type": "",
    "scope": "",
}


@dataclass(frozen=True)
class Route:
    template: str
    methods: tuple[str, ...]
    is_public: bool

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.template)


@dataclass(frozen=True)
class Call:
    role: Role
    method: str
    path: str
    body: Any = None
    # Ids of theirs that it names, which an answer may name too.
    named: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.role} {self.method} {self.path} {'' if self.body is None else json.dumps(self.body)}".strip()


@dataclass(frozen=True)
class Answer:
    status: int
    content: str

    @property
    def shape(self) -> tuple[int, str]:
        """The same for two answers that say the same of other rows, at another time."""
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "id", self.content)
        text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "time", text)
        return self.status, re.sub(r'"(secret|token|cursor|digest|url)": ?"[^"]*"', "secret", text)


def routes() -> list[Route]:
    found = []
    for path, view in _patterns(get_resolver()):
        template = "/" + PARAMETER.sub(r"{\2}", path)
        if template.startswith("/api/") and issubclass(view, ApiView):
            methods = tuple(method.upper() for method in view.http_method_names if hasattr(view, method))
            found.append(Route(template, methods, view.public))
    return found


def _patterns(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, type]]:
    for each in resolver.url_patterns:
        path = f"{before}{each.pattern}"
        if isinstance(each, URLResolver):
            yield from _patterns(each, path)
        elif isinstance(each, URLPattern) and (view := getattr(each.callback, "cls", None)):
            yield path, view


def calls(world: World) -> Iterator[Call]:
    for route in routes():
        if route.is_public:
            continue
        for role in Role:
            yield from _of_paths(world, route, role)
        yield from _of_any_id(world, route)
    yield from _of_queries(world)
    yield from _of_bodies(world)


def _of_paths(world: World, route: Route, role: Role) -> Iterator[Call]:
    """Each parameter theirs or ours; where all of them are ours, it is only read."""
    names = [name for name in route.parameters if name in KINDS]
    for sides in product((world.theirs, world.ours), repeat=len(names)):
        all_ours = all(side is world.ours for side in sides)
        ids = {name: str(side.ids[name]) for name, side in zip(names, sides, strict=True)}
        named = frozenset() if all_ours else frozenset(ids.values())
        for method in route.methods:
            if method == "GET" or not all_ours:
                body: Any = {} if method in {"POST", "PUT", "PATCH"} else None
                yield Call(role, method, route.template.format(**SEGMENTS, **ids), body, named)


def _of_any_id(world: World, route: Route) -> Iterator[Call]:
    """Whatever of theirs it is the id of: by the admin, who may do most."""
    if "GET" in route.methods and len(route.parameters) == 1 and route.parameters[0] in KINDS:
        for each in sorted(world.their_samples):
            path = route.template.format(**{route.parameters[0]: each})
            yield Call(Role.ADMIN, "GET", path, None, frozenset({each}))


def _of_queries(world: World) -> Iterator[Call]:
    for path, operations in _document()["paths"].items():
        if "get" not in operations or "{" in path or path in PUBLIC - {"/api/ops/kpis"}:
            continue
        for name in _query_parameters(operations["get"]):
            if kind := QUERIES.get(name):
                value = _value(world.theirs, kind)
                for role in Role:
                    yield Call(role, "GET", f"{path}?{name}={value}", None, frozenset({value}))
    yield Call(Role.AUDITOR, "GET", "/api/audit/bundle?from=2026-01-01T00:00:00Z")


def _of_bodies(world: World) -> Iterator[Call]:
    theirs, ours = world.theirs, world.ours
    for fields in _attempts(theirs, ours):
        for role in (Role.LEARNER, Role.ADMIN):
            yield _with_body(world, role, "POST", "/api/attempts", fields)
    for fields in (
        {"learnerId": str(theirs.ids["learner_id"]), "artefactId": "one"},
        {"learnerId": str(ours.ids["learner_id"]), "artefactId": "one", "id": str(theirs.share_id)},
        {"learnerId": str(ours.ids["learner_id"]), "artefactId": f"{MARK}-artefact"},
    ):
        yield _with_body(world, Role.ADMIN, "POST", "/api/shares", fields)
    completions = f"/api/learners/{ours.ids['learner_id']}/completions"
    yield _with_body(world, Role.ADMIN, "POST", completions, {"trackId": str(theirs.ids["track_id"])})
    person = {"name": "One", "email": "one@example.com"}
    for fields in ({"externalId": theirs.external_ids["learner"]}, {"email": f"learner@{MARK}.example"}):
        yield _with_body(world, Role.ADMIN, "POST", "/api/learners", person | fields)
        yield _with_body(world, Role.ADMIN, "PATCH", f"/api/learners/{ours.ids['learner_id']}", fields)
    member, manager = str(theirs.ids["learner_id"]), str(theirs.people[Role.MANAGER].id)
    for fields in ({"managerIds": [manager]}, {"memberIds": [member]}):
        yield _with_body(world, Role.ADMIN, "POST", "/api/teams", {"name": "One"} | fields)
        yield _with_body(world, Role.ADMIN, "PATCH", f"/api/teams/{ours.ids['team_id']}", fields)
    yield _with_body(world, Role.ADMIN, "POST", "/api/teams", {"name": f"{MARK} team"})
    known = {"externalId": theirs.external_ids["track"], "title": "One"}
    yield _with_body(world, Role.ADMIN, "POST", "/api/tracks", known)
    items = f"/api/tracks/{ours.ids['track_id']}/items"
    fields = {"externalId": theirs.external_ids["item"], "title": "One"}
    yield _with_body(world, Role.ADMIN, "POST", items, {"items": [fields]})
    hook = {"url": "https://ours.example/other", "eventTypes": ["certificate.issued"]}
    yield _with_body(world, Role.ADMIN, "POST", "/api/webhooks", hook)
    policy = {"frequency": "weekly"}
    yield _with_body(world, Role.ADMIN, "PUT", "/api/organization/notification-policy", policy)
    yield _with_body(world, Role.ADMIN, "PUT", "/api/organization/at-risk-policy", {"silence": {"days": 5}})
    yield _with_body(world, Role.ADMIN, "POST", "/api/manager/notifications/read-all", {})
    yield _with_body(world, Role.MANAGER, "POST", "/api/manager/notifications/read-all", {})


def _attempts(theirs: Side, ours: Side) -> Iterator[dict[str, Any]]:
    """Ours, with one thing of theirs each."""
    good = {name: str(ours.ids[f"{name.removesuffix('Id')}_id"]) for name in ("learnerId", "trackId", "itemId")}
    good |= {"correct": True}  # type: ignore[dict-item]
    for name in ("learnerId", "trackId", "itemId"):
        kind = name.removesuffix("Id")
        yield good | {name: str(theirs.ids[f"{kind}_id"])}
        rest = {other: value for other, value in good.items() if other != name}
        yield rest | {f"{kind}ExternalId": theirs.external_ids[kind]}
    yield good | {"trackId": str(theirs.ids["track_id"]), "itemId": str(theirs.ids["item_id"])}
    yield good | {"id": str(theirs.client_id)}


def body_names(schema: Any, within: frozenset[str] = frozenset()) -> Iterator[str]:
    """Of fields that take an id, at whatever depth."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if name not in within:
            yield from body_names(_document()["components"]["schemas"][name], within | {name})
        return
    for each in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from body_names(each, within)
    if "items" in schema:
        yield from body_names(schema["items"], within)
    for name, field in schema.get("properties", {}).items():
        if '"uuid"' in json.dumps(field) or name.endswith(("Id", "Ids")):
            yield name
        yield from body_names(field, within)


def names_in_bodies() -> set[str]:
    found: set[str] = set()
    for operations in _document()["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                found.update(body_names(content["schema"]))
    return found


def names_in_queries() -> set[str]:
    return {
        name
        for operations in _document()["paths"].values()
        for operation in operations.values()
        for name in _query_parameters(operation)
    }


def _query_parameters(operation: Mapping[str, Any]) -> Iterable[str]:
    return [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]


def _value(side: Side, kind: str) -> str:
    if kind == "word":
        return MARK
    return str(side.organization.id if kind == "organization_id" else side.ids[kind])


def _with_body(world: World, role: Role, method: str, path: str, body: Mapping[str, Any]) -> Call:
    text = json.dumps(body)
    return Call(role, method, path, body, frozenset(each for each in world.their_ids if each in text))


def _document() -> Any:
    return json.loads(schema_document())


def call_as_ours(world: World, call: Call) -> Answer:
    content = b"" if call.body is None else json.dumps(call.body).encode()
    headers = {"Authorization": f"Bearer {world.ours.tokens[call.role]}"}
    response = Client().generic(call.method, call.path, content, content_type="application/json", headers=headers)
    return Answer(response.status_code, bytes(response.getvalue()).decode(errors="replace"))


def undone(world: World, do: Callable[[], Any]) -> tuple[Any, Any]:
    """What it returns, and theirs as it leaves it, where it has written anything; then it never was."""
    with transaction.atomic():
        before = rows_written()
        said = do()
        left = rows_of(world.theirs.organization) if rows_written() != before else None
        transaction.set_rollback(True)
    return said, left
