"""What a client sends, made by hand, so that it can also be made wrong."""

from __future__ import annotations

import base64
import json
import os
from typing import Any, Final

TEXT, BINARY, CLOSE, PING, PONG, MORE = 1, 2, 8, 9, 10, 0
#: RSV1 of a deflated frame (RFC 7692).
DEFLATED: Final = 0x40


def ipc(command: str, **args: Any) -> bytes:
    """The body of POST /ipc."""
    return json.dumps({"command": command, "args": args}).encode()


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP request; `_` in the name of a header stands for `-`."""
    if body:
        headers.setdefault("content_length", str(len(body)))
    lines = [f"{method} {path} HTTP/1.1", f"Host: {headers.pop('host', 'localhost')}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def upgrade(path: str = "/ws", **headers: str) -> bytes:
    """The opening handshake of a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    asked = {"upgrade": "websocket", "connection": "Upgrade", "sec_websocket_key": key}
    return request("GET", path, b"", **{**asked, "sec_websocket_version": "13", **headers})


def frame(opcode: int, payload: bytes = b"", fin: bool = True, mask: bool = True) -> bytes:
    """One frame of a client (RFC 6455, section 5.2); `opcode` may carry the RSV bits."""
    size = len(payload)
    short = size if size < 126 else 126 if size < 65536 else 127
    head = bytes((opcode | (0x80 if fin else 0), short | (0x80 if mask else 0)))
    if short >= 126:
        head += size.to_bytes(2 if short == 126 else 8, "big")
    if not mask:
        return head + payload
    key = os.urandom(4)
    stream = (key * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return head + key + masked.to_bytes(size, "big")
