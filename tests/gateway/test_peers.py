"""Where a request comes from, and what of it is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from realmd.gateway.peers import Peers, Relayed
from tests.framing import request
from tests.realm import realm_up

HERE = IPv4Address("TCP", "127.0.0.1", 40000)
PROXY = IPv4Address("TCP", "10.0.0.5", 40000)
SELF = {"host": "127.0.0.1:18800"}
BEHIND = Peers(["10.0.0.0/8", "2001:db8:ffff::/48", "unix"])


def sent(headers: dict[str, str]) -> dict[bytes, list[bytes]]:
    """Headers as they were read."""
    return {name.lower().encode(): [value.encode("latin-1")] for name, value in headers.items()}


@pytest.mark.parametrize(
    ("address", "chain", "client"),
    [
        (PROXY, "198.51.100.7", "198.51.100.7"),
        (PROXY, "6.6.6.6, 198.51.100.7", "198.51.100.7"),  # what the client claims goes before
        (PROXY, "6.6.6.6, 198.51.100.7, 10.9.9.9", "198.51.100.7"),  # two proxies in a row
        (PROXY, "198.51.100.7:5678", "198.51.100.7"),
        (PROXY, "[2001:db8::7]:5678", "2001:db8::7"),
        (PROXY, "::ffff:198.51.100.7", "198.51.100.7"),
        (PROXY, "6.6.6.6, unknown", "10.0.0.5"),  # the proxy does not know: nobody else does
        (PROXY, "6.6.6.6, 10.0.0.6, ", "10.0.0.5"),
        (PROXY, "10.0.0.7, 10.0.0.6", "10.0.0.7"),  # all are proxies: the farthest
        (PROXY, "", "10.0.0.5"),
        (UNIXAddress(None), "198.51.100.7", "198.51.100.7"),
        (IPv6Address("TCP", "2001:db8:ffff::1", 1), "198.51.100.7", "198.51.100.7"),
        (IPv4Address("TCP", "203.0.113.9", 1), "198.51.100.7", "203.0.113.9"),  # no proxy of ours
        (HERE, "198.51.100.7", "127.0.0.1"),
    ],
)
def test_the_client_is_the_rightmost_address_that_is_no_proxy(address: Any, chain: str, client: str) -> None:
    """A client cannot choose its address: what it writes into the header stands left of what a proxy adds."""
    peer = BEHIND.of(address, sent({**SELF, "x-forwarded-for": chain}))
    assert (peer.address, peer.local) == (client, False)


@given(st.text(st.characters(codec="latin-1")), st.ip_addresses())
def test_no_claim_hides_what_the_proxy_saw(claim: str, seen: Any) -> None:
    """Whatever a client sends as X-Forwarded-For, it is known by the address that the proxy appended."""
    told = BEHIND.of(PROXY, sent({"x-forwarded-for": str(seen)})).address
    peer = BEHIND.of(PROXY, sent({"x-forwarded-for": f"{claim}, {seen}"}))
    if not BEHIND.trusts(told):
        assert peer.address == told
    assert not peer.local


@pytest.mark.parametrize(
    ("header", "given"),
    [
        ("forwarded", {"forwarded": 'for=6.6.6.6, for="[2001:db8::7]:99";proto=https;by=10.0.0.5'}),
        ("x-real-ip", {"x-real-ip": "2001:db8::7"}),
        ("x-forwarded-for", {"x-forwarded-for": "2001:db8::7", "forwarded": "for=6.6.6.6"}),
    ],
)  # fmt: skip
def test_only_the_header_that_is_configured_is_believed(header: str, given: dict[str, str]) -> None:
    """A proxy that sets one header passes the others on as clients send them."""
    assert Peers(["10.0.0.5"], header).of(PROXY, sent(given)).address == "2001:db8::7"


@pytest.mark.parametrize(
    ("address", "headers", "local"),
    [
        (HERE, {}, True),
        (IPv4Address("TCP", "127.8.9.10", 1), {"host": "localhost:18800"}, True),
        (IPv6Address("TCP", "::1", 1), {"host": "[::1]:18800"}, True),
        (IPv6Address("TCP", "::ffff:127.0.0.1", 1), {}, True),
        (UNIXAddress(None), {"host": "localhost"}, True),
        (HERE, {"host": "realm.example"}, True),  # a name it has by the configuration
        (HERE, {"host": "LocalHost.:18800"}, True),
        (HERE, {"origin": "http://127.0.0.1:18800"}, True),  # its own page
        (HERE, {"origin": "https://friend.example"}, True),  # a page named in cors_origins
        (HERE, {"sec-fetch-site": "same-origin"}, True),
        (IPv4Address("TCP", "192.0.2.1", 1), {}, False),
        (Relayed("127.0.0.1"), {}, False),  # a PROXY header says so
        (HERE, {"host": "evil.example"}, False),  # DNS rebinding
        (HERE, {"host": "127.0.0.1@evil.example"}, False),
        (HERE, {"host": "127.0.0.1:18800, evil.example"}, False),
        (HERE, {"host": "127.0.0.1.evil.example"}, False),
        (HERE, {"host": ""}, False),
        (HERE, {"origin": "https://evil.example"}, False),
        (HERE, {"origin": "null"}, False),
        (HERE, {"origin": ""}, False),
        (HERE, {"origin": "http://127.0.0.1:18801"}, False),  # another program's page
        (HERE, {"sec-fetch-site": "cross-site"}, False),
        (HERE, {"sec-fetch-site": "same-site"}, False),
        *(
            (HERE, {name: "x"}, False)
            for name in (
                "X-Forwarded-For", "x-forwarded-host", "X_Forwarded_For", "Forwarded", "X-Real-IP", "Via",
                "CF-Connecting-IP", "CF-Ray", "True-Client-IP", "X-Client-IP", "X-Cluster-Client-IP",
                "Fastly-Client-IP", "X-Original-Forwarded-For", "Tailscale-User-Login", "CDN-Loop",
                "X-Azure-ClientIP", "X-Request-Id", "X-Amzn-Trace-Id", "Traceparent", "X-B3-TraceId",
                "Front-End-Https", "Remote-User", "X-SSL-Client-Verify", "Max-Forwards", "Proxy-Connection",
                "X-Varnish", "X-Scheme", "Early-Data", "X-Nobody-Has-Thought-Of-Yet", "Host_",
            )
        ),
        # what curl, a browser's fetch and navigation, Python, Node, Go, and WebSockets send by themselves
        *(
            (HERE, dict.fromkeys(names.split(), "x") | {"sec-fetch-site": "same-origin"}, True)
            for names in (
                "User-Agent Accept Content-Type Content-Length Authorization Expect Range If-None-Match",
                "Sec-Ch-Ua Sec-Ch-Ua-Mobile Sec-Ch-Ua-Platform Sec-Fetch-Mode Sec-Fetch-Dest Sec-Fetch-User "
                "Upgrade-Insecure-Requests Accept-Language Accept-Encoding Cache-Control Pragma Referer DNT "
                "Sec-GPC Priority TE Cookie Connection Sec-Fetch-Storage-Access",
                "Upgrade Connection HTTP2-Settings Transfer-Encoding",
                "Upgrade Connection Sec-WebSocket-Key Sec-WebSocket-Version Sec-WebSocket-Extensions "
                "Sec-WebSocket-Protocol Pragma Cache-Control User-Agent",
            )
        ),
    ],
)  # fmt: skip
def test_who_counts_as_a_program_of_this_host(address: Any, headers: dict[str, str], local: bool) -> None:
    """Old scripts on the host need no token; pages of other sites and whoever comes by a proxy do."""
    peers = Peers(hosts=["realm.example"], origins=["*", "null", "https://friend.example"])
    assert peers.of(address, sent(SELF | headers)).local is local


@pytest.mark.parametrize(
    ("address", "source", "network"),
    [
        ("198.51.100.7", "198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
    ],
)
def test_what_one_host_can_have_for_addresses_is_one(address: str, source: str, network: str) -> None:
    """An IPv6 host chooses among 2^64 addresses, which limits count as one."""
    peer = Peers().of(IPv6Address("TCP", address, 1), {})
    assert (peer.source, peer.network) == (source, network)


@pytest_twisted.ensureDeferred
async def test_a_name_that_is_not_the_realms_gets_421(tmp_path: Path) -> None:
    """With its names configured, a page that rebinds its own name to the realm's address is told nothing."""
    server = {"public_url": "https://realm.example", "hosts": ("alias.example",)}
    async with realm_up(tmp_path, server={"port": 0, **server}) as realm:
        for host, status in {
            "realm.example": 200, "REALM.example:443": 200, "alias.example": 200, "localhost": 200,
            "127.0.0.1:18800": 200, "192.0.2.7": 200, "[2001:db8::1]:80": 200,
            "evil.example": 421, "realm.example.evil.example": 421, "x y": 400,
        }.items():  # fmt: skip
            wire = await realm.wire()
            wire.write(f"GET /health/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert (host, (await wire.answer()).status) == (host, status)
        assert await realm.metric("realmd_misdirected_total") == 2
    async with realm_up(tmp_path / "any") as realm:
        assert (await realm.http("GET", "/health/live", host="anything.example")).status == 200


V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command: int, family: int, addresses: bytes) -> bytes:
    return V2 + bytes((0x20 | command, family)) + len(addresses).to_bytes(2, "big") + addresses


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"PROXY TCP4 198.51.100.7 127.0.0.1 5678 80\r\n", "198.51.100.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 5678 80\r\n", "2001:db8::7"),
        (b"PROXY TCP4 127.0.0.1 127.0.0.1 5678 80\r\n", "127.0.0.1"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (v2(1, 0x11, bytes((198, 51, 100, 7, 127, 0, 0, 1, 22, 46, 0, 80))), "198.51.100.7"),
        (v2(1, 0x21, bytes.fromhex("20010db8" + "00" * 11 + "07") + b"\0" * 16 + b"\0\1\0\2"), "2001:db8::7"),
        (v2(0, 0, b""), "127.0.0.1"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_proxy_header_tells_who_it_is(tmp_path: Path, header: bytes, address: str) -> None:
    """The PROXY protocol, versions 1 and 2, in one piece or many; never is such a client a local program."""
    server = {"port": 0, "proxy_protocol": True, "trusted_proxies": ("127.0.0.1",)}
    async with realm_up(tmp_path, server=server) as realm:
        seen = []
        of = realm.factory.door.guard.peers.of

        def watch(*given: Any) -> Any:
            seen.append(of(*given))
            return seen[-1]

        realm.factory.door.guard.peers.of = watch  # type: ignore[method-assign]
        whole = header + request("GET", "/health/live", connection="close")
        for pieces in ([whole], [whole[at : at + 1] for at in range(len(whole))]):
            wire = await realm.wire()
            for piece in pieces:
                wire.write(piece)
            assert (await wire.answer()).json == {"status": "alive"}
        assert {(peer.address, peer.local) for peer in seen} == {(address, False)}


@pytest.mark.parametrize(
    "sent",
    [
        request("GET", "/health/live"),
        b"PROXY TCP4 nonsense 127.0.0.1 1 2\r\n" + request("GET", "/health/live"),
        b"PROXY " + b"x" * 200,
        v2(1, 0x11, b"\1\2"),
        V2 + b"\x21\x11\xff\xff",
        b"PRO",
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_proxy_that_does_not_say_who_it_is_gets_no_answer(tmp_path: Path, sent: bytes) -> None:
    """Without a good header in time, nothing is done on the connection; others are served on."""
    server = {
        "port": 0,
        "proxy_protocol": True,
        "trusted_proxies": ("127.0.0.1",),
        "handshake_timeout_s": 0.2,
    }
    async with realm_up(tmp_path, server=server) as realm:
        wire = await realm.wire()
        wire.write(sent)
        assert await wire.end() == b""
        assert len(realm.logged("PROXY header")) == 1
        wire = await realm.wire()
        wire.write(b"PROXY UNKNOWN\r\n" + request("GET", "/health/live", connection="close"))
        assert (await wire.answer()).status == 200
        await wire.end()
        assert realm.factory.open == 0


@pytest_twisted.ensureDeferred
async def test_a_stranger_may_not_send_a_proxy_header(tmp_path: Path) -> None:
    """From an address that is no proxy, the header is a malformed request."""
    server = {"port": 0, "proxy_protocol": True, "trusted_proxies": ("192.0.2.1",)}
    async with realm_up(tmp_path, server=server) as realm:
        wire = await realm.wire()
        wire.write(b"PROXY TCP4 198.51.100.7 127.0.0.1 5678 80\r\n" + request("GET", "/health/live"))
        assert (await wire.answer()).status == 400
        assert (await realm.http("GET", "/health/live")).status == 200


@pytest_twisted.ensureDeferred
async def test_a_flood_through_a_proxy_is_its_clients(tmp_path: Path) -> None:
    """Who floods is named, over however many connections it comes; the others behind the proxy are served."""
    server = {"port": 0, "trusted_proxies": ("127.0.0.1",)}
    limits = {"address_rate": 5.0, "burst_s": 1.0, "flood_refusals": 5}
    async with realm_up(tmp_path, server=server, limits=limits) as realm:
        flood = [await realm.http("GET", "/api/room", x_forwarded_for="198.51.100.7") for _ in range(40)]
        assert {answer.status for answer in flood} == {200, 429}
        assert {event["peer"] for event in realm.logged("flood door={door}")} == {"198.51.100.7"}
        assert (await realm.http("GET", "/api/room", x_forwarded_for="192.0.2.99")).status == 200
