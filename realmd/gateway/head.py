"""What the head of a request means: its target and Host (RFC 9112), codings (RFC 9110), and from which site.

Functions of what was sent alone, whatever has read it from the wire.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from typing import Final

from msgspec import Struct

from ..primitives.errors import Fault
from .peers import host_name

#: A target in absolute form: who is meant, and what of it (RFC 9112, 3.2.2).
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
#: Quality values above nothing (RFC 9110, 12.4.2).
_WANTED: Final = re.compile(r"1(?:\.0{0,3})?|0\.(?!0{1,3}$)\d{1,3}")


class BadHost(Fault):
    """A request that does not say, or not clearly, to whom it goes (HTTP 400); its connection ends."""

    def __init__(self) -> None:
        super().__init__("A request names one host, in a Host header")


class Head(Struct):
    """The head of a request; `version` is as "HTTP/1.1".

    `headers` are the values of all lines of each, by its name in lower case.
    """

    method: bytes
    target: bytes
    version: bytes
    headers: Mapping[bytes, Sequence[bytes]]

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]

    def all(self, name: bytes) -> Sequence[bytes]:
        """The values of all lines of a header."""
        return self.headers.get(name, ())

    def get(self, name: bytes) -> bytes | None:
        """The last of them, if there is one."""
        values = self.headers.get(name)
        return values[-1] if values else None

    def aim(self) -> None:
        """Let the target be without a host, and Host be who is meant; see `resolve`.  Raises `BadHost`."""
        self.target, host = resolve(self.target, self.all(b"host"), self.version)
        if host is not None:
            self.headers = {**self.headers, b"host": [host]}


def resolve(target: bytes, hosts: Sequence[bytes], version: bytes) -> tuple[bytes, bytes | None]:
    """The target without a host, and the host that is meant; None if none is named.

    `target` is that of the request line, `hosts` are the values of all its Host headers, `version` is as
    "HTTP/1.1".  Only before that version may Host be missing (RFC 9112, 3.2).  What an absolute target
    names counts instead of it.  Raises `BadHost`.
    """
    if len(hosts) > 1 or (not hosts and version != b"HTTP/1.0"):
        raise BadHost
    host = hosts[0] if hosts else None
    if host is not None and host_name(host.decode("latin-1")) is None:
        raise BadHost
    if (absolute := _ABSOLUTE.fullmatch(target)) is not None:
        host, rest = absolute.groups()
        if host_name(host.decode("latin-1")) is None:
            raise BadHost
        target = rest if rest.startswith(b"/") else b"/" + rest
    return target, host


def asks_for_websocket(upgrade: bytes | None, version: bytes) -> bool:
    """Whether a request wants to become a WebSocket.  HTTP/1.0 has no upgrades (RFC 9110, 7.8)."""
    return version == b"HTTP/1.1" and (upgrade or b"").strip().lower() == b"websocket"


def may_look_in(origins: Sequence[bytes], host: bytes | None, allowed: Set[bytes]) -> bool:
    """Whether a page of the site that `origins` names, the values of all Origin headers, may talk to `host`.

    `null`, of pages that are no site's, is a name as any other: allowed if it, or `*`, is.
    """
    if not origins or b"*" in allowed:
        return True
    if len(origins) > 1:
        return False
    _, scheme_ends, name = origins[0].partition(b"://")
    return origins[0] in allowed or (bool(scheme_ends) and name == host)


@lru_cache(256)
def accepts_gzip(accepted: bytes) -> bool:
    """Whether an Accept-Encoding header lets an answer be gzipped (RFC 9110, 12.5.3)."""
    weights: dict[str, bool] = {}
    for choice in accepted.decode("latin-1").lower().split(","):
        coding, *parameters = (part.strip() for part in choice.split(";"))
        given = [value for name, _, value in (part.partition("=") for part in parameters) if name == "q"]
        weights[coding.removeprefix("x-")] = all(map(_WANTED.fullmatch, given))
    return weights.get("gzip", weights.get("*", False))
