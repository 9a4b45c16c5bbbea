"""What docs/webhooks.md shows is what comes, and what it does with it works."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cerply import clock
from certificates.reminding import remind
from notifications.models import WebhookDelivery
from notifications.webhooks import endpoints
from tests.factories import ACTOR, Cast, complete, give_answers, make_track
from tests.notifications.receivers import Received, Receiver
from tests.notifications.webhooks import make_endpoint, visit

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()
type Verifier = Callable[[str, dict[str, str], bytes], bool]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def by_python(secret: str, headers: dict[str, str], body: bytes) -> bool:
    [code] = blocks("python")
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102 - our own page
    return bool(namespace["is_genuine"](secret, headers, body))


def by_node(secret: str, headers: dict[str, str], body: bytes) -> bool:
    [code] = blocks("javascript")
    given = json.dumps([secret, headers, body.hex()])
    call = f"const [secret, headers, body] = {given};\n"
    call += "process.stdout.write(String(isGenuine(secret, headers, Buffer.from(body, 'hex'))));"
    done = subprocess.run(
        ["node", "--input-type=module"], input=code + call, capture_output=True, text=True, check=True, timeout=60
    )
    return {"true": True, "false": False}[done.stdout]


@pytest.fixture
def received(cast: Cast, loopback: None) -> tuple[Received, str]:
    """One with two signatures, and the former secret."""
    with Receiver() as receiver:
        endpoint, secret = make_endpoint(cast.organization, receiver.url)
        endpoints.rotate(endpoint.id, actor=ACTOR)
        give_answers(cast.learner, cast.track, 1)
        visit()
    return receiver.received[0], secret


@pytest.mark.parametrize("verifier", [by_python, pytest.param(by_node, marks=pytest.mark.slow)])
def test_the_snippets_tell_genuine_from_false(received: tuple[Received, str], verifier: Verifier) -> None:
    if verifier is by_node and not shutil.which("node"):
        pytest.skip("Node.js is not there.")
    message, secret = received
    headers = dict(message.headers)
    assert verifier(secret, headers, message.body)
    assert not verifier("whsec_" + "A" * 44, headers, message.body)
    assert not verifier(secret, headers, message.body + b" ")
    for changed in (
        {"webhook-id": "x"},
        {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "x"},
        {"webhook-timestamp": ""},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1," + "A" * 44},
    ):
        assert not verifier(secret, headers | changed, message.body)
    assert not verifier(secret, {}, message.body)


def test_the_examples_have_the_fields_that_come(cast: Cast) -> None:
    shown = {example["type"]: example for example in map(json.loads, blocks("json"))}
    endpoint, _ = make_endpoint(cast.organization, "https://hooks.example.com/")
    track = make_track(cast.organization, valid_months=1)
    complete(cast.learner, track)
    give_answers(cast.learner, track, 21)
    with clock.moved_to(clock.now() + timedelta(days=25)):
        remind()
    endpoints.send_test(endpoint.id, actor=ACTOR)
    come = {row.event: json.loads(row.body) for row in WebhookDelivery.objects.all()}
    assert set(come) == set(shown)
    for event, body in come.items():
        assert list(body) == list(shown[event])
        assert list(body["data"]) == list(shown[event]["data"])
        assert {type(value) for value in body["data"].values()} <= {str, int, type(None)}


def test_the_pauses_are_those_of_the_page() -> None:
    said = "5 seconds, 30 seconds, 2, 10 and 30 minutes, 1, 2, 4, 6 and 11 hours"
    assert said in PAGE
    assert [pause.total_seconds() for pause in WebhookDelivery.PAUSES] == [
        *(5, 30),
        *(minutes * 60 for minutes in (2, 10, 30)),
        *(hours * 3600 for hours in (1, 2, 4, 6, 11)),
    ]
