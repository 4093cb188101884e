"""A whole realm in this process, and a client that speaks to it over real sockets."""

from __future__ import annotations

import json
import signal
import socket as sockets
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from msgspec import Struct
from msgspec.structs import replace
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from realmd import settings, tap
from realmd.gateway import listening
from realmd.gateway.factory import DoorFactory
from realmd.gateway.websocket import Gateway
from realmd.runtime.daemon import Daemon
from realmd.settings.reading import Config
from realmd.world.atlas import Atlas, parse

from .framing import CLOSE, TEXT, frame, ipc, request, upgrade

reactor: Any = _reactor
MAP: Final = Path(__file__).resolve().parent.parent / "etc" / "realmd" / "world.toml"
#: No test waits for this to pass (s): it ends one that would hang.
HANGS: Final = 20.0


class Answer(Struct):
    """One HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire(Protocol):
    """A TCP connection that is read like a file."""

    def __init__(self) -> None:
        self.buffer = b""
        self.ended: str | None = None
        self._ready: Callable[[], bool] | None = None
        self._waiter: Deferred[None] | None = None

    def dataReceived(self, data: bytes) -> None:
        self.buffer += data
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended = reason.type.__name__ if reason.type else "?"
        self._look()

    def _look(self) -> None:
        if self._waiter is not None and self._ready is not None and (self._ready() or self.ended):
            waiter, self._waiter = self._waiter, None
            waiter.callback(None)

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready()`; EOFError when the connection ends before."""
        if not ready() and self.ended is None:
            self._ready, self._waiter = ready, Deferred()
            await self._waiter.addTimeout(HANGS, reactor)
        if not ready():
            raise EOFError(f"{self.ended} after {self.buffer[:200]!r}")

    def write(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def hang_up(self) -> None:
        assert self.transport is not None
        if self.ended is None:  # TLS takes it only once
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def pause(self) -> None:
        """Read nothing any more."""
        self.transport.pauseProducing()  # type: ignore[union-attr]

    async def take(self, size: int) -> bytes:
        await self.until(lambda: len(self.buffer) >= size)
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    async def line(self) -> bytes:
        await self.until(lambda: b"\r\n" in self.buffer)
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    async def end(self) -> bytes:
        """Everything until the other side closes."""
        await self.until(lambda: self.ended is not None)
        return self.buffer

    async def answer(self, head: bool = False) -> Answer:
        """The next HTTP answer; `head` when its body is not sent."""
        status = int((await self.line()).split(b" ")[1])
        headers: dict[str, str] = {}
        while line := await self.line():
            name, _, value = line.partition(b":")
            headers[name.decode().lower()] = value.strip().decode()
        size = 0 if head else int(headers.get("content-length", "0"))
        return Answer(status, headers, await self.take(size))


class Socket:
    """A WebSocket client that can also misbehave: it frames by hand (RFC 6455, section 5.2)."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._mark = 0

    def frame(self, opcode: int, payload: bytes = b"", fin: bool = True, mask: bool = True) -> None:
        self.wire.write(frame(opcode, payload, fin, mask))

    def send(self, message: Any) -> None:
        self.frame(TEXT, message if isinstance(message, bytes) else json.dumps(message).encode())

    async def receive(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        first, size = await self.wire.take(2)
        if size >= 126:
            size = int.from_bytes(await self.wire.take(2 if size == 126 else 8), "big")
        payload = await self.wire.take(size)
        if first & 0x40:  # deflated, standing alone (RFC 7692)
            payload = zlib.decompress(payload + b"\0\0\xff\xff\3\0", wbits=-15)
        return first & 0x0F, payload

    async def next(self, *kinds: str) -> Any:
        """The next message of one of these types, or the next at all."""
        while True:
            opcode, payload = await self.receive()
            if opcode == CLOSE:
                raise EOFError(f"closed {payload!r}")
            if opcode == TEXT and (not kinds or json.loads(payload)["type"] in kinds):
                return json.loads(payload)

    async def event(self, world_type: str) -> Any:
        """The next world message of this worldType."""
        while True:
            message = (await self.next("world", "private"))["message"]
            if message["worldType"] == world_type:
                return message

    async def ask(self, command: str, **args: Any) -> Any:
        """The ack of a command.  (`clawhub-publish` has an `id` of its own: it is acknowledged by that.)"""
        self._mark += 1
        message = {"type": command, "id": self._mark, **args}
        self.send(message)
        while (ack := await self.next("ack"))["id"] != message["id"]:
            pass
        return ack

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the close frame that ends it; nothing follows it."""
        while True:
            opcode, payload = await self.receive()
            if opcode == CLOSE:
                return struct.unpack("!H", payload[:2])[0], payload[2:].decode()


class Running(Struct):
    """A realm that runs."""

    daemon: Daemon
    factory: DoorFactory
    port: int
    log: list[dict[str, Any]]
    wires: list[Wire]

    @property
    def gateway(self) -> Gateway:
        return self.factory.door.gateway

    async def wire(self) -> Wire:
        connecting = connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port), Wire())
        wire: Wire = await connecting.addTimeout(HANGS, reactor)
        self.wires.append(wire)
        return wire

    async def http(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """One request on a connection of its own."""
        wire = await self.wire()
        wire.write(request(method, path, body, connection="close", **headers))
        answer = await wire.answer(head=method == "HEAD")
        await wire.end()
        return answer

    async def ipc(self, command: str, **args: Any) -> Any:
        """The JSON that POST /ipc answers."""
        return (await self.http("POST", "/ipc", ipc(command, **args))).json

    async def socket(self, path: str = "/ws") -> Socket:
        """A WebSocket, after its handshake."""
        wire = await self.wire()
        wire.write(upgrade(path))
        answer = await wire.answer()
        assert answer.status == 101, answer
        return Socket(wire)

    def logged(self, words: str) -> list[dict[str, Any]]:
        """The log events whose format has these words."""
        return [event for event in self.log if words in (event.get("log_format") or "")]

    async def metric(self, name: str) -> float:
        text = (await self.http("GET", "/metrics")).body.decode()
        return float(next(line.split()[1] for line in text.splitlines() if line.split()[0] == name))


async def turn() -> None:
    """Let the reactor go round once."""
    done: Deferred[None] = Deferred()
    reactor.callLater(0, done.callback, None)
    await done


def narrow(realm: Running, *clients: Socket) -> None:
    """Give the way from the realm to WebSockets small buffers in the kernel, so that little is much."""
    for connection in realm.gateway.connections:
        connection.transport.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 4096)
    for client in clients:
        line: Any = client.wire.transport
        line.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)


def atlas(inhabited: bool = False) -> Atlas:
    """The map that comes with realmd, without its inhabitants unless asked for."""
    whole = parse(MAP.read_text("utf-8"), str(MAP))
    return whole if inhabited else replace(whole, inhabitants={})


def config(tmp_path: Path, **overrides: dict[str, Any]) -> Config:
    """Short ticks, a free port, fast walkers; `overrides` are fields of sections."""
    given: dict[str, dict[str, Any]] = {
        "server": {"port": 0},
        "world": {"tick_ms": 20, "walk_speed": 100.0, "seed": 1},
        "storage": {"state_dir": str(tmp_path / "var")},
        "plugins": {"dir": ""},
    }
    for section, fields in overrides.items():
        given[section] = {**given.get(section, {}), **fields}
    sections: dict[str, Any] = {name: settings.SECTIONS[name](**fields) for name, fields in given.items()}
    return Config(**sections)


@asynccontextmanager
async def realm_up(tmp_path: Path, inhabited: bool = False, **overrides: Any) -> AsyncIterator[Running]:
    """A realm, running until the block ends."""
    log: list[dict[str, Any]] = []
    before = set(map(id, reactor.getReaders()))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    observer: Any = log.append
    globalLogPublisher.addObserver(observer)
    wires: list[Wire] = []
    daemon = tap.build(config(tmp_path, **overrides), atlas(inhabited), reactor)
    try:
        with patch.object(listening, "settle_memory"):  # the garbage collector is the whole process's
            daemon.startService()
            assert daemon._starting is not None
            await daemon._starting
        port: Any = next(
            r
            for r in reactor.getReaders()
            if IListeningPort.providedBy(r) and id(r) not in before and hasattr(r.getHost(), "port")
        )
        factory = port.factory
        while not isinstance(factory, DoorFactory):  # behind TLS, or the PROXY header
            factory = factory.wrappedFactory
        yield Running(daemon, factory, port.getHost().port, log, wires)
    finally:
        for wire in wires:  # the realm need not wait for clients that do not answer its goodbye
            wire.hang_up()
        if daemon.running:
            await daemon.stopService()
        globalLogPublisher.removeObserver(observer)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@asynccontextmanager
async def undisturbed(tmp_path: Path, **overrides: Any) -> AsyncIterator[Running]:
    """A realm with somebody in it who talks before and after, and must not notice anything."""
    async with realm_up(tmp_path, **overrides) as realm:
        bystander = await realm.socket()
        await bystander.ask("register", agentId="bystander")
        yield realm
        ack = await bystander.ask("world-chat", agentId="bystander", text="Lovely day")
        assert ack["ok"]
        assert (await realm.ipc("room-events", limit=1))["events"][0]["text"] == "Lovely day"
        assert (await realm.http("GET", "/health")).json["status"] in ("ok", "degraded")
        assert [event for event in realm.log if "log_failure" in event] == []


async def drained(wire: Wire) -> None:
    """Wait until all that was written has left this process."""
    transport: Any = wire.transport
    while transport.connected and (transport.dataBuffer or transport._tempDataLen):
        await turn()
