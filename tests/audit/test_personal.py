"""Which fields are personal is said for each type of event, and none is forgotten."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import personal
from audit.leaves import as_json, canonical, committed
from audit.models import AuditEvent, EventType
from docs import verify_audit_bundle as script
from tests.api.client import Api
from tests.certificates.test_erasing_names import FORMER, NAME, everything
from tests.factories import Cast

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda values: st.lists(values) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values),
    max_leaves=20,
)


@pytest.mark.parametrize("type_", EventType)
def test_each_type_of_event_says_what_is_not_personal(type_: EventType) -> None:
    assert type_ in personal.IMPERSONAL, "Who adds a type of event says in audit.personal what of it is not personal."
    impersonal, rest = personal.divided(type_, {"whoever": "x", "tokenId": "y"})
    assert (impersonal, rest) == ({"tokenId": "y"}, {"whoever": "x"})


def test_what_nobody_knows_is_personal() -> None:
    assert personal.divided("of_long_ago", {"name": "x"}) == ({}, {"name": "x"})


def test_no_name_is_in_what_is_said_to_be_impersonal(api: Api, cast: Cast) -> None:
    learner = everything(api, cast)
    api.post("/auth/password-link", {"email": learner.email})
    told_under_a_salt = set()
    for event in AuditEvent.objects.all():
        impersonal, _ = personal.divided(event.type, event.metadata)
        public = json.dumps(as_json(event) | {"metadata": impersonal}, ensure_ascii=False)
        for text in (NAME, FORMER, learner.email):
            assert text not in public, f"{event.type} says who she is: see audit.personal."
            if text in json.dumps(event.metadata, ensure_ascii=False):
                told_under_a_salt.add(text)
    assert told_under_a_salt >= {NAME, FORMER}


@given(json_values)
def test_the_script_writes_json_as_we_do(value: Any) -> None:
    assert script.canonical(value).encode() == canonical(value)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (-0.0, "0"),
        (333333333.33333329, "333333333.3333333"),
        (4.5, "4.5"),
        (2e-3, "0.002"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (9007199254740993, '"9007199254740993"'),
    ],
)
def test_numbers_are_written_as_rfc_8785_writes_them(number: float, text: str) -> None:
    assert canonical(number).decode() == script.canonical(number) == text


def test_a_commitment_is_that_of_its_salt_and_value() -> None:
    assert committed(b"a", "x") == committed(b"a", "x")
    assert len({committed(b"a", "x"), committed(b"b", "x"), committed(b"a", "y")}) == 3
