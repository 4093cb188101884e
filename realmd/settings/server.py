"""Settings of the doors."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .base import AN_ADDRESS, PATH, WEB, Bytes, Seconds, Section, WebOrigin

Proxy = Annotated[
    str,
    Meta(
        pattern=r"^(unix|[0-9A-Fa-f.:]+(/[0-9]{1,3})?)$",
        extra={"allowed": 'addresses and networks like "127.0.0.1" or "10.0.0.0/8", or "unix"'},
    ),
]
HostName = Annotated[
    str,
    Meta(
        pattern=r"^(\*|[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?)$",
        max_length=253,
        extra={"allowed": 'host names without a port, or "*" for any'},
    ),
]


class Server(Section, frozen=True):
    """The doors: where clients connect, and what bounds each of them."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=255,
            pattern=r"^\S+$",
            description="Interface to listen on.",
            extra={"allowed": 'an IP address or a host name ("0.0.0.0" and "::" are every interface)'},
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="TCP port; 0 takes any that is free.")] = 18_800
    public_url: Annotated[
        str,
        Meta(
            pattern=WEB,
            description="Address that clients are told; empty: made of host and port.",
            extra=AN_ADDRESS,
        ),
    ] = ""
    hosts: Annotated[
        tuple[HostName, ...],
        Meta(
            max_length=64,
            description="Names that requests may be for, besides public_url's, loopback names and addresses; "
            "others get 421.  Empty, and no public_url: any.",
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[Proxy, ...],
        Meta(max_length=256, description="Proxies that are believed when they say who the client is."),
    ] = ()
    forwarded_header: Annotated[
        Literal["x-forwarded-for", "forwarded", "x-real-ip"],
        Meta(description="The header in which they say so; no other is believed."),
    ] = "x-forwarded-for"
    proxy_protocol: Annotated[
        bool, Meta(description="Their connections begin with a PROXY header (version 1 or 2).")
    ] = False
    tls_certificate: Annotated[
        str,
        Meta(
            pattern=PATH,
            description="PEM file of the certificate, with what signed it after it; empty: no TLS here.",
            extra={"allowed": "a path, or nothing"},
        ),
    ] = ""
    tls_key: Annotated[
        str,
        Meta(
            pattern=PATH,
            description="PEM file of its private key, which nobody else may read.",
            extra={"allowed": "a path, or nothing"},
        ),
    ] = ""
    cors_origins: Annotated[
        tuple[WebOrigin, ...],
        Meta(
            max_length=64,
            description="Web pages that may talk to the realm, over HTTP and WebSocket, by their origin.",
        ),
    ] = ("*",)
    max_connections: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Connections open at once; more are refused.")
    ] = 2000
    idle_timeout_s: Annotated[
        Seconds, Meta(description="An HTTP connection on which nothing comes for so long is closed.")
    ] = 75.0
    handshake_timeout_s: Annotated[
        Seconds, Meta(description="A WebSocket handshake, opening or closing, may take so long.")
    ] = 10.0
    ping_interval_s: Annotated[Seconds, Meta(description="How often each WebSocket is pinged.")] = 25.0
    ping_timeout_s: Annotated[
        Seconds, Meta(description="A WebSocket that leaves a ping unanswered for so long is closed.")
    ] = 20.0
    body_bytes: Annotated[Bytes, Meta(description="The largest HTTP request body.")] = 65_536
    message_bytes: Annotated[Bytes, Meta(description="The largest WebSocket message a client may send.")] = (
        65_536
    )
    outbox_bytes: Annotated[
        int, Meta(ge=65_536, le=268_435_456, description="What may wait to be sent to one client.")
    ] = 1_048_576
    outbox_patience_s: Annotated[
        Seconds, Meta(description="A client whose outbox stays full for so long is closed.")
    ] = 10.0
    compression: Annotated[bool, Meta(description="Offer permessage-deflate to WebSocket clients.")] = True

    def url(self, port: int | None = None) -> str:
        """The address clients are told, without a slash at its end; `port` is the one really bound."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        scheme = "https" if self.tls_certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port if port is None else port}"
