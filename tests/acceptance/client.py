"""Calls the service from outside, as any program would: by HTTP and nothing else."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

MAYA = "00000000-0000-0000-0000-000000000001"
NEWCOMER = "00000000-0000-0000-0000-000000000009"
OTHER_LEARNER = "00000000-0000-0000-0000-0000000000b2"
FIRE = "00000000-0000-0000-0000-000000000101"
DATA = "00000000-0000-0000-0000-000000000102"
OTHER_TRACK = "00000000-0000-0000-0000-000000000104"
ADMIN_TOKEN = "dev-admin-token-12345"


class Answer:
    def __init__(self, status: int, headers: Any, content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        is_json = "json" in headers.get("Content-Type", "")
        self.body: Any = json.loads(content) if content and is_json else None

    def __repr__(self) -> str:
        return f"<{self.status} {self.content[:300]!r}>"


class Service:
    """``by`` names whose demo token is sent: ``learner``, ``other-admin``; None: nobody's."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, by: str | None = "admin", **headers: str) -> Answer:
        return self.call("GET", path, None, by, **headers)

    def post(self, path: str, body: Any = None, by: str | None = "admin", **headers: str) -> Answer:
        return self.call("POST", path, body, by, **headers)

    def call(self, method: str, path: str, body: Any = None, by: str | None = "admin", **headers: str) -> Answer:
        given = {name.replace("_", "-").title(): value for name, value in headers.items()}
        if by == "admin-token":
            given["X-Admin-Token"] = ADMIN_TOKEN
        elif by:
            given["Authorization"] = f"Bearer demo-{by}-token"
        data = None
        if body is not None:
            given.setdefault("Content-Type", "application/json")
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(f"{self.url}/api{path}", data, given, method=method)
        try:
            with urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except HTTPError as exc:
            return Answer(exc.code, exc.headers, exc.read())

    def new_learner(self) -> str:
        """Somebody of the first organization who has done nothing yet, in the manager's team."""
        made = self.post("/learners", {"name": "Uma Tester", "email": f"{uuid4()}@nordlys.example"})
        assert made.status == 201, made
        learner = str(made.body["id"])
        team = next(team for team in self.get("/teams").body["teams"] if team["name"] == "Grid Operations")
        assert self.call("PUT", f"/teams/{team['id']}/members/{learner}").status == 200
        return learner

    def items(self, track: str) -> list[str]:
        return [item["id"] for item in self.get(f"/tracks/{track}").body["items"]]

    def answers(self, learner: str, track: str, number: int, **fields: Any) -> Answer:
        """So many correct answers to the track's first item."""
        item = self.items(track)[0]
        row = {"learnerId": learner, "trackId": track, "itemId": item, "correct": True, **fields}
        return self.post("/attempts", {"attempts": [row] * number})

    def complete(self, learner: str, track: str) -> Answer:
        rows = [{"learnerId": learner, "trackId": track, "itemId": item, "correct": True} for item in self.items(track)]
        return self.post("/attempts", {"attempts": rows})

    def badges(self, learner: str) -> set[str]:
        return {badge["slug"] for badge in self.get(f"/learners/{learner}/badges").body["badges"]}

    def path_of(self, url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.path.removeprefix('/api')}?{parts.query}"
