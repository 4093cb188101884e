"""What browsers are told to allow: headers of every answer, and of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .head import Head
from .peers import host_name

#: An answer that is no page may do nothing, whatever it holds (CSP level 3).
STRICT: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
#: The page may use itself: no inline code, no other site, and no text that becomes code in the
#: document (Trusted Types).
PAGE: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
UNUSED: Final = (
    b"accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), "
    b"magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), serial=(), usb=()"
)
#: A year (RFC 6797).  Only where the daemon itself speaks TLS: behind a proxy it is for that to say.
HSTS: Final = b"max-age=31536000"


def every_answer(secure: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Headers of every answer, unless it has set them itself; `secure`: it goes through our own TLS."""
    yield b"x-content-type-options", b"nosniff"
    yield from STRICT
    if secure:
        yield b"strict-transport-security", HSTS


def page_answer(head: Head) -> Iterator[tuple[bytes, bytes]]:
    """Headers of the page's files."""
    yield b"content-security-policy", page_policy(head.get(b"host"))
    yield b"referrer-policy", b"no-referrer"
    yield b"permissions-policy", UNUSED
    yield b"cross-origin-opener-policy", b"same-origin"


def page_policy(host: bytes | None) -> bytes:
    """The page's policy.  To some browsers 'self' is no WebSocket, so that has to be named."""
    name = (host or b"").decode("latin-1")
    good = host_name(name) is not None and not set(name) & set(" ;,'\"") and name.isascii()
    return PAGE.format(sockets=f" ws://{name} wss://{name}" if good else "").encode()
