"""Where webhooks go: what an address may say, what its name may lead to, and that the connection goes there."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from threading import Event

import pytest
from pytest_django import Settings

from cerply.env import Env
from notifications.webhooks import connecting
from notifications.webhooks.addresses import Address, NotAllowed, may_be_reached, target_of
from notifications.webhooks.connecting import post
from notifications.webhooks.signing import signed_headers
from ops.outbox import NotTaken
from tests.notifications.receivers import Authority, Receiver

LOOPBACK = [ip_network("127.0.0.0/8")]
SECRET_ANSWER = b"what-nobody-may-see"


def leads_to(*addresses: str) -> connecting.Resolver:
    return lambda host: [ip_address(address) for address in addresses]


# -- what it says --


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://hooks.example.com", "hooks.example.com", 443, "/"),
        ("https://Hooks.Example.com:8443/a/b?c=d&e", "hooks.example.com", 8443, "/a/b?c=d&e"),
        ("https://hooks.example.com:443?x", "hooks.example.com", 443, "/?x"),
        ("https://xn--bcher-kva.example/%C3%BC", "xn--bcher-kva.example", 443, "/%C3%BC"),
        ("https://8.8.8.8/", "8.8.8.8", 443, "/"),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443, "/"),
    ],
)
def test_an_address_is_read(url: str, host: str, port: int, path: str) -> None:
    target = target_of(url)
    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "//hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com/",
        "https://",
        "https:///path",
        "https://user@hooks.example.com/",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com@127.0.0.1/",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com#@127.0.0.1/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nX-Injected: 1",
        "https://hooks.example.com/\x00",
        "https://hooks.example.com/ü",
        "https://bücher.example/",
        "https://localhost/",
        "https://intranet/",
        "https://hooks.example.com./",
        "https://hooks..example.com/",
        "https://-hooks.example.com/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.0x1/",
        "https://0177.0.0.01/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[fe80::1%25eth0]/",
        "https://[2606:4700::1111%251]/",
        "https://[v1.a]/",
        "https://[hooks.example.com]/",
        "https://[::1/",
        "https://hooks.example.com:22/",
        "https://hooks.example.com:25/",
        "https://hooks.example.com:80/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:65536/",
        "https://hooks.example.com:x/",
        f"https://hooks.example.com/{'a' * 2000}",
        f"https://{'a' * 64}.example.com/",
    ],
)
def test_an_address_that_cannot_be_right_is_refused(url: str) -> None:
    with pytest.raises(NotAllowed):
        target_of(url)


def test_plain_http_is_for_development_and_tests(settings: Settings) -> None:
    assert not target_of("http://hooks.example.com/").is_secure
    settings.RELAXED = False
    with pytest.raises(NotAllowed, match="https"):
        target_of("http://hooks.example.com/")


# -- what its name leads to --


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001::200e"])
def test_public_addresses_may_be_reached(address: str) -> None:
    assert may_be_reached(ip_address(address))


REFUSED = [
    "0.0.0.0",  # noqa: S104 - to be refused
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::8.8.8.8",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_public_is_not_reached_beside_a_public_one_either(address: str) -> None:
    assert not may_be_reached(ip_address(address))
    for found in ([address], ["8.8.8.8", address], [address, "8.8.8.8"]):
        with pytest.raises(NotTaken, match="not a public one"):
            post("https://hooks.example.com/", b"{}", {}, look_up=leads_to(*found))


@pytest.mark.usefixtures("loopback")
def test_named_networks_alone_may_be_reached() -> None:
    assert may_be_reached(ip_address("127.0.0.1"))
    for other in ("10.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert not may_be_reached(ip_address(other))


@pytest.mark.parametrize(
    ("value", "environment"), [("127.0.0.0/8", "production"), ("x", "test"), ("10.0.0.1/8", "test")]
)
def test_the_environment_names_no_networks_in_production_and_no_nonsense(value: str, environment: str) -> None:
    with pytest.raises(SystemExit, match="WEBHOOK_ALLOWED_NETWORKS"):
        Env({"CERPLY_ENV": environment, "NETWORKS": value, "WEBHOOK_ALLOWED_NETWORKS": value}).networks(
            "WEBHOOK_ALLOWED_NETWORKS"
        )


def test_the_environment_names_networks() -> None:
    assert Env({}).networks("WEBHOOK_ALLOWED_NETWORKS") == []
    variables = {"CERPLY_ENV": "development", "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8, fd00::/8"}
    assert Env(variables).networks("WEBHOOK_ALLOWED_NETWORKS") == [ip_network("127.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.usefixtures("loopback")
def test_the_name_is_looked_up_once_and_the_connection_goes_there() -> None:
    """A name server that says something else the second time is not asked a second time."""
    asked: list[str] = []

    def rebinding(host: str) -> Sequence[Address]:
        asked.append(host)
        return [ip_address("127.0.0.1" if len(asked) == 1 else "10.0.0.1")]

    with Receiver() as receiver:
        url = f"http://rebinding.example.com:{receiver.port}/x"
        assert post(url, b"{}", {}, look_up=rebinding) == 204
        assert asked == ["rebinding.example.com"]
        assert receiver.received[0].headers["host"] == f"rebinding.example.com:{receiver.port}"
        with pytest.raises(NotTaken, match="not a public one"):
            post(url, b"{}", {}, look_up=rebinding)
        assert receiver.connections == 1


def test_of_several_addresses_the_next_one_is_tried(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [*LOOPBACK, ip_network("::1/128")]
    with Receiver() as receiver:
        # Nobody listens at the first: the receiver's port is bound at one address.
        url = f"http://two.example.com:{receiver.port}/"
        assert post(url, b"{}", {}, look_up=leads_to("::1", "127.0.0.1")) == 204
        with pytest.raises(NotTaken, match="refused the connection|broke"):
            post(url, b"{}", {}, look_up=leads_to("::1"))


def test_a_name_without_an_address() -> None:
    with pytest.raises(NotTaken, match="has no address"):
        post("https://nobody.example.com/", b"{}", {}, look_up=leads_to())


def test_a_name_server_that_does_not_answer_is_not_waited_for(settings: Settings) -> None:
    settings.WEBHOOK_TIMEOUT = 0.2
    over = Event()

    def silent(host: str) -> Sequence[Address]:
        over.wait(60)
        return []

    with pytest.raises(NotTaken, match="did not answer within"):
        post("https://slow.example.com/", b"{}", {}, look_up=silent)
    over.set()


@pytest.mark.usefixtures("loopback")
def test_neither_proxies_nor_credentials_of_the_environment_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Receiver() as receiver, Receiver() as proxy:
        (tmp_path / "netrc").write_text("default login me password secret\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert post(receiver.url, b"{}", {}) == 204
        assert (receiver.connections, proxy.connections) == (1, 0)
        assert receiver.received[0].line == "POST /hooks?from=cerply HTTP/1.1"
        assert not {"authorization", "cookie"} & set(receiver.received[0].headers)


# -- whom it trusts --


def test_the_certificate_must_be_the_names(authority: Authority) -> None:
    asked: list[str | None] = []
    context = authority.server("hooks.example.com")
    context.sni_callback = lambda connection, name, context: asked.append(name)
    with Receiver(context=context) as receiver:
        lead = leads_to("127.0.0.1")
        assert post(f"https://hooks.example.com:{receiver.port}/", b"{}", {}, look_up=lead) == 204
        with pytest.raises(NotTaken, match="certificate does not hold: Hostname mismatch"):
            post(f"https://other.example.com:{receiver.port}/", b"{}", {}, look_up=lead)
        with pytest.raises(NotTaken, match="certificate does not hold: IP address mismatch"):
            post(f"https://127.0.0.1:{receiver.port}/", b"{}", {})
        assert asked == ["hooks.example.com", "other.example.com", None]
        assert [received.body for received in receiver.received] == [b"{}"]


def test_a_certificate_of_the_address_is_not_one_of_the_name(authority: Authority) -> None:
    with Receiver(context=authority.server("127.0.0.1")) as receiver:
        assert post(f"https://127.0.0.1:{receiver.port}/", b"{}", {}) == 204
        with pytest.raises(NotTaken, match="certificate does not hold"):
            post(f"https://hooks.example.com:{receiver.port}/", b"{}", {}, look_up=leads_to("127.0.0.1"))


def test_a_certificate_that_is_over_or_of_a_stranger_does_not_hold(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "stranger").mkdir()
    stranger = Authority(tmp_path / "stranger")
    over = authority.server("hooks.example.com", ends=-timedelta(days=1))
    for context, why in ((over, "expired"), (stranger.server("hooks.example.com"), "issuer")):
        with Receiver(context=context) as receiver:
            with pytest.raises(NotTaken, match=f"certificate does not hold: .*{why}"):
                post(f"https://hooks.example.com:{receiver.port}/", b"{}", {}, look_up=leads_to("127.0.0.1"))
            assert receiver.received == []


def test_who_does_not_speak_tls(authority: Authority) -> None:
    greeting = b"HTTP/1.1 200 OK\r\n\r\n"
    with Receiver(greeting=greeting) as receiver, pytest.raises(NotTaken, match="no TLS connection"):
        post(f"https://127.0.0.1:{receiver.port}/", b"{}", {})


# -- what is signed --


def test_the_example_of_the_specification() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    moment = datetime.fromtimestamp(1614265330, UTC)
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", moment, b'{"test": 2432232314}', [key])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"
