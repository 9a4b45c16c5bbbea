"""Bundles are checked by the script alone: also when we have nothing any more, and against who made another one."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction

from audit import retention
from audit.heads import Head
from audit.leaves import canonical
from audit.models import AuditEvent, Commitment, Segment
from audit.sealing import seal
from cerply import clock
from docs import verify_audit_bundle as script
from tests.api.client import Api
from tests.audit.evidence import newest, record_and_seal, record_some
from tests.factories import Cast

type Lines = list[dict[str, Any]]
SCRIPT = Path(script.__file__)


@pytest.fixture
def bundle(api: Api, cast: Cast, tmp_path: Path) -> Callable[..., Path]:
    """Downloads one for the auditor, and gives its path."""

    def download(query: str = "") -> Path:
        answer = api.get(f"/audit/bundle{query}", by=cast.auditor)
        assert answer.status == 200
        path = tmp_path / "audit-bundle.ndjson"
        path.write_bytes(answer.content)
        return path

    return download


@pytest.fixture
def events(cast: Cast) -> list[Any]:
    own = cast.organization.id
    return [*record_and_seal(5, own), *record_and_seal(1, own), *record_and_seal(8, own)]


def said(capsys: pytest.CaptureFixture[str], path: Path, *options: str) -> tuple[int, str]:
    code = script.main([str(path), *options])
    return code, capsys.readouterr().out


def lines_of(path: Path) -> Lines:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def signed_anew(lines: Lines, path: Path) -> Ed25519PrivateKey:
    """Writes the lines as if somebody with a key of his own had made them: all heads, and the end."""
    private_key = Ed25519PrivateKey.generate()
    public = private_key.public_key().public_bytes_raw().hex()
    previous = None
    for line in lines:
        if "key" in line:
            line["key"]["publicKey"] = public
        elif "head" in line:
            head = line["head"]
            if previous:
                head["statement"]["previous"] = previous
            message = canonical(head["statement"])
            head["hash"] = previous = sha256(message).hexdigest()
            head["signature"] = private_key.sign(message).hex()
    *body, last = lines
    content = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in body)
    last["end"]["sha256"] = sha256(content).hexdigest()
    last["end"]["heads"] = sum("head" in line for line in body)
    last["end"]["events"] = sum("event" in line for line in body)
    last["signature"] = private_key.sign(canonical(last["end"])).hex()
    path.write_bytes(content + json.dumps(last).encode() + b"\n")
    return private_key


def test_a_bundle_proves_itself_and_that_it_is_complete(
    events: list[Any], bundle: Callable[..., Path], cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    head = str(Head.of(newest(cast.organization.id)))
    path = bundle()
    code, text = said(capsys, path, "--head", head, "--complete")
    assert code == 0, text
    assert "14 events are in the chain of 3 heads" in text
    assert "It is complete" in text
    assert [line["event"]["id"] for line in lines_of(path) if "event" in line] == list(map(str, events))
    assert "agrees with itself alone" in said(capsys, path)[1]


@pytest.mark.slow
def test_it_needs_nothing_of_ours(events: list[Any], bundle: Callable[..., Path], tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere" / "verify_audit_bundle.py"
    alone.parent.mkdir()
    alone.write_bytes(SCRIPT.read_bytes())
    with bundle().open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-I", str(alone), "-"], stdin=file, capture_output=True, text=True, check=False, env={}
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Good: 14 events")


def test_it_can_be_checked_when_the_events_have_expired(
    bundle: Callable[..., Path], cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    record_and_seal(3, cast.organization.id, at=clock.now() - timedelta(days=200))
    head = str(Head.of(newest(cast.organization.id)))
    kept = bundle().read_bytes()
    retention.clean_up()
    record_and_seal(1, cast.organization.id)
    path = bundle()
    code, text = said(capsys, path, "--head", head)
    assert code == 0
    assert "Not in it: 3 events of segment 1" in text
    assert said(capsys, path, "--complete")[0] == 1
    path.write_bytes(kept)
    assert said(capsys, path, "--head", head, "--complete")[0] == 0


def test_a_time_is_complete_with_the_segments_that_it_touches(
    bundle: Callable[..., Path], cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    own, start = cast.organization.id, clock.now() - timedelta(days=30)
    for days in range(0, 30, 3):
        record_and_seal(2, own, at=start + timedelta(days=days))
    since, before = (clock.rfc3339(start + timedelta(days=days)) for days in (5, 10))
    path = bundle(f"?from={since}&to={before}")
    code, text = said(capsys, path, "--complete")
    assert code == 0, text
    numbers = {line["number"] for line in lines_of(path) if "event" in line}
    assert numbers == {3, 4}
    assert [line["head"]["statement"]["number"] for line in lines_of(path) if "head" in line] == list(range(2, 11))
    lines = [line for line in lines_of(path) if line.get("number") != 4]
    signed_anew(lines, path)
    assert "Not in it: 2 events of segment 4" in said(capsys, path)[1]
    lines = [line for line in lines_of(path) if line.get("head", {}).get("statement", {}).get("number") not in {2, 3}]
    signed_anew([line for line in lines if line.get("number") != 3], path)
    assert "what is in the 3 segments before its first head" in said(capsys, path)[1]


def test_a_selection_shows_only_what_is_asked_for(
    events: list[Any], bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = AuditEvent.objects.get(id=events[7])
    path = bundle(f"?target={chosen.subject_id}&type=certificate_revoked")
    code, text = said(capsys, path)
    assert (code, "1 events are in the chain" in text, "a selection" in text) == (0, True, True)
    assert str(events[8]) not in path.read_text()
    assert said(capsys, path, "--complete")[0] == 1


def test_an_organization_without_events_has_an_empty_one(
    bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, bundle())
    assert (code, text.startswith("Good: 0 events")) == (0, True)


def test_what_was_erased_stays_proved(
    events: list[Any], bundle: Callable[..., Path], cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    head = str(Head.of(newest(cast.organization.id)))
    before = bundle().read_bytes()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE audit_events SET metadata = metadata - 'reason'")
        cursor.execute("SET LOCAL session_replication_role = origin")
    Commitment.objects.filter(field="reason").update(salt=None)
    path = bundle()
    assert said(capsys, path, "--head", head)[0] == 0
    assert "Grażyna" not in path.read_text()
    path.write_bytes(before)
    assert said(capsys, path, "--head", head)[0] == 0


def test_what_waits_is_not_in_it_until_it_is_sealed(bundle: Callable[..., Path], cast: Cast) -> None:
    [event] = record_some(1, cast.organization.id)
    assert str(event) not in bundle().read_text()
    seal()
    assert str(event) in bundle().read_text()


# -- forged --


def changed(lines: Lines, name: str, change: Callable[[dict[str, Any]], Any]) -> Lines:
    line = [line for line in lines if name in line][1]
    change(line[name] if name != "event" else line)
    return lines


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("event", lambda line: line["event"].update(type="signed_in"), "was changed: it is not in the segment"),
        ("event", lambda line: line["event"]["metadata"].update(code="y"), "was changed: it is not in the segment"),
        ("event", lambda line: line["event"]["metadata"].update(reason="y"), "reason of event .* was changed"),
        ("event", lambda line: line["event"]["metadata"].pop("reason"), "reason of event .* is missing"),
        ("event", lambda line: line["personal"].pop("reason"), "was changed: it is not in the segment"),
        ("event", lambda line: line["personal"]["reason"].update(salt=None), "cannot be checked"),
        ("event", lambda line: line.update(index=line["index"] + 1), "was changed: it is not in the segment"),
        ("event", lambda line: line["proof"].pop(), "was changed: it is not in the segment"),
        ("event", lambda line: line.update(number=3), "is not at its place"),
        ("event", lambda line: line["event"].update(organizationId=None), "of another organization"),
        ("head", lambda head: head["statement"].update(size=2), "head 2 was changed"),
        ("head", lambda head: head.update(hash="00" * 32), "head 2 was changed"),
        ("head", lambda head: head.update(signature="00" * 64), "signature of head 2 is wrong"),
        ("head", lambda head: head.update(signature="x"), "signature of head 2 is wrong"),
    ],
)
def test_what_is_changed_is_found(
    events: list[Any],
    bundle: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    name: str,
    change: Callable[[dict[str, Any]], Any],
    reason: str,
) -> None:
    path = bundle()
    lines = changed(lines_of(path), name, change)
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    code, text = said(capsys, path)
    assert code == 1
    assert re.search(reason, text), text


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_one_that_is_cut_off_is_found(
    events: list[Any], bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str], cut: int
) -> None:
    path = bundle()
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-cut]))
    assert said(capsys, path) == (1, "WRONG: the bundle is cut off: it has no last line.\n")


def test_a_line_that_is_taken_out_or_added_is_found(
    events: list[Any], bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = bundle()
    lines = path.read_bytes().splitlines(keepends=True)
    for wrong in ([*lines[:-2], lines[-1]], [*lines, lines[-1]], [lines[0], b"{}\n", *lines[1:]], lines[1:], []):
        path.write_bytes(b"".join(wrong))
        assert said(capsys, path)[0] == 1


def test_one_that_somebody_makes_anew_is_found_by_who_has_a_head_or_a_key(
    events: list[Any], bundle: Callable[..., Path], cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    head = str(Head.of(newest(cast.organization.id)))
    path = bundle()
    lines = lines_of(path)
    own = [line["key"]["publicKey"] for line in lines if "key" in line]
    assert said(capsys, path, "--key", own[0])[0] == 0
    lines = [line for line in lines if line.get("number") != 3]
    lines = [line for line in lines if line.get("head", {}).get("statement", {}).get("number") != 3]
    signed_anew(lines, path)
    assert said(capsys, path)[0] == 0
    for options, reason in ((["--head", head], "not 3"), (["--key", own[0]], "keys that you did not name")):
        code, text = said(capsys, path, *options)
        assert (code, reason in text) == (1, True)


def test_a_head_that_was_rewritten_is_found(
    events: list[Any], bundle: Callable[..., Path], cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = [str(Head.of(segment)) for segment in Segment.objects.for_organization(cast.organization.id)]
    path = bundle()
    lines = changed(
        lines_of(path), "head", lambda head: head["statement"].update(sealedAt="2026-01-01T00:00:00.000000Z")
    )
    signed_anew(lines, path)
    assert said(capsys, path)[0] == 0
    for head in kept[:-1]:
        code, text = said(capsys, path, "--head", head)
        assert (code, "the chain was rewritten" in text) == (1, True)
    assert said(capsys, path, "--head", f"{cast.outside.id}/1/{'a' * 64}")[0] == 1
    assert said(capsys, path, "--head", "x")[0] == 1
