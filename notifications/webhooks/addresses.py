"""Where a webhook may go: to public addresses alone, by a URL that says nothing else.

What a name leads to is decided when it is sent, by `notifications.webhooks.connecting`; here is what may be said
beforehand.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

LONGEST_URL = 2000
LEAST_PORT = 1024
PORT_OF_SCHEME = {"https": 443, "http": 80}
# RFC 3986's characters; whatever else there is must be percent-encoded.
URL = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+", re.ASCII)
LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# The last label is no number: then it would be an IPv4 address, in one of its many spellings.
NAME = re.compile(rf"({LABEL}\.)+(?![0-9]+$|0[xX])[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", re.ASCII)
# IPv6 beyond it is private, local, multicast, or wraps an IPv4 address: ::/96, ::ffff:0:0/96, 64:ff9b::/96, ….
GLOBAL_UNICAST = ip_network("2000::/3")
# Parts of the public space that are not public, or may be an IPv4 address in disguise, and which `is_global` lets pass
# in part or as a whole.
REFUSED: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # of the protocols (RFC 6890); a cloud's metadata, too
            "192.88.99.0/24",  # relays of 6to4
            "168.63.129.16/32",  # a cloud's metadata
            "2001::/23",  # of the protocols: Teredo, ORCHID
            "2002::/16",  # 6to4
            "3fff::/20",  # documentation
        ),
    )
)


class NotAllowed(Exception):
    """Nothing is sent there. The text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads, as far as it says itself."""

    scheme: str
    host: str
    port: int
    # With the query.
    path: str

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORT_OF_SCHEME[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Raises `NotAllowed` for what cannot be right, whatever the name leads to."""
    if len(url) > LONGEST_URL or not URL.fullmatch(url):
        raise NotAllowed(f"Give an address of at most {LONGEST_URL} ASCII characters, without spaces and #.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAllowed("This is no address.") from None
    schemes = {"https", "http"} if settings.RELAXED else {"https"}
    if parts.scheme not in schemes:
        raise NotAllowed("The address must begin with https://.")
    if "@" in parts.netloc:
        raise NotAllowed("The address must not hold a user name or a password.")
    host = _host_of(parts)
    if port is None:
        port = PORT_OF_SCHEME[parts.scheme]
    elif port != PORT_OF_SCHEME[parts.scheme] and port < LEAST_PORT:
        raise NotAllowed(f"The port must be {PORT_OF_SCHEME[parts.scheme]}, or {LEAST_PORT} and above.")
    path = parts.path or "/"
    return Target(parts.scheme, host, port, f"{path}?{parts.query}" if parts.query else path)


def _host_of(parts: SplitResult) -> str:
    host = parts.hostname or ""
    try:
        # Without the zone that Python would take, and which no public address has.
        refuse_private([IPv6Address(host) if "[" in parts.netloc and "%" not in host else IPv4Address(host)])
    except ValueError:
        if "[" in parts.netloc or len(host) > 253 or not NAME.fullmatch(host):
            raise NotAllowed("The address must name a host, like hooks.example.com.") from None
    return host


def refuse_private(addresses: Iterable[Address]) -> None:
    """Raises `NotAllowed` if one of them is not public: a name that leads there, even in part, leads nowhere."""
    if not all(map(may_be_reached, addresses)):
        raise NotAllowed("The address is not a public one.")


def may_be_reached(address: Address) -> bool:
    """Public, or in a network that ``WEBHOOK_ALLOWED_NETWORKS`` names."""
    if any(address in network for network in settings.WEBHOOK_ALLOWED_NETWORKS):
        return True
    return (
        address.is_global
        and not address.is_multicast
        and (address.version == 4 or address in GLOBAL_UNICAST)
        and not any(address in network for network in REFUSED)
    )
