"""Verifiers that others wrote, and what each says of a credential, in words that are the same for all.

- ``digitalbazaar``: @digitalbazaar/vc with data-integrity, eddsa-rdfc-2022-cryptosuite and vc-bitstring-status-list.
- ``verifier-core``: @digitalcredentials/verifier-core, of the Digital Credentials Consortium's wallet and website.
- ``openbadgeslib``: the package of that name, in this process.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from openbadgeslib.ob3 import OB3LdpVerifier, OB3VerificationError

from tests.interop.serving import Website

HERE = Path(__file__).parent
SCHEMA_URL = "https://purl.imsglobal.org/spec/ob/v3p0/schema/json/ob_v3p0_achievementcredential_schema.json"
SCHEMA = HERE.parent / "certificates" / "schemas" / "ob_v3p0_achievementcredential_schema.json"
OLDEST_NODE = 20
TIMEOUT_SECONDS = 120

type Document = dict[str, Any]


class Word(StrEnum):
    VALID = "valid"
    EXPIRED = "expired"
    # Ours has one bit for revoked and for suspended, so theirs is one word for both.
    REVOKED = "revoked"
    # Not signed by its issuer, or not as it stands; or the verifier cannot tell, which is no yes either.
    REFUSED = "refused"


@dataclass(frozen=True)
class Verdict:
    """The word, and what the verifier itself said."""

    word: Word
    said: Any


class Verifier(Protocol):
    name: str

    def judge(self, credentials: Sequence[Document]) -> list[Verdict]: ...


def missing() -> str:
    """Why Node's verifiers cannot run here; empty when they can."""
    if not shutil.which("node") or _node_version() < OLDEST_NODE:
        return f"Node.js {OLDEST_NODE} or newer is missing"
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        return "their packages are missing; install them: npm ci --prefix tests/interop"
    return ""


def _node_version() -> int:
    said = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout
    return int(said.removeprefix("v").partition(".")[0])


def ask_node(verifier: str, cases: Sequence[Any], website: Website) -> list[Any]:
    """The answers of `verify.mjs`: one process for all cases, which trusts our authority and reaches us alone."""
    question = {"verifier": verifier, "files": {SCHEMA_URL: str(SCHEMA)}, "cases": list(cases)}
    done = subprocess.run(
        ["node", HERE / "verify.mjs"],
        input=json.dumps(question),
        env=os.environ | {"NODE_EXTRA_CA_CERTS": str(website.authority.certificate)},
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    answered = json.loads(done.stdout)
    assert all(url.startswith(website.url) or url == SCHEMA_URL for url in answered["fetched"])
    return list(answered["answers"])


class DigitalBazaar:
    """It says ``verified: true`` of a revoked one: whoever uses it has to look at the statuses as well."""

    name = "digitalbazaar"

    def __init__(self, website: Website) -> None:
        self.website = website

    def judge(self, credentials: Sequence[Document]) -> list[Verdict]:
        return [Verdict(self._word(said), said) for said in ask_node(self.name, credentials, self.website)]

    def _word(self, said: dict[str, Any]) -> Word:
        if said["verified"]:
            return Word.REVOKED if any(said["statuses"]) else Word.VALID
        return Word.EXPIRED if any('is after "validUntil"' in error for error in said["errors"]) else Word.REFUSED


class VerifierCore:
    """It has a log of checks, or errors when it cannot say anything for certain."""

    name = "verifier-core"

    def __init__(self, website: Website) -> None:
        self.website = website

    def judge(self, credentials: Sequence[Document]) -> list[Verdict]:
        return [Verdict(self._word(said), said) for said in ask_node(self.name, credentials, self.website)]

    def _word(self, said: dict[str, Any]) -> Word:
        log = said["log"]
        if said["errors"] or log.get("valid_signature") is not True:
            return Word.REFUSED
        if log.get("revocation_status", True) is False:
            return Word.REVOKED
        if log["expiration"] is False:
            return Word.EXPIRED
        return Word.VALID if log.get("revocation_status", True) is True else Word.REFUSED


class OpenBadgesLib:
    """It raises, and the message tells why. Of status lists it can verify JWTs alone.

    So it reads our list, which has a Data Integrity proof, without verifying who signed it. With ``jwt`` it gets the
    list as a JWT, and verifies that too.
    """

    name = "openbadgeslib"

    def __init__(self, website: Website, *, jwt: bool = False) -> None:
        self.website = website
        self.jwt = jwt

    def judge(self, credentials: Sequence[Document]) -> list[Verdict]:
        verifier = OB3LdpVerifier()
        return [self._verdict(verifier, credential) for credential in credentials]

    def _verdict(self, verifier: OB3LdpVerifier, credential: Document) -> Verdict:
        text = json.dumps(credential, ensure_ascii=False)
        try:
            verifier.verify(text, check_status=True, verify_status_list=self.jwt, download=self._download)
        except OB3VerificationError as exc:
            said = str(exc)
            if said.startswith("Credential status 'revocation' is set"):
                return Verdict(Word.REVOKED, said)
            return Verdict(Word.EXPIRED if "expired" in said else Word.REFUSED, said)
        return Verdict(Word.VALID, None)

    def _download(self, url: str) -> bytes:
        """Its own refuses addresses of this machine, for good reasons."""
        accept = "application/vc+jwt" if self.jwt and "/status/" in url else "*/*"
        return self.website.fetch(url, Accept=accept)
