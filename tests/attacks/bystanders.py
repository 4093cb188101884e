"""Ordinary clients of a realm that is attacked: they walk, talk, look on and come in.

    python -m tests.attacks.bystanders PORT

A process of its own, so that the attacker's work does not slow its clocks.  Each client comes from an
address of its own and does what it does by a timetable: how long it takes counts from when
it was due.  What they meet goes to standard output, one JSON object a line; times are seconds of the
machine's monotonic clock.  When standard input ends they finish what they began, and the last line says
what they were promised and what they were shown.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any, Final

from ..framing import CLOSE, PING, PONG, TEXT, frame, request, upgrade
from .wire import message, post, proxy_header

#: How many of each, and how long (s) from one thing one does to its next: no multiple of a tick.
WALKERS: Final = 6
TALKERS: Final = 3
WATCHERS: Final = 2
STEP: Final = 0.17
SENTENCE: Final = 0.23
ARRIVAL: Final = 0.25
#: Longest wait (s) for anything.
PATIENCE: Final = 15.0
#: Longest wait (s), at the end, for what is under way.
LAST: Final = 5.0

#: Where the walkers begin (z); each step takes them a thousandth of a unit on.
NORTH: Final = 20.0

Event = dict[str, Any]
#: One of a kind lives: its number, and what it sets when it is where it wants to be.
Part = Callable[[int, "asyncio.Future[None]"], Coroutine[Any, Any, None]]


def note(**fields: Any) -> None:
    """Tell whoever started this."""
    print(json.dumps(fields), flush=True)


class Line:
    """A TCP connection that comes, by a proxy, from `address`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, address: str) -> Line:
        near = ("127.0.2.1", 0)
        streams = asyncio.open_connection("127.0.0.1", port, local_addr=near, limit=1 << 20)
        line = cls(*await asyncio.wait_for(streams, PATIENCE))
        line.writer.write(proxy_header(address))
        return line

    async def head(self) -> tuple[int, int]:
        """Status and length of the next HTTP answer."""
        status, size = int((await self.reader.readuntil()).split(b" ")[1]), 0
        while (text := await self.reader.readuntil()) != b"\r\n":
            name, _, value = text.lower().partition(b":")
            if name == b"content-length":
                size = int(value)
        return status, size

    async def ask(self, asked: bytes) -> tuple[int, Any]:
        """Status and JSON of the answer to an HTTP request."""
        self.writer.write(asked)
        status, size = await asyncio.wait_for(self.head(), PATIENCE)
        return status, json.loads(await self.reader.readexactly(size))

    async def messages(self) -> AsyncIterator[Event]:
        """What a WebSocket gets, until it is closed."""
        while True:
            first, size = await self.reader.readexactly(2)
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            payload = await self.reader.readexactly(size)
            match first & 0x0F:
                case int(opcode) if opcode == TEXT:
                    yield json.loads(payload)
                case int(opcode) if opcode == PING:
                    self.writer.write(frame(PONG, payload))
                case int(opcode) if opcode == CLOSE:
                    code = struct.unpack("!H", payload[:2])[0] if payload else 1005
                    raise ConnectionError(f"closed with {code} {payload[2:].decode()}")


class Bystanders:
    """All of them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ending = asyncio.Event()
        #: Of each watcher: walker → number → when that step was due, while it has not seen it.
        self._awaited: list[dict[str, dict[int, float]]] = [{} for _ in range(WATCHERS)]
        self._seen: list[dict[int, Event]] = [{} for _ in range(WATCHERS)]
        self._acked: dict[str, dict[int, str]] = {}
        self._said: dict[str, list[str]] = {}
        self._lost: list[str] = []
        self._hearing: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Until standard input ends."""
        watching = await self._begin(self._watch, WATCHERS)
        acting = await self._begin(self._walk, WALKERS)
        acting += await self._begin(self._talk, TALKERS)
        acting += await self._begin(self._arrive, 1)
        note(ready=True, lost=self._lost)
        await self._input_ends()
        self._ending.set()
        await asyncio.wait(acting, timeout=PATIENCE)
        deadline = time.monotonic() + LAST
        while (unseen := self._unseen()) and not self._lost and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        note(acked=self._acked, said=self._said, seen=self._seen, unseen=unseen, lost=self._lost)
        for task in (*watching, *acting, *self._hearing):
            task.cancel()
        await asyncio.wait((*watching, *acting, *self._hearing))

    async def _begin(self, part: Part, count: int) -> list[asyncio.Task[None]]:
        """Let `count` of a kind live, once each is where it wants to be; what ends one is remembered."""
        tasks, begun = [], []
        for number in range(count):
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(part(number, ready))
            task.add_done_callback(partial(self._ended, f"{part.__name__} {number}", ready))
            tasks.append(task)
            begun.append(ready)
        await asyncio.gather(*begun)
        return tasks

    def _ended(self, name: str, ready: asyncio.Future[None], task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._lost.append(f"{name}: {type(error).__name__}: {error}")
        if not ready.done():
            ready.set_result(None)

    def _unseen(self) -> int:
        return sum(len(steps) for awaited in self._awaited for steps in awaited.values())

    async def _input_ends(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()

    async def _timetable(self, period: float) -> AsyncIterator[float]:
        """When each thing is due, once it is; ends when all do."""
        due = time.monotonic()
        while not self._ending.is_set():
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            yield due
            due += period

    # -- the parts they play -----------------------------------------------------------

    async def _socket(self, address: str) -> Line:
        line = await Line.open(self._port, address)
        line.writer.write(upgrade())
        status, _ = await asyncio.wait_for(line.head(), PATIENCE)
        assert status == 101, status
        return line

    async def _watch(self, number: int, ready: asyncio.Future[None]) -> None:
        """Look on, and time the walkers' steps."""
        line = await self._socket(f"192.0.2.{10 + number}")
        seen, awaited = self._seen[number], self._awaited[number]
        async for told in line.messages():
            if told["type"] == "snapshot" and not ready.done():
                ready.set_result(None)
            if told["type"] != "world":
                continue
            event = told["message"]
            if "seq" in event:
                assert event["seq"] not in seen, "an event was shown twice"
                seen[event["seq"]] = event
            elif event["worldType"] == "position" and event["agentId"] in awaited:
                self._saw(awaited[event["agentId"]], round((event["z"] - NORTH) * 1000))

    def _saw(self, steps: dict[int, float], reached: int) -> None:
        """A position replaces those before it, so who sees one has seen them."""
        now = time.monotonic()
        for number in [n for n in steps if n <= reached]:
            due = steps.pop(number)
            note(kind="step", at=due, took=now - due)

    async def _walk(self, number: int, ready: asyncio.Future[None]) -> None:
        """Move over a WebSocket."""
        name = f"walker-{number}"
        line = await self._socket(f"192.0.2.{20 + number}")
        line.writer.write(message(type="register", id=0, agentId=name))
        hearing = asyncio.create_task(self._hear(line, name, ready))
        self._hearing.append(hearing)
        await ready
        for awaited in self._awaited:
            awaited[name] = {}
        count = 0
        async for due in self._timetable(STEP):
            if hearing.done():
                break
            count += 1
            for awaited in self._awaited:
                awaited[name][count] = due
            place = {"x": number * 1.5 - 4, "z": NORTH + count / 1000}
            line.writer.write(message(type="world-move", id=count, agentId=name, **place))
        if hearing.done():
            hearing.result()

    async def _hear(self, line: Line, name: str, ready: asyncio.Future[None]) -> None:
        """What a walker is answered."""
        async for told in line.messages():
            if told["type"] == "ack" and told["id"] == 0 and told["ok"]:
                ready.set_result(None)
            elif told["type"] == "error" or (told["type"] == "ack" and not told["ok"]):
                for awaited in self._awaited:
                    awaited[name].pop(told.get("id", 0), None)
                note(kind="step", at=time.monotonic(), refused=told)

    async def _talk(self, number: int, ready: asyncio.Future[None]) -> None:
        """Speak over HTTP."""
        name = f"talker-{number}"
        line = await Line.open(self._port, f"192.0.2.{40 + number}")
        _, registered = await line.ask(post("register", agentId=name))
        token = registered["token"]
        acked, said = self._acked.setdefault(name, {}), self._said.setdefault(name, [])
        ready.set_result(None)
        async for due in self._timetable(SENTENCE):
            said.append(f"sentence {len(said)} of {name}")
            _, answer = await line.ask(post("world-chat", token, agentId=name, text=said[-1]))
            if answer.get("ok"):
                acked[answer["seq"]] = said[-1]
                note(kind="chat", at=due, took=time.monotonic() - due)
            else:
                note(kind="chat", at=due, refused=answer)

    async def _arrive(self, number: int, ready: asyncio.Future[None]) -> None:
        """Come in anew each time, and ask for the room."""
        ready.set_result(None)
        async for due in self._timetable(ARRIVAL):
            refused: Any = None
            try:
                line = await Line.open(self._port, f"192.0.2.{60 + number}")
                status, answer = await line.ask(request("GET", "/api/room"))
                line.writer.close()
                refused = None if status == 200 else answer
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                refused = repr(error)
            met = {"took": time.monotonic() - due} if refused is None else {"refused": refused}
            note(kind="arrival", at=due, **met)


if __name__ == "__main__":
    asyncio.run(Bystanders(int(sys.argv[1])).run())
