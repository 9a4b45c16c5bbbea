"""What receivers of webhooks may do: how long it may take, and what of an answer counts."""

import socket
from ipaddress import ip_address, ip_network

import pytest
from pytest_django import Settings

from notifications.webhooks import connecting
from notifications.webhooks.connecting import post
from ops.outbox import NotTaken
from tests.notifications.receivers import Authority, Behaviour, Receiver, answer, go_on_with, hang, reset, say

LOOPBACK = [ip_network("127.0.0.0/8")]
SECRET_ANSWER = b"what-nobody-may-see"


def leads_to(*addresses: str) -> connecting.Resolver:
    return lambda host: [ip_address(address) for address in addresses]


LATE = "did not answer within"


@pytest.mark.parametrize("secured", [False, True])
@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (hang, LATE),
        (go_on_with(b"x", begin=b"HTTP/1.1 200 O", pause=0.01), LATE),
        (go_on_with(b"x: y\r\n", begin=b"HTTP/1.1 200 OK\r\n", pause=0.01), LATE),
        (go_on_with(b"HTTP/1.1 100 Continue\r\n\r\n"), LATE),
        (go_on_with(b"X-More: headers\r\n", begin=b"HTTP/1.1 200 OK\r\n"), "no HTTP"),
        (go_on_with(b"x" * 65536, begin=b"HTTP/1.1 200 "), "no HTTP"),
        (go_on_with(b"\0" * 65536), "no HTTP"),
        (say(b""), "broke"),
        (say(b"HTTP/1.1 2"), "broke"),
        (say(b"HTTP/1.1 200 OK"), "broke"),
        (say(b"HTTP/1.1 200 OK\r\n"), "broke"),
        (say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"), "broke"),
        (say(b"HTTP/1.1 103 Early Hints\r\n\r\n"), "broke"),
        (say(SECRET_ANSWER + b"\r\n"), "no HTTP"),
        (say(b"HTTP/1.1 2xx " + SECRET_ANSWER + b"\r\n\r\n"), "no HTTP"),
        (say(b"HTTP/1.1 99999 OK\r\n\r\n"), "no HTTP"),
        (say(b"SSH-2.0-" + SECRET_ANSWER + b"\r\n"), "no HTTP"),
        (reset, "broke"),
    ],
)
def test_what_is_no_answer(
    authority: Authority, settings: Settings, behaviour: Behaviour, why: str, secured: bool
) -> None:
    settings.WEBHOOK_TIMEOUT = 0.5
    with Receiver([behaviour], authority.server("127.0.0.1") if secured else None) as receiver:
        url = receiver.url.replace("http:", "https:") if secured else receiver.url
        with pytest.raises(NotTaken, match=why) as caught:
            post(url, b"{}", {})
        assert SECRET_ANSWER.decode() not in str(caught.value)


@pytest.mark.parametrize("secured", [False, True])
@pytest.mark.parametrize(
    "behaviour",
    [
        answer(200, b"x" * 100),
        say(b"HTTP/1.1 200\r\n\r\n"),
        say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\n\n"),
        say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ncut short"),
        say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense"),
        say(b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\nnonsense"),
        go_on_with(b"x" * 65536, begin=b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"),
        go_on_with(b"1\r\nx\r\n", begin=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        go_on_with(b"x", begin=b"HTTP/1.1 200 OK\r\n\r\n", pause=0.01),
    ],
)
def test_the_status_is_the_answer_whatever_follows(authority: Authority, behaviour: Behaviour, secured: bool) -> None:
    with Receiver([behaviour], authority.server("127.0.0.1") if secured else None) as receiver:
        url = receiver.url.replace("http:", "https:") if secured else receiver.url
        assert post(url, b"{}", {}) == 200


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_is_sent_elsewhere(status: int) -> None:
    with Receiver() as elsewhere, Receiver([answer(status, Location=elsewhere.url)]) as receiver:
        assert post(receiver.url, b"{}", {}) == status
        assert (receiver.connections, elsewhere.connections) == (1, 0)


def test_a_handshake_that_never_ends_is_cut_off(authority: Authority, settings: Settings) -> None:
    settings.WEBHOOK_TIMEOUT = 0.5
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(NotTaken, match=LATE):
            post(url, b"{}", {})


@pytest.mark.usefixtures("loopback")
def test_nothing_is_kept_between_two_requests() -> None:
    with Receiver([answer(204, Set_Cookie="session=1; Path=/", Connection="keep-alive")]) as receiver:
        for _ in range(2):
            assert post(receiver.url, b"{}", {}) == 204
        assert receiver.connections == 2
        assert "cookie" not in receiver.received[1].headers
