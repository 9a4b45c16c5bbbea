"""A client for the API that believes nothing: each answer is held against the OpenAPI document."""

import json
import re
from functools import cache
from typing import Any

from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import Resolver404, resolve
from jsonschema import Draft202012Validator

from cerply.accounts.models import User
from ops.views import schema_document
from tests.factories import make_token

JSON = "application/json"


class Answer:
    """An answer, with its body parsed."""

    def __init__(self, response: HttpResponseBase) -> None:
        self.response = response
        self.status = response.status_code
        self.headers = response.headers
        self.content = bytes(response.getvalue())
        self.media_type = response.headers.get("Content-Type", "").partition(";")[0]
        is_json = self.media_type == JSON
        self.body: Any = json.loads(self.content) if is_json else None

    def __repr__(self) -> str:
        return f"<{self.status} {self.content[:500]!r}>"

    @property
    def code(self) -> str:
        """Of the error."""
        return str(self.body["error"]["code"])

    @property
    def details(self) -> dict[str, Any]:
        return dict(self.body["error"].get("details", {}))


class Api:
    """Calls routes below ``/api``: as somebody (by a token of hers), by the admin token, or as nobody."""

    def __init__(self) -> None:
        document()  # made once, before threads ask for it
        self.tokens: dict[Any, str] = {}
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=True)

    def get(self, path: str, by: User | str | None = None, **headers: str) -> Answer:
        return self.call("GET", path, None, by, **headers)

    def post(self, path: str, body: Any = None, by: User | str | None = None, **headers: str) -> Answer:
        return self.call("POST", path, body, by, **headers)

    def put(self, path: str, body: Any = None, by: User | str | None = None, **headers: str) -> Answer:
        return self.call("PUT", path, body, by, **headers)

    def patch(self, path: str, body: Any = None, by: User | str | None = None, **headers: str) -> Answer:
        return self.call("PATCH", path, body, by, **headers)

    def delete(self, path: str, by: User | str | None = None, **headers: str) -> Answer:
        return self.call("DELETE", path, None, by, **headers)

    def call(self, method: str, path: str, body: Any, by: User | str | None = None, **headers: str) -> Answer:
        """``by`` is a user, or the secret of a bearer token; headers are named ``x_idempotency_key``."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if by is not None:
            given["Authorization"] = f"Bearer {self.token_of(by) if isinstance(by, User) else by}"
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        content_type = given.pop("content-type", JSON)
        response = self.client.generic(method, f"/api{path}", content, content_type=content_type, headers=given)
        answer = Answer(response)
        check(method, f"/api{path}", answer)
        return answer

    def token_of(self, user: User) -> str:
        if user.pk not in self.tokens:
            self.tokens[user.pk] = make_token(user)
        return self.tokens[user.pk]


@cache
def document() -> dict[str, Any]:
    return dict(json.loads(schema_document()))


def check(method: str, path: str, answer: Answer) -> None:
    """The document names the status of this operation, and the body is as it says."""
    path = path.partition("?")[0]
    try:
        match = resolve(path)
    except Resolver404:
        return
    template = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", match.route)
    operation = document()["paths"].get(template, {}).get(method.lower())
    if operation is None or method == "HEAD":
        return
    described = operation["responses"].get(str(answer.status))
    assert described, f"{method} {template} answered {answer.status}, of which the document does not speak: {answer}"
    missing = {name for name in described.get("headers", {}) if name not in answer.headers}
    assert not missing, f"{method} {template} {answer.status} is without {missing}, of which the document speaks."
    content = described.get("content", {})
    if answer.media_type != JSON and answer.media_type in content:
        return
    if JSON not in content:
        assert answer.body is None or content, f"{method} {template} has an undocumented body: {answer}"
        return
    schema = content[JSON]["schema"]
    validator = Draft202012Validator({**schema, "components": document()["components"]})
    problems = [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(answer.body)]
    assert not problems, f"{method} {template} {answer.status} is not as documented: {problems}"
