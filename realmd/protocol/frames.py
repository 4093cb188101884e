"""WebSocket frames of the server (RFC 6455, section 5.2): unmasked, whole, made once and shared."""

from __future__ import annotations

import struct


def text_frame(payload: bytes) -> bytes:
    """The final text frame that carries `payload` (UTF-8)."""
    return _frame(0x81, payload)


def deflated_frame(payload: bytes) -> bytes:
    """The final text frame of a message compressed as permessage-deflate has it (RFC 7692: RSV1)."""
    return _frame(0xC1, payload)


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload
