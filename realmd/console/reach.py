"""What `realmctl doctor` looks at outside the realm: the proxy in front, its certificate, the relays."""

from __future__ import annotations

import base64
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ..settings import Config
from .finding import Finding, judged

#: Longest wait (s) for anything outside.
PATIENCE: Final = 5.0
#: Days before its end at which a certificate should have been renewed; certbot does at 30.
RENEWED: Final = 14
MOST_HEAD: Final = 16_384


def examine(config: Config, now: float) -> Iterator[Finding]:
    """Everything outside; `now` in s since the epoch."""
    if config.server.public_url:
        yield believed(config)
        yield from proxy(config.server.public_url, now)
    for relay in config.room.relays:
        yield reachable(relay)


def believed(config: Config) -> Finding:
    """Whether clients are told apart behind a proxy: limits and fail2ban go by their addresses."""
    direct = bool(config.server.tls_certificate) or bool(config.server.trusted_proxies)
    return judged(
        "proxy", direct, "clients are told apart by their own addresses",
        "no proxy is believed: behind one, all clients count as one",
        'In realmd.toml: [server] trusted_proxies = ["127.0.0.1"]', "warning",
    )  # fmt: skip


def proxy(url: str, now: float, context: ssl.SSLContext | None = None) -> Iterator[Finding]:
    """Whether people get to the realm by its public address, WebSockets too."""
    parts = urlsplit(url)
    try:
        with _connected(parts, context) as stream:
            if isinstance(stream, ssl.SSLSocket):
                yield _certificate(stream, now)
            status = _asked(stream, parts, "/health/live", {"Connection": "close"})
        yield judged(
            "proxy", status == 200, f"{url} leads to the realm", f"{url}/health/live answers {status}",
            "nginx -t && systemctl reload nginx",
        )  # fmt: skip
        upgrade = {
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        }  # fmt: skip
        with _connected(parts, context) as stream:
            status = _asked(stream, parts, "/ws", upgrade)
        yield judged(
            "proxy", status == 101, "WebSockets pass", f"WebSockets do not pass: {url}/ws answers {status}",
            "The proxy must pass on the headers Upgrade and Connection, as realm-setup's site does",
        )  # fmt: skip
    except ssl.SSLCertVerificationError as error:
        yield Finding("certificate", "wrong", f"{url}: {error.verify_message}", "certbot renew")
    except (OSError, ValueError) as error:
        yield Finding("proxy", "wrong", f"{url}: {error}", "systemctl status nginx; ufw status")


def reachable(relay: str) -> Finding:
    """Whether a relay can be connected to, and, over TLS, is the one that is meant."""
    try:
        with _connected(urlsplit(relay), None):
            return Finding("relay", "ok", f"{relay} can be reached")
    except (OSError, ValueError) as error:
        text = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
        return Finding(
            "relay", "warning", f"{relay}: {text}", "Take it out of room.relays if it is gone for good."
        )


def _connected(parts: SplitResult, context: ssl.SSLContext | None) -> socket.socket:
    secure = parts.scheme in ("https", "wss")
    host = parts.hostname or ""
    plain = socket.create_connection((host, parts.port or (443 if secure else 80)), PATIENCE)
    if not secure:
        return plain
    try:
        return (context or ssl.create_default_context()).wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _asked(stream: socket.socket, parts: SplitResult, path: str, headers: dict[str, str]) -> int:
    """The status that a GET of `path` below the address is answered with."""
    lines = [f"GET {parts.path.rstrip('/')}{path} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    stream.sendall("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n" not in head and len(head) < MOST_HEAD and (more := stream.recv(4096)):
        head += more
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        raise ValueError("no HTTP is spoken there")
    return int(words[1])


def _certificate(stream: ssl.SSLSocket, now: float) -> Finding:
    told = stream.getpeercert() or {}
    days = (ssl.cert_time_to_seconds(str(told["notAfter"])) - now) / 86_400
    return judged(
        "certificate", days >= RENEWED, f"valid for {days:.0f} days", f"ends in {days:.0f} days",
        "certbot renew; systemctl list-timers certbot", "warning" if days > 3 else "wrong",
    )  # fmt: skip
