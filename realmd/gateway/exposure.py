"""To whom the realm is open by its settings: its names, the proxies it knows, and what that leaves unsafe."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ..settings.server import Server
from .peers import UNIX, Peers, is_loopback


def names_of(server: Server) -> set[str]:
    """The names that the realm answers to besides those of this host; "*" for any."""
    public = _public_name(server)
    return {*server.hosts, *((public,) if public else ())}


def peers_of(server: Server) -> Peers:
    """Who is at the other end, as the settings of [server] let it be believed."""
    return Peers(
        server.trusted_proxies, server.forwarded_header, names_of(server) - {"*"}, server.cors_origins,
        locals_=not _behind_unknown_proxy(server),
    )  # fmt: skip


def warnings(server: Server, *bound: str) -> Iterator[str]:
    """What somebody who starts the realm at the addresses `bound` should know."""
    beyond = [address for address in bound if address != UNIX and not is_loopback(address)]
    if beyond and not server.tls_certificate and not server.trusted_proxies:
        yield (
            f"listening at {', '.join(beyond)} without TLS and without a proxy: what clients send, "
            "their tokens too, can be read on the way; "
            "set server.tls_certificate, or server.trusted_proxies"
        )
    if _behind_unknown_proxy(server):
        yield (
            "server.public_url is elsewhere and server.trusted_proxies is empty: since strangers come "
            "by a proxy that the realm does not know, nobody counts as a program of this host"
        )
    if server.proxy_protocol and not server.trusted_proxies:
        yield "server.proxy_protocol is on and server.trusted_proxies is empty: nobody may send one"


def _public_name(server: Server) -> str | None:
    """The name in the realm's public address, if it has one."""
    return (urlsplit(server.public_url).hostname or "").removesuffix(".") or None


def _behind_unknown_proxy(server: Server) -> bool:
    """Whether others must come by a proxy, of which the configuration says nothing."""
    public = _public_name(server)
    elsewhere = public is not None and not is_loopback(public)
    return elsewhere and is_loopback(server.host) and not server.trusted_proxies
