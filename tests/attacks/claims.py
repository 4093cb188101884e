"""Attacks by what is claimed: lengths that never come, hosts that are none, proxies nobody has named."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, product
from typing import Final

from ..framing import DEFLATED, MORE, PING, TEXT, frame, ipc, request, upgrade
from .browsers import check_homely
from .field import Field, Stranger
from .malformed import BRIEF, INNER, OFFENCE
from .siege import Attack
from .strangers import enrol

FIN: Final = 0x80
HUGE: Final = 1 << 62
#: Four times what a message may have; up to that it is passed over.
MOST: Final = 4 * 65_536


def head(opcode: int, size: int, masked: bool = True) -> bytes:
    """The header of a frame with an eight-byte length, and nothing of the frame."""
    return bytes((opcode, 0xFF if masked else 0x7F)) + size.to_bytes(8, "big") + bytes(4 * masked)


#: What is sent, and the code with which it is refused.
CLAIMED: Final = (
    *(
        (head(opcode, size), 1009)
        for opcode in (FIN | TEXT, TEXT, FIN | TEXT | DEFLATED)
        for size in (HUGE, 2**33)
    ),
    (head(FIN | TEXT, MOST + 1), 1009),
    (frame(TEXT, b"{", fin=False) + head(MORE, HUGE), 1009),
    (frame(TEXT, b"{" * 60_000, fin=False) + frame(MORE, b" " * 60_000, fin=False) * 4, 1009),
    (frame(TEXT, b"{", fin=False) + frame(PING, b"between") + head(FIN, MOST), 1009),
    (head(FIN | PING, HUGE), 1002),
    (head(FIN | TEXT, HUGE, masked=False), 1002),
)  # fmt: skip


def neighbours() -> Iterator[tuple[str, str]]:
    """Two addresses of one network, of fifty, again and again."""
    for host, network in cycle(product(range(1, 21), range(50))):
        yield f"198.18.{network}.{host}", f"198.18.{network}.{host + 100}"


def claimed_lengths(field: Field) -> None:
    """Each is closed by its header, and who claimed it, and its neighbours, are served as before."""
    for (claim, code), (address, neighbour) in zip(cycle(CLAIMED), neighbours(), strict=False):
        if not field.going_on:
            break
        with Stranger(field, address).upgrade(sec_websocket_extensions="permessage-deflate") as line:
            line.send(claim)
            assert line.closed() == code, claim[:20]
        for who in (address, neighbour):
            with Stranger(field, who) as line:
                assert line.ask(request("GET", "/api/room")).status == 200, (who, claim[:20])
        field.tally["claims"] += 1


#: What names no host, or more than one, after the request line.
NOBODY: Final = (
    b"", b"Host:\r\n", b"Host: a b\r\n", b"Host: a,b\r\n", b"Host: user@a\r\n", b"Host: a/b\r\n",
    b"Host: a:b\r\n", b"Host: a:99999\r\n", b"Host: [::1\r\n", b"Host: a\r\nHost: a\r\n",
    b"Host: a\r\nX: y\r\nhost: b\r\n",
    b"Host: \xff\r\n", b"Host: .\r\n",
)  # fmt: skip
TARGETS: Final = (b"/api/room", b"/ws", b"http://localhost/api/room")


def requests_for_nobody(field: Field) -> None:
    """They are 400, and nothing after them is done.  What is clear is served; HTTP/1.0 opens no WebSocket."""
    for (hosts, target), (address, _) in zip(cycle(product(NOBODY, TARGETS)), neighbours(), strict=False):
        if not field.going_on:
            break
        with Stranger(field, address) as line:
            line.send(b"GET %b HTTP/1.1\r\n%b\r\n" % (target, hosts) + INNER)
            answer = line.rest()
        assert answer.startswith(b"HTTP/1.1 400 "), (hosts, target, answer)
        assert answer.count(b"HTTP/1.1 ") == 1, (hosts, target, answer)
        with Stranger(field, address) as line:
            absolute = request("GET", "http://realm.example/api/room?x=y", host="else")
            assert line.ask(absolute).json["ok"]
            page = line.ask(request("GET", "/", accept_encoding="gzip;q=0, identity"))
            assert (page.status, "content-encoding" in page.headers) == (200, False)
            line.send(upgrade().replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert line.answer().status == 426
        with Stranger(field, address).upgrade(origin="null") as line:  # cors_origins is any
            assert line.command("room-info")["ok"]
        field.tally["tries"] += 1


#: What proxies, balancers and service meshes are known to add, and what none does yet.
ADDED: Final = (
    "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-server",
    "x-forwarded-prefix", "x-forwarded-user", "x-forwarded-email", "x-forwarded-client-cert", "x-forwarded",
    "forwarded", "forwarded-for", "via", "x-real-ip", "x-client-ip", "client-ip", "true-client-ip",
    "x-cluster-client-ip", "fastly-client-ip", "cf-connecting-ip", "cf-ray", "cf-ipcountry", "cdn-loop",
    "x-azure-clientip", "x-azure-ref", "x-original-forwarded-for", "x-original-host", "x-original-url",
    "x-rewrite-url", "x-envoy-external-address", "x-envoy-attempt-count", "x-envoy-expected-rq-timeout-ms",
    "x-request-id", "x-correlation-id", "x-amzn-trace-id", "x-amz-cf-id", "x-cloud-trace-context",
    "x-b3-traceid", "x-b3-spanid", "b3", "traceparent", "tracestate", "baggage", "x-scheme", "x-url-scheme",
    "front-end-https", "x-https", "x-ssl-client-cert", "ssl-client-verify", "x-client-verify",
    "x-remote-user", "remote-user", "x-authenticated-user", "x-auth-request-email", "x-varnish",
    "surrogate-capability", "max-forwards", "proxy-connection", "proxy-authorization", "early-data",
    "x-appengine-user-ip", "x-arr-ssl", "x-arr-log-id", "x-vercel-id", "fly-client-ip", "do-connecting-ip",
    "tailscale-user-login", "x-nginx-proxy", "x-proxyuser-ip", "x-sent-by-tomorrow",
)  # fmt: skip


def unknown_proxies(field: Field) -> None:
    """Whoever comes by a proxy on the realm's host that adds anything has none of that host's rights."""
    enrol(field, "homely", None)
    emote = ipc("world-emote", agentId="homely")
    for name in cycle(ADDED):
        if not field.going_on:
            break
        with Stranger(field, None) as line:
            for value in ("x", "127.0.0.1", ""):
                answer = line.ask(request("POST", "/ipc", emote, **{name: value}))
                assert (answer.status, answer.json["code"]) == (401, "token_required"), (name, value)
            line.upgrade(**{name: "x"})
            assert line.command("world-emote", agentId="homely")["code"] == "token_required", name
        field.tally["tries"] += 4
    check_homely(field)


CLAIMS: Final = Attack("claimed_lengths", claimed_lengths, OFFENCE % ("message", "websocket"), BRIEF)
FOR_NOBODY: Final = Attack("requests_for_nobody", requests_for_nobody, OFFENCE % ("message", "http"), BRIEF)
PROXIES: Final = Attack(
    "unknown_proxies", unknown_proxies, "offence kind=identity door=(http|websocket) peer=127", BRIEF
)
