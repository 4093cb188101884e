"""A server of the classic protocol that shares no code with realmd, and does things in its own way.

Answers are chunked, keys come in another order, positions are shown at once to everybody,
and there is room for three.  It lives in a thread of the test.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
from types import TracebackType
from typing import Any

SEATS = 3


class ClassicServer:
    """A context manager; `url` is where it is, `commands` counts what was asked by name."""

    def __init__(self) -> None:
        self.url = ""
        self.commands: dict[str, int] = {}
        self._agents: set[str] = set()
        self._viewers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._live)

    def __enter__(self) -> ClassicServer:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _live(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
                if "upgrade" in fields:
                    key = head.split("Sec-WebSocket-Key: ", 1)[1].split("\r\n")[0]
                    await self._show(reader, writer, key)
                    return
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                status, answer = self._answer(head.split(" ", 2)[1], body)
                text = json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status)
                writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(text), text))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if path != "/ipc":
            return 404, {"error": "Not found"}
        asked = json.loads(body)
        command, args = asked["command"], asked["args"]
        self.commands[command] = self.commands.get(command, 0) + 1
        if command == "register":
            if len(self._agents) >= SEATS:
                return 200, {"error": f"Room is full ({SEATS} max)", "ok": False}
            self._agents.add(args["agentId"])
        if command == "world-move":
            self._tell({"message": {"timestamp": 1, **args, "worldType": "position"}, "type": "world"})
        return 200, {"ok": True}

    async def _show(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        accept = base64.b64encode(
            hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        )
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )
        self._viewers.add(writer)
        try:
            while await reader.read(1000):
                pass
        finally:
            self._viewers.discard(writer)

    def _tell(self, message: dict[str, Any]) -> None:
        text = json.dumps(message).encode()
        head = bytes([0x81, len(text)]) if len(text) < 126 else b"\x81\x7e" + len(text).to_bytes(2, "big")
        for viewer in self._viewers:
            viewer.write(head + text)
