"""Where a request comes from: the client's address behind proxies, and whether it is a local program.

What a client says about its own address is believed only if a proxy says it that the
configuration names; then the rightmost address that is no such proxy is the client's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final

from msgspec import Struct
from twisted.internet.address import UNIXAddress

#: What a client over a Unix socket has for an address.
UNIX: Final = "unix"
#: Characters of an address as text, an IPv4 one in IPv6's clothes.
LONGEST_ADDRESS: Final = 45
#: Characters of a host: a name (RFC 1035, 2.3.4) or an address in brackets, a port, and some to spare.
LONGEST_HOST: Final = 300
MOST_PORT: Final = 65_535
#: Hops of a forwarding header that are looked at, from the right.
MOST_HOPS: Final = 16
#: Bits of the network that an address belongs to, by IP version, and of what one host has for itself.
NETWORK_BITS: Final = {4: 24, 6: 48}
SOURCE_BITS: Final = {4: 32, 6: 64}

#: What curl, wget, browsers, the HTTP and WebSocket libraries of Python, Node, Go and Java send by
#: themselves, and what a request cannot do without.  A header of any other name may be a proxy's, which
#: stands before somebody; of those there is no end, so they are not listed.
_PLAIN: Final = frozenset(
    b"""
    accept accept-charset accept-encoding accept-language access-control-request-headers
    access-control-request-method access-control-request-private-network alt-used authorization
    cache-control connection content-encoding content-length content-type cookie dnt expect host
    http2-settings if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive
    last-event-id origin pragma priority purpose range referer save-data te trailer transfer-encoding
    upgrade upgrade-insecure-requests user-agent
    """.split()
)
#: Families of them; a page's scripts can set none of these.
_PLAIN_FAMILIES: Final = (b"sec-ch-", b"sec-fetch-", b"sec-websocket-", b"sec-gpc", b"sec-purpose")
#: A name or an address, and a port (RFC 3986, 3.2.2, without a comma, which would make it a list).
_HOST: Final = re.compile(
    r"(?:\[([0-9a-f]*:[0-9a-f:.]+)\]|([\w.~!$&'()*+;=%-]+))(?::(\d{0,5}))?", re.ASCII | re.IGNORECASE
)
_FOR: Final = re.compile(r'(?:^|[;\s])for="?([^";,\s]+)', re.IGNORECASE)


@lru_cache(1024)
def _strange(name: bytes) -> bool:
    """Whether a header of this name (lower case) may be a proxy's."""
    return name not in _PLAIN and not name.startswith(_PLAIN_FAMILIES)


class Peer(Struct, frozen=True):
    """Who is at the other end: `address` without a port, its `network` (/24, IPv6: /48) as CIDR.

    `local`: a program on the realm's own host, not a page of another site and not behind a
    proxy.  Both are "unix" for a client of the Unix socket.
    """

    address: str
    network: str
    local: bool = False

    @property
    def source(self) -> str:
        """What limits count as one address: an IPv6 host has a whole /64 to choose from."""
        return _shape(self.address)[0]


class Relayed(Struct, frozen=True):
    """The address that a PROXY header told (`gateway.wrapping`); never local, whatever it says."""

    host: str
    port: int = 0
    type: str = "TCP"


class Peers:
    """Tells who is at the other end of a connection.

    `proxies`: addresses and networks ("10.0.0.0/8", "unix") whose `header` is believed;
    ValueError if one is none.  `hosts`: names that the realm has besides the loopback ones.
    `origins`: sites whose pages count as programs of this host (`*` and `null` name nobody).
    With `locals_` False nobody is local.
    """

    def __init__(
        self,
        proxies: Iterable[str] = (),
        header: str = "x-forwarded-for",
        hosts: Iterable[str] = (),
        origins: Iterable[str] = (),
        locals_: bool = True,
    ) -> None:
        proxies = frozenset(proxies)
        self._unix_proxy = UNIX in proxies
        self._proxies = [network_of(proxy) for proxy in proxies - {UNIX}]
        self._header = header.lower()
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origins) - {"*", "null"}
        self._locals = locals_

    def of(self, transport_address: Any, headers: Mapping[bytes, Sequence[bytes]]) -> Peer:
        """The peer of one request: by what `getPeer()` says, and the headers by lower-case names."""
        unix = isinstance(transport_address, UNIXAddress) or transport_address == UNIX
        near = UNIX if unix else plain(getattr(transport_address, "host", transport_address))
        relayed = isinstance(transport_address, Relayed)
        # Several lines of one name are one list (RFC 9110, 5.3).
        given = {name: b",".join(values).decode("latin-1") for name, values in headers.items()}
        if any(map(_strange, given)):
            return peer_at(self._client(near, given.get(self._header.encode(), "")))
        local = self._locals and not relayed and (unix or _shape(near)[2]) and self._is_program(given)
        return peer_at(near, local)

    def trusts(self, address: str) -> bool:
        """Whether `address` is one of a configured proxy."""
        if address == UNIX:
            return self._unix_proxy
        if not self._proxies:
            return False
        parsed = parse(address)
        return parsed is not None and any(parsed in network for network in self._proxies)

    def _client(self, near: str, chain: str) -> str:
        """The rightmost address of `chain` that is no proxy of ours; `near` if nobody of trust says it."""
        client = near
        for hop in reversed(chain.split(",")[-MOST_HOPS:]):
            if not self.trusts(client):
                break
            if self._header == "forwarded":
                found = _FOR.search(hop)
                hop = found[1] if found else ""
            parsed = parse(without_port(hop.strip()))
            if parsed is None:  # "unknown", or nonsense: what stands before it proves nothing
                break
            client = str(parsed)
        return client

    def _is_program(self, given: Mapping[bytes, str]) -> bool:
        """Whether nothing tells of a page of another site (cross-site request, DNS rebinding)."""
        host = given.get(b"host", "")
        name = host_name(host)
        if name is None or not (is_loopback(name) or name in self._hosts):
            return False
        origin = given.get(b"origin")
        if origin is None:
            return given.get(b"sec-fetch-site", "none") in ("none", "same-origin")
        return origin in self._origins or origin.lower().partition("://")[2] == host.lower()


@lru_cache(4096)
def _shape(address: str) -> tuple[str, str, bool]:
    """What counts as one host, its network, and whether it is a loopback address."""
    parsed = parse(address)
    if parsed is None:
        return address, address, False
    bits = NETWORK_BITS[parsed.version]
    network = str(ipaddress.ip_network((parsed, bits), strict=False))
    wide = SOURCE_BITS[parsed.version]
    source = (
        str(ipaddress.ip_network((parsed, wide), strict=False)) if wide < parsed.max_prefixlen else address
    )
    return source, network, parsed.is_loopback


def peer_at(address: str, local: bool = False) -> Peer:
    """The peer at `address`."""
    return Peer(address, _shape(address)[1], local)


def parse(text: str) -> IPv4Address | IPv6Address | None:
    """An address, without its zone, and as IPv4 if it is one in IPv6's clothes; None if it is none."""
    text = text.partition("%")[0]
    return _parsed(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(4096)  # it takes longer than anything else that is done for a connection
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(4096)
def plain(text: str) -> str:
    """`text` in the one way that its address is written here; unchanged if it is none."""
    return str(parse(text) or text)


def network_of(text: str) -> IPv4Network | IPv6Network:
    """An address or a network in CIDR notation; ValueError if `text` is neither."""
    return ipaddress.ip_network(text, strict=False)


def without_port(text: str) -> str:
    """`text` without a port and brackets, if it has them."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def host_name(host: str) -> str | None:
    """The name in a Host header, in lower case, without port and final dot; None if it is no host."""
    return _host_name(host) if len(host) <= LONGEST_HOST else None


@lru_cache(1024)
def _host_name(host: str) -> str | None:
    found = _HOST.fullmatch(host)
    if found is None or int(found[3] or 0) > MOST_PORT:
        return None
    address, name = found[1], found[2]
    if address is not None:
        return address.lower() if _parsed(address) is not None else None
    return name.lower().removesuffix(".") or None


@lru_cache(1024)
def is_loopback(name: str) -> bool:
    """Whether `name` is this host's for itself (RFC 6761, 6.3, and the addresses)."""
    address = parse(name)
    if address is not None:
        return address.is_loopback
    return name == "localhost" or name.endswith(".localhost")
