"""What the environment may say: typed, and refused in one line."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from cerply.env import Env
from tests.certificates.sealers import Authority, Key, make_key, pem_of, pem_of_key, write_seal

CHECKOUT = Path(__file__).resolve().parents[2]
GOOD = {
    "CERPLY_ENV": "production",
    "DATABASE_URL": "postgres://cerply@db.invalid/cerply",
    "PUBLIC_URL": "https://cerply.example",
    "SECRET_KEY": "mTq3v-9xLr_2cWz8Kp1yFh5sNd7gBj4aUe6o",
    "KEY_ENCRYPTION_KEYS": "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
    "EMAIL_URL": "smtp+tls://user:password@mail.invalid:587",
}


def start(**changes: str | None) -> subprocess.CompletedProcess[str]:
    return told("settings.ADMIN_TOKEN", changes)


def told(what: str, changes: dict[str, str | None]) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return subprocess.run(
        [sys.executable, "-c", f"from django.conf import settings; settings.DEBUG; print(repr({what}))"],
        env={"PATH": "/usr/bin:/bin", "DJANGO_SETTINGS_MODULE": "cerply.settings", **variables},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", None),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "development-secret-key-not-for-production"),
        ("SECRET_KEY", "a" * 50),
        ("KEY_ENCRYPTION_KEYS", None),
        ("KEY_ENCRYPTION_KEYS", "nonsense"),
        ("KEY_ENCRYPTION_KEYS", "ZGV2ZWxvcG1lbnQta2V5"),
        ("KEY_ENCRYPTION_KEYS", "A" * 43 + "="),
        ("KEY_ENCRYPTION_KEYS", "ZGV2ZWxvcG1lbnQta2V5LW5vdC1mb3ItcHJvZHVjdGk="),
        ("SECRET_KEY_FALLBACKS", "x"),
        ("SECRET_KEY_FALLBACKS", "development-secret-key-not-for-production"),
        ("DATABASE_URL", None),
        ("DATABASE_URL", "sqlite:///x"),
        ("DATABASE_URL", "nonsense"),
        ("PUBLIC_URL", None),
        ("PUBLIC_URL", "http://cerply.example"),
        ("PUBLIC_URL", "cerply.example"),
        ("EMAIL_URL", None),
        ("EMAIL_URL", "pigeon://x"),
        ("EMAIL_URL", "smtp+tls://"),
        ("EMAIL_URL", "consolemail://"),
        ("LOG_LEVEL", "LOUD"),
        ("METRICS_TOKEN", "short"),
        ("REDIS_URL", "localhost:6379"),
        ("RATE_LIMIT_API", "often"),
        ("RETAIN_AUDIT_DAYS", "0"),
        ("PORT", "http"),
        ("ISSUER_HOST", "https://x/y"),
    ],
)
def test_production_does_not_start_with(name: str, value: str | None) -> None:
    done = start(**{name: value})
    assert done.returncode != 0
    [line] = done.stderr.strip().splitlines()
    assert line.startswith(f"Cerply does not start: {name}")
    assert not value or len(value) < 30 or value not in line


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "production", "prod", "Development", "TEST", " staging-2"])
def test_elsewhere_the_admin_token_is_as_if_it_were_not_there(name: str) -> None:
    done = start(CERPLY_ENV=name, ADMIN_TOKEN="n7Rw2-Kq9xVb4_Tz6Ym1Jc8Fh3Ps5Dg0")
    assert done.stdout.strip().splitlines()[-1] == "''"


@pytest.mark.slow
def test_staging_takes_a_strong_admin_token_and_no_published_one() -> None:
    strong = "n7Rw2-Kq9xVb4_Tz6Ym1Jc8Fh3Ps5Dg0"
    assert start(CERPLY_ENV="staging", ADMIN_TOKEN=strong).stdout.strip().splitlines()[-1] == repr(strong)
    for weak in ("dev-admin-token-12345", "short", "b" * 40):
        done = start(CERPLY_ENV="staging", ADMIN_TOKEN=weak)
        assert done.returncode != 0
        assert done.stderr.startswith("Cerply does not start: ADMIN_TOKEN")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("", False),
        ("TRUE", False),
        ("1", False),
        ("yes", False),
        ("on", False),
        ("true ", False),
        (" true", False),
    ],
)
def test_a_switch_is_on_only_when_true(value: str, expected: Any) -> None:
    assert Env({"FF_GAMIFICATION_V1": value}).flag("FF_GAMIFICATION_V1") is expected
    assert Env({}).flag("FF_GAMIFICATION_V1") is False


# -- the seal --

AUTHORITY = Authority()
SEAL = AUTHORITY.make_seal()
OTHERS: list[Key] = [
    ec.generate_private_key(ec.SECP384R1()),
    ec.generate_private_key(ec.SECP256K1()),
    ed25519.Ed25519PrivateKey.generate(),
    rsa.generate_private_key(65537, 2048),
]
WITH_PASSPHRASE = SEAL.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
CHAIN = pem_of(*SEAL.certificates)


def test_without_a_seal_there_is_none() -> None:
    assert Env(GOOD).seal("PDF_SEAL_CERTIFICATE", "PDF_SEAL_KEY") is None


def test_a_seal_is_read_with_its_chain(tmp_path: Path) -> None:
    seal = Env(write_seal(tmp_path, SEAL)).seal("PDF_SEAL_CERTIFICATE", "PDF_SEAL_KEY")
    assert seal is not None
    assert seal.certificates == SEAL.certificates
    assert seal.key.public_key() == SEAL.key.public_key()


@pytest.mark.parametrize(
    ("refused", "because", "certificates", "key"),
    [
        *[
            ("PDF_SEAL_KEY", "must be a P-256 key", pem_of(AUTHORITY.certify(other)), pem_of_key(other))
            for other in OTHERS
        ],
        ("PDF_SEAL_KEY", "must not have a passphrase", CHAIN, WITH_PASSPHRASE),
        ("PDF_SEAL_KEY", "in PEM", CHAIN, CHAIN),
        ("PDF_SEAL_KEY", "in PEM", CHAIN, b""),
        ("PDF_SEAL_KEY", "path", CHAIN, None),
        ("PDF_SEAL_CERTIFICATE", "path", None, pem_of_key(SEAL.key)),
        ("PDF_SEAL_CERTIFICATE", "in PEM", b"nonsense", pem_of_key(SEAL.key)),
        ("PDF_SEAL_CERTIFICATE", "in PEM", pem_of_key(SEAL.key), pem_of_key(SEAL.key)),
        ("PDF_SEAL_CERTIFICATE", "does not belong", CHAIN, pem_of_key(make_key())),
        ("PDF_SEAL_CERTIFICATE", "does not belong", pem_of(*reversed(SEAL.certificates)), pem_of_key(SEAL.key)),
        (
            "PDF_SEAL_CERTIFICATE",
            "is not a chain",
            pem_of(SEAL.certificates[0], Authority().certificate),
            pem_of_key(SEAL.key),
        ),
        (
            "PDF_SEAL_CERTIFICATE",
            "not in its time",
            pem_of(AUTHORITY.certify(SEAL.key, begins=-9, days=-1)),
            pem_of_key(SEAL.key),
        ),
        (
            "PDF_SEAL_CERTIFICATE",
            "not in its time",
            pem_of(AUTHORITY.certify(SEAL.key, begins=9)),
            pem_of_key(SEAL.key),
        ),
        (
            "PDF_SEAL_CERTIFICATE",
            "allowed to sign",
            pem_of(AUTHORITY.certify(SEAL.key, for_authority=True)),
            pem_of_key(SEAL.key),
        ),
    ],
)
def test_a_seal_of_no_use_is_refused(
    refused: str, because: str, certificates: bytes | None, key: bytes | None, tmp_path: Path
) -> None:
    for name, content in (("certificates", certificates), ("key", key)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
    env = Env({"PDF_SEAL_CERTIFICATE": str(tmp_path / "certificates"), "PDF_SEAL_KEY": str(tmp_path / "key")})
    with pytest.raises(SystemExit) as caught:
        env.seal("PDF_SEAL_CERTIFICATE", "PDF_SEAL_KEY")
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"Cerply does not start: {refused} ")
    assert because in line
    assert str(tmp_path) not in line


@pytest.mark.slow
def test_production_starts_with_a_seal_and_with_half_a_one_it_does_not(tmp_path: Path) -> None:
    whole = write_seal(tmp_path, SEAL)
    assert start(**whole).returncode == 0
    for missing in whole:
        done = start(**whole | {missing: None})
        assert done.returncode != 0
        [line] = done.stderr.strip().splitlines()
        assert line.startswith(f"Cerply does not start: {missing} is not set")


@pytest.mark.slow
def test_production_asks_staff_for_more_and_gives_cookies_to_this_host_alone() -> None:
    names = [
        "STAFF_SECOND_FACTOR",
        "SESSION_COOKIE_NAME",
        "SESSION_COOKIE_SECURE",
        "SESSION_COOKIE_HTTPONLY",
        "SESSION_COOKIE_SAMESITE",
        "SESSION_COOKIE_DOMAIN",
        "CSRF_COOKIE_SECURE",
        "CSRF_COOKIE_SAMESITE",
    ]
    said = told(f"[getattr(settings, name) for name in {names}]", {}).stdout
    assert said.strip() == repr([True, "__Host-sessionid", True, True, "Lax", None, True, "Lax"])
