"""What a door may send: HTTP answers, frames, lines, each well-formed to the last byte."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, Final

from ..framing import CLOSE, DEFLATED, PING, PONG, TEXT
from .cases import Case

_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d) [ -~]+")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): *([ -~]*)")
#: What the realm closes WebSockets with.
CODES: Final = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1013}
#: What messages a witness sends in private begin with; nobody else ever gets to see it.
SECRET: Final = b"for-bob-only"
_INFLATED: Final = 1 << 24


class Wrong(AssertionError):
    """The realm answered what it may not."""


class Cut(Exception):
    """There should be more."""


def check(case: Case, got: bytes, reset: bool) -> None:
    """Raise `Wrong` unless `got` is what `case` may be sent; with `reset`, its end may be missing."""
    if SECRET in got:
        raise Wrong("a message in private")
    try:
        if case.door == "control":
            _lines(got)
        else:
            _connection(case, got)
    except Cut as cut:
        if not reset:
            raise Wrong(f"ends in the middle: {cut}") from None


def _lines(got: bytes) -> None:
    *lines, rest = got.split(b"\n")
    for line in lines:
        told = _json(line)
        if told.get("v") != 1 or told.get("ok") not in (True, False):
            raise Wrong(f"no answer: {line!r}")
        _innocent(told)
    if rest:
        raise Cut(rest)


def _connection(case: Case, got: bytes) -> None:
    """HTTP answers, and frames after a 101."""
    at = count = 0
    headless = b"HEAD" in b"".join(case.pieces)
    while at < len(got):
        status, headers, at = _head(got, at)
        if status == 101:
            return _frames(got, at, b"permessage-deflate" in headers.get(b"sec-websocket-extensions", b""))
        if status == 100:
            continue
        count += 1
        size = int(headers.get(b"content-length", b"0"))
        if headless and (got.startswith(b"HTTP/1.", at) or at == len(got)):
            size = 0
        body, at = got[at : at + size], at + size
        if len(body) < size:
            raise Cut(body[:200])
        if status >= 500 and status != 503:
            raise Wrong(f"{status}: {body!r}")
        if b"json" in headers.get(b"content-type", b"") and b"content-encoding" not in headers and body:
            _innocent(_json(body))
    if case.answers is not None and count != case.answers:
        raise Wrong(f"{count} answers, not {case.answers}: {got[-500:]!r}")
    return None


def _head(got: bytes, at: int) -> tuple[int, dict[bytes, bytes], int]:
    end = got.find(b"\r\n\r\n", at)
    if end < 0:
        raise Cut(got[at : at + 200])
    first, *lines = got[at:end].split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise Wrong(f"no status line: {first[:200]!r}")
    headers: dict[bytes, bytes] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise Wrong(f"no header: {line[:200]!r}")
        headers[header[1].lower()] = header[2]
    return int(status[1]), headers, end + 4


def _frames(got: bytes, at: int, deflate: bool) -> None:
    """Frames of a server, until the end or a close (RFC 6455, section 5)."""
    while at < len(got):
        head = got[at : at + 2]
        if len(head) < 2:
            raise Cut(head)
        opcode, size, at = head[0] & 0x0F, head[1], at + 2
        if size > 125:  # the highest bit would be a mask, which servers do not use
            if size not in (126, 127):
                raise Wrong(f"masked: {head!r}")
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(got[at : at + width], "big"), at + width
        payload, at = got[at : at + size], at + size
        if len(payload) < size:
            raise Cut(payload[:200])
        if head[0] & 0x30 or not head[0] & 0x80 or opcode not in (TEXT, CLOSE, PING, PONG):
            raise Wrong(f"frame {head!r}")
        if opcode != TEXT and (size > 125 or head[0] & DEFLATED):
            raise Wrong(f"control frame {head!r}")
        if opcode == CLOSE:
            return _close(payload, got[at:])
        if opcode == TEXT:
            if head[0] & DEFLATED:
                if not deflate:
                    raise Wrong("deflated, unasked")
                payload = zlib.decompressobj(wbits=-15).decompress(payload + b"\0\0\xff\xff", _INFLATED)
            _message(_json(payload))
    return None


def _close(payload: bytes, rest: bytes) -> None:
    if rest:
        raise Wrong(f"after the close: {rest[:200]!r}")
    if payload and int.from_bytes(payload[:2], "big") not in CODES:
        raise Wrong(f"closed with {payload!r}")
    payload[2:].decode()


def _message(told: dict[str, Any]) -> None:
    if not isinstance(told.get("type"), str):
        raise Wrong(f"no type: {told}")
    _innocent(told)


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text.decode())
    except ValueError as error:
        raise Wrong(f"no JSON: {error}: {text[:500]!r}") from None
    if not isinstance(found, dict):
        raise Wrong(f"no object: {text[:500]!r}")
    return found


def _innocent(told: dict[str, Any]) -> None:
    """An answer in which the realm does not confess to a mistake."""
    if "internal_error" in (told.get("code"), told.get("error"), told.get("message")):
        raise Wrong(f"a mistake: {told}")
