"""Two plain clients, HTTP with keep-alive and WebSocket, that share no code with the daemon."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import struct
from types import TracebackType
from typing import Any, Final, Self

#: Longest wait (s) for an answer.
PATIENCE: Final = 15.0


class Http:
    """One connection, kept open; `OSError` or `HTTPException` when it ends."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def ask(self, command: str, **args: Any) -> dict[str, Any]:
        """The answer of /ipc."""
        body = json.dumps({"command": command, "args": args}).encode()
        return self._request("POST", "/ipc", body)[1]

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of a page."""
        return self._request("GET", path)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        """Status and JSON of what was posted."""
        return self._request("POST", path, body, headers)

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        self._connection.request(method, path, body, headers or {})
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Closed(ConnectionError):
    """The server closed the WebSocket; `code` is what it said."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class WebSocket:
    """RFC 6455 as far as this server needs it; `OSError` when the connection ends."""

    def __init__(self, port: int, path: str = "/ws") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        status = self._reader.readline()
        if b" 101 " not in status:
            self.close()
            raise ConnectionError(f"no WebSocket: {status!r}")
        while self._reader.readline() not in (b"\r\n", b""):
            pass

    def send(self, **message: Any) -> None:
        self.frame(1, json.dumps(message).encode())

    def receive(self) -> dict[str, Any]:
        """The next message; raises `Closed` at the server's close frame."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == 1:
                message: dict[str, Any] = json.loads(payload)
                return message
            if opcode == 8:
                raise Closed(struct.unpack("!H", payload[:2])[0] if payload else 1005)
            if opcode == 9:
                self.frame(10, payload)

    def any_ack(self) -> dict[str, Any]:
        """The next acknowledgement; what comes before is passed over."""
        while (message := self.receive())["type"] != "ack":
            pass
        return message

    def ack(self, mark: int | str) -> dict[str, Any]:
        """The acknowledgement of the message with that id; what comes before is passed over."""
        while (message := self.any_ack())["id"] != mark:
            pass
        return message

    def ask(self, mark: int | str, command: str, **args: Any) -> dict[str, Any]:
        """Send a command, and wait for its acknowledgement."""
        self.send(type=command, id=mark, **args)
        return self.ack(mark)

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def frame(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0xFE, size)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self._socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def read_frame(self) -> tuple[int, bytes]:
        head, size = self._read(2)
        size &= 0x7F
        if size > 125:
            size = int.from_bytes(self._read(2 if size == 126 else 8), "big")
        return head & 0x0F, self._read(size)

    def _read(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) < size:
            raise ConnectionError("the connection ended")
        return data
