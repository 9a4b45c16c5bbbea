#!/usr/bin/env python3
"""Checks a bundle of audit events without Cerply: python3 verify_audit_bundle.py audit-bundle.ndjson --head HEAD

It needs Python 3.9 or newer and the package `cryptography`, and nothing of ours. What it checks is written down in
docs/audit.md, so that anybody can write another one. It says what is wrong and exits with 1, or what is proved and
exits with 0.

--head ORGANIZATION/NUMBER/HASH   a head that you kept: from a mail, from GET /api/audit/heads, from an older bundle.
--key HEX                         a public key that you know to be theirs.
--complete                        also fail where events of the time that the bundle names are not in it.

Without --head or --key it can only tell that the bundle agrees with itself: whoever runs the installation could make
another one that does.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import re
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Iterable, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

BUNDLE, HEAD, END = "cerply-audit-bundle-1", "cerply-audit-head-1", "cerply-audit-bundle-end-1"
BEGINNING = "00" * 32
LARGEST_INTEGER = 2**53 - 1
# An id begins with the milliseconds of its event, or nearly.
ID_TOLERANCE = timedelta(seconds=2)


class Wrong(Exception):
    """With the sentence that is printed."""


# -- JSON as RFC 8785 writes it --


def canonical(value: Any) -> str:
    """Numbers that JSON's readers do not agree about are strings, as they are where the leaves are made."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(canonical(name) + ":" + canonical(each) for name, each in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_INTEGER:
        return canonical(str(value))
    return json.dumps(value, ensure_ascii=False)


def number(value: float) -> str:
    """As ECMAScript writes it: the shortest digits that are this number, without an exponent from 1e-6 to 1e21."""
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    point = len(digits) + int(exponent)
    if len(text) <= point <= 21:
        text += "0" * (point - len(text))
    elif 0 < point <= 21:
        text = text[:point] + "." + text[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + text
    else:
        text = text[0] + ("." + text[1:] if len(text) > 1 else "") + "e" + format(point - 1, "+d")
    return "-" + text if sign else text


# -- hashes and signatures --


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def root_from(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2); None where it cannot be one."""
    if not 0 <= index < size:
        return None
    hashed, last, rest = leaf, size - 1, list(path)
    while last:
        if index % 2 or index < last:
            if not rest:
                return None
            neighbour = rest.pop(0)
            hashed = sha256(b"\x01" + (neighbour + hashed if index % 2 else hashed + neighbour))
        index, last = index >> 1, last >> 1
    return None if rest else hashed


def require_signature(keys: dict[str, bytes], key_id: str, signature: str, statement: Any, what: str) -> None:
    if key_id not in keys:
        raise Wrong(f"{what} is signed with key {key_id}, which the bundle does not have")
    try:
        Ed25519PublicKey.from_public_bytes(keys[key_id]).verify(bytes.fromhex(signature), canonical(statement).encode())
    except (InvalidSignature, ValueError):
        raise Wrong(f"the signature of {what} is wrong") from None


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


# -- the bundle --


class Bundle:
    """What was read so far."""

    def __init__(self, first: dict[str, Any]) -> None:
        if first.get("bundle") != BUNDLE:
            raise Wrong(f"this is not a bundle: its first line is not of {BUNDLE}")
        self.organization = first["organizationId"]
        self.whole = first["whole"]
        self.since, self.before = (
            moment(first["selection"][name]) if first["selection"][name] else None for name in ("from", "to")
        )
        self.keys: dict[str, bytes] = {}
        self.hashes: dict[int, str] = {}
        self.heads = self.events = 0
        # The head whose events are being read, and how many of them were.
        self.head: dict[str, Any] | None = None
        self.here, self.index = 0, -1
        # Of the time that the bundle names; in a selection it is not meant to have everything.
        self.missing: list[str] = []

    def take(self, line: dict[str, Any]) -> None:
        if "key" in line:
            self.keys[line["key"]["id"]] = bytes.fromhex(line["key"]["publicKey"])
        elif "head" in line:
            self.take_head(line["head"])
        elif "event" in line:
            self.take_event(line)
        else:
            raise Wrong("there is a line that is none of a bundle's")

    def take_head(self, head: dict[str, Any]) -> None:
        self.close_head()
        statement = head["statement"]
        what = f"head {statement['number']}"
        if statement["kind"] != HEAD or statement["organizationId"] != self.organization:
            raise Wrong(f"{what} is not one of this chain")
        if sha256(canonical(statement).encode()).hex() != head["hash"]:
            raise Wrong(f"{what} was changed: its hash is another one")
        require_signature(self.keys, statement["keyId"], head["signature"], statement, what)
        if self.head is None:
            if statement["number"] == 1 and statement["previous"] != BEGINNING:
                raise Wrong("the first head follows on another one")
            self.hashes[statement["number"] - 1] = statement["previous"]
            if statement["number"] > 1 and not self.is_too_old(statement):
                self.missing.append(f"what is in the {statement['number'] - 1} segments before its first head")
        else:
            if statement["number"] != self.head["number"] + 1:
                raise Wrong(f"between head {self.head['number']} and {what} some are missing")
            if statement["previous"] != self.hashes[self.head["number"]]:
                raise Wrong(f"{what} does not follow on the one before it")
            if statement["total"] != self.head["total"] + statement["size"]:
                raise Wrong(f"{what} counts events that are in no segment")
        self.hashes[statement["number"]] = head["hash"]
        self.head, self.here, self.index = statement, 0, -1
        self.heads += 1

    def take_event(self, line: dict[str, Any]) -> None:
        event, personal = line["event"], line["personal"]
        what = f"event {event['id']}"
        if self.head is None or line["number"] != self.head["number"] or line["index"] <= self.index:
            raise Wrong(f"{what} is not at its place")
        if event["organizationId"] != self.organization:
            raise Wrong(f"{what} is of another organization")
        metadata = event["metadata"]
        for field, commitment in personal.items():
            if commitment["salt"] is None:
                if field in metadata:
                    raise Wrong(f"{field} of {what} is there, and cannot be checked: its salt is erased")
                continue
            if field not in metadata:
                raise Wrong(f"{field} of {what} is missing")
            told = hmac.new(bytes.fromhex(commitment["salt"]), canonical(metadata[field]).encode(), "sha256")
            if told.hexdigest() != commitment["digest"]:
                raise Wrong(f"{field} of {what} was changed")
        entry = {
            "event": {**event, "metadata": {name: each for name, each in metadata.items() if name not in personal}},
            "personal": {field: commitment["digest"] for field, commitment in personal.items()},
        }
        leaf = sha256(b"\x00" + canonical(entry).encode())
        path = [bytes.fromhex(neighbour) for neighbour in line["proof"]]
        root = root_from(leaf, line["index"], self.head["size"], path)
        if root is None or root.hex() != self.head["root"]:
            raise Wrong(f"{what} was changed: it is not in the segment of head {line['number']}")
        self.here, self.index = self.here + 1, line["index"]
        self.events += 1

    def close_head(self) -> None:
        """Of a segment that may have events of the bundle's time, a whole bundle has all of them."""
        if self.head is None or self.here == self.head["size"]:
            return
        first = datetime.fromtimestamp((int(self.head["firstId"].replace("-", ""), 16) >> 80) / 1000, timezone.utc)
        too_new = self.before is not None and first >= self.before + ID_TOLERANCE
        if not self.is_too_old(self.head) and not too_new:
            week, missing = self.head["week"], self.head["size"] - self.here
            self.missing.append(f"{missing} events of segment {self.head['number']}, of the week of {week}")

    def is_too_old(self, statement: dict[str, Any]) -> bool:
        """Whether it, and so all before it, have no events of the bundle's time."""
        return self.since is not None and moment(statement["latestAt"]) < self.since

    def close(self, line: dict[str, Any], digest: str) -> None:
        self.close_head()
        end = line["end"]
        if end["kind"] != END or (end["heads"], end["events"]) != (self.heads, self.events):
            raise Wrong("the last line counts other lines than there are")
        if end["sha256"] != digest:
            raise Wrong("the bundle was changed: its hash is another one")
        require_signature(self.keys, end["keyId"], line["signature"], end, "the bundle")

    def compare(self, text: str) -> None:
        """With a head that somebody kept."""
        found = re.fullmatch(r"([0-9a-f-]{36})/([0-9]+)/([0-9a-f]{64})", text.strip().lower())
        if not found:
            raise Wrong(f"{text!r} is not a head: give it as ORGANIZATION/NUMBER/HASH")
        organization, kept = found[1], int(found[2])
        if organization != (self.organization or "00000000-0000-0000-0000-000000000000"):
            raise Wrong(f"head {kept} is of another organization than the bundle")
        if kept not in self.hashes:
            raise Wrong(
                f"the bundle has heads {min(self.hashes, default=0)} to {max(self.hashes, default=0)}, not {kept}"
            )
        if self.hashes[kept] != found[3]:
            raise Wrong(f"head {kept} is another one than the one that you kept: the chain was rewritten")


def read(lines: Iterable[bytes]) -> Bundle:
    digest, done = hashlib.sha256(), False
    bundle: Bundle | None = None
    for content in lines:
        line = json.loads(content)
        if done:
            raise Wrong("there is something after the last line")
        if bundle is None:
            bundle = Bundle(line)
        elif "end" in line:
            bundle.close(line, digest.hexdigest())
            done = True
        else:
            bundle.take(line)
        digest.update(content)
    if bundle is None or not done:
        raise Wrong("the bundle is cut off: it has no last line")
    return bundle


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="the file, or - for the standard input")
    parser.add_argument("--head", action="append", default=[], help="a head that you kept; may be repeated")
    parser.add_argument("--key", action="append", default=[], help="a public key that you know; may be repeated")
    parser.add_argument("--complete", action="store_true", help="fail where events are missing")
    given = parser.parse_args(arguments)
    try:
        if given.bundle == "-":
            bundle = read(sys.stdin.buffer)
        else:
            with open(given.bundle, "rb") as file:
                bundle = read(file)
        for head in given.head:
            bundle.compare(head)
        unknown = {key.hex() for key in bundle.keys.values()} - {key.lower() for key in given.key}
        if given.key and unknown:
            raise Wrong(f"the bundle has keys that you did not name: {', '.join(sorted(unknown))}")
        if given.complete and (bundle.missing or not bundle.whole):
            raise Wrong("the bundle is not complete")
    except Wrong as problem:
        print(f"WRONG: {problem}.")
        return 1
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as problem:
        print(f"WRONG: this cannot be read as a bundle ({type(problem).__name__}: {problem}).")
        return 1
    print(f"Good: {bundle.events} events are in the chain of {bundle.heads} heads, and are what was sealed.")
    if not bundle.whole:
        print("It is a selection: other events of its time may exist.")
    elif not bundle.missing:
        print("It is complete: no sealed event of its time is missing.")
    for what in bundle.missing if bundle.whole else ():
        print(f"Not in it: {what}. Have they expired?")
    if not given.head and not given.key:
        print("It agrees with itself alone: give --head or --key to compare it with what you kept.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
