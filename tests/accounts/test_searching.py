"""``GET /api/learners?q=``: people by the beginnings of words, without looking at everybody."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.http import urlencode

from cerply.accounts.models import User
from tests.api.client import Api, document
from tests.factories import Cast, make_user

MANY = """
INSERT INTO users (id, organization_id, external_id, name, email, role, password, locale, timezone,
                   is_active, is_staff, is_superuser, session_epoch, created_at)
SELECT gen_random_uuid(), %s, 'no-' || n, 'Person ' || md5(n::text), 'p' || n || '@many.example', 'learner', '', 'en',
       'UTC', true, false, false, 0, now()
  FROM generate_series(1, 100000) AS n
"""


@pytest.fixture
def people(cast: Cast) -> list[User]:
    return [
        make_user(cast.organization, name=name, email=email, external_id=external_id)
        for name, email, external_id in (
            ("Zoë Müller-Lüdenscheidt", "zoe.mueller@example.com", "HR-1001"),
            ("Łukasz  O'Brien", "l.obrien@nordlys.example", "hr-1002"),
            ("田中\u3000太郎", "tanaka@example.jp", "a\\b'c:*&|!()<->"),
        )
    ]


FINDS = [
    ("zoë", [0]),
    ("ZOË MÜLLER", [0]),
    ("lüd zoë", [0]),
    ("müller-lüd", [0]),
    ("zoe.muel", [0]),
    ("mueller", [0]),
    ("mueller@example.com", []),
    ("hr-100", [0, 1]),
    ("HR-1002", [1]),
    ("Łukasz", [1]),
    ("o'brien", [1]),
    ("brien", [1]),
    ("nordlys.example", []),
    ("l.obrien@nordlys.example", [1]),
    ("田中 太郎", [2]),
    ("田中\u3000太郎", [2]),
    ("a\\b'c:*&|!()<->", [2]),
    ("oë", []),
    ("zoë zorro", []),
    ("'", []),
    ("\\", []),
    (":*", []),
    ("&", []),
    ("zoë | hr", []),
    ("%", []),
    ("x" * 255, []),
]


@pytest.mark.parametrize(("text", "found"), FINDS, ids=str)
def test_each_word_is_the_beginning_of_one(
    api: Api, cast: Cast, people: list[User], text: str, found: list[int]
) -> None:
    answer = api.get(f"/learners?{urlencode({'q': text})}", by=cast.admin)
    expected = {str(people[number].id) for number in found}
    assert {row["id"] for row in answer.body["learners"] if row["name"] in {user.name for user in people}} == expected
    assert answer.body["total"] == len(answer.body["learners"]) >= len(expected)


def test_nobody_else_s_people_are_found(api: Api, cast: Cast, people: list[User]) -> None:
    assert api.get("/learners?q=hr-100", by=cast.outside_admin).body["total"] == 0
    assert api.get("/learners?q=hr-100", by=cast.learner).body["total"] == 0
    assert api.get("/learners?q=maya", by=cast.manager).body["total"] == 1


def test_the_document_says_how_it_matches(db: None) -> None:
    parameters = document()["paths"]["/api/learners"]["get"]["parameters"]
    [described] = [parameter["description"] for parameter in parameters if parameter["name"] == "q"]
    assert "beginning of a word" in described


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def looked_at(sql: str) -> int:
    """How many rows of users the query took into its hands."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.replace('%', '%%')}")
        [plan] = json.loads(json.dumps(cursor.fetchone()[0]))
    return sum(
        int(node["Actual Loops"])
        * sum(node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"))
        for node in nodes(plan["Plan"])
        if node.get("Relation Name") == "users"
    )


@pytest.mark.slow
def test_of_a_hundred_thousand_people_those_who_match_are_looked_at(api: Api, cast: Cast, people: list[User]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MANY, [cast.organization.id])
        cursor.execute("ANALYZE users")
    for text, total in (("zoë", 1), ("lüdenscheidt zoë", 1), ("no-4711", 11), ("p4711@many", 1), ("nobody", 0)):
        with CaptureQueriesContext(connection) as queries:
            answer = api.get(f"/learners?{urlencode({'q': text})}", by=cast.admin)
        assert answer.body["total"] == total, text
        searches = [query["sql"] for query in queries if "tsquery" in query["sql"]]
        assert len(searches) == (2 if total else 1)
        for sql in searches:
            assert looked_at(sql) <= 50, sql
