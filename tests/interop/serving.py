"""The service as strangers reach it: by HTTPS, under a certificate of an authority of our own."""

import ipaddress
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cerply import clock
from cerply.management.processes import spawn

CHECKOUT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60


class Authority:
    """A certificate authority of one certificate: that of ``localhost``."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.server_chain = folder / "authority.pem", folder / "server.pem"
        self.server_key = folder / "server.key"
        authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = _name("Interop tests")
        authority = (
            _valid_for_a_day(issuer, issuer, authority_key.public_key(), authority_key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(authority_key, hashes.SHA256())
        )
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        server = (
            _valid_for_a_day(_name("localhost"), issuer, server_key.public_key(), authority_key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        self.certificate.write_bytes(authority.public_bytes(Encoding.PEM))
        self.server_chain.write_bytes(server.public_bytes(Encoding.PEM))
        self.server_key.write_bytes(server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _valid_for_a_day(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = clock.now()
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


class Website:
    """What runs at ``https://localhost:…``."""

    def __init__(self, port: int, authority: Authority, media: Path) -> None:
        self.host = f"localhost:{port}"
        self.url = f"https://{self.host}"
        self.authority = authority
        self.media = media
        self._trust = ssl.create_default_context(cafile=authority.certificate)

    def fetch(self, url: str, **headers: str) -> bytes:
        with urlopen(Request(url, headers=headers), timeout=30, context=self._trust) as answer:
            return bytes(answer.read())


@contextmanager
def serve(port: int, folder: Path, environment: Mapping[str, str]) -> Iterator[Website]:
    """The application in the server that production uses, on the database of the environment; its files in a folder."""
    authority, log = Authority(folder), folder / "web.log"
    website = Website(port, authority, folder / "media")
    command = [sys.executable, "-m", "cerply.management.web", "cerply.wsgi:application"]
    options = {
        "interface": "wsgi",
        "host": "127.0.0.1",
        "port": str(port),
        "ssl-certificate": str(authority.server_chain),
        "ssl-keyfile": str(authority.server_key),
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    own = {"PUBLIC_URL": website.url, "ISSUER_HOST": website.host, "MEDIA_ROOT": str(website.media)}
    with log.open("wb") as output:
        process = spawn(
            [*command, "--no-ws", *arguments], environment={**environment, **own}, output=output, cwd=CHECKOUT
        )
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not _answers(website):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield website
        finally:
            process.terminate()
            process.wait(60)


def _answers(website: Website) -> bool:
    try:
        return bool(website.fetch(f"{website.url}/api/health/live"))
    except (URLError, OSError):
        return False
