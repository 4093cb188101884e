"""Stand-ins whose timing the test decides, and the clockwork assembled around them.

Each fake is checked against the interface that it stands for: the store in
tests/runtime/test_journal.py, the viewer in tests/runtime/test_fanout.py.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from realmd.primitives.errors import Rejection
from realmd.protocol.dialects import CLASSIC, Dialect
from realmd.runtime.fanout import Fanout
from realmd.runtime.intake import Intake
from realmd.runtime.journal import Committed, Journal
from realmd.runtime.ticker import Ticker
from realmd.storage.interface import Entry, IStore, Loaded, Pruned, Retention, Rows, StorageError
from realmd.world import commands
from realmd.world.atlas import parse
from realmd.world.caller import INSIDE
from realmd.world.commands import Command
from realmd.world.engine import Outcome, World
from realmd.world.limits import Limits
from realmd.world.space import Grid

#: Open ground, 100 x 100; one zone, one spawn point, one inhabitant.
MAP = """
[world]
half = 50
[[zones]]
id = "field"
name = "Field"
x = 0
z = 0
width = 100
depth = 100
[[spawns]]
x = 0
z = 0
[[workstations]]
id = "anvil"
name = "Anvil"
zone = "field"
x = 10
z = 10
skill = "smith"
[[inhabitants]]
id = "imp"
name = "Imp"
kind = "kobold"
color = "#123456"
x = -30
z = -30
mind = "kobold"
capabilities = []
"""


def a_world(**limits: Any) -> World:
    return World(parse(MAP), Limits(**{"commands_per_second": 1000, **limits}), random.Random(1))


class Flight(Struct, eq=False):
    """A commit under way."""

    entries: Sequence[Entry]
    rows: Rows
    seq: int
    done: Deferred[None]

    def __str__(self) -> str:
        events = [f"{entry.kind}:{entry.agent_id}" for entry in self.entries]
        rows = [f"{kind}:{key}" for kind, key in self.rows if kind == "bodies"]
        return " ".join(["commit", *events, *(f"[{row}]" for row in sorted(rows))])


@implementer(IStore)
class FakeStore:
    """A store in memory.  A commit flies until the test lands or loses it, unless `prompt`."""

    def __init__(self, out: list[str]) -> None:
        self.out = out
        self.prompt = False
        self.flights: list[Flight] = []
        self.entries: list[Entry] = []
        self.rows: dict[tuple[str, str], Struct] = {}
        self.seq = 0
        self.well = True
        self.asked: list[tuple[Any, ...]] = []

    def land(self) -> None:
        """The oldest commit under way succeeds."""
        flight = self.flights.pop(0)
        self.entries.extend(flight.entries)
        for key, row in flight.rows.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        self.seq = flight.seq
        flight.done.callback(None)

    def lose(self, error: Exception | None = None) -> None:
        """The oldest commit under way fails, and the medium stays ill."""
        self.well = False
        self.flights.pop(0).done.errback(error or StorageError("disk full"))

    def commit(self, entries: Sequence[Entry], rows: Rows, seq: int) -> Deferred[None]:
        flight = Flight(entries, rows, seq, Deferred())
        self.out.append(str(flight))
        self.flights.append(flight)
        if self.prompt:
            self.land()
        return flight.done

    def probe(self, now: int) -> Deferred[int]:
        self.out.append("probe")
        return succeed(self.seq) if self.well else _failed()

    def history(self, since: int, after: int, limit: int) -> Deferred[list[bytes]]:
        self.asked.append(("history", since, after, limit))
        return succeed(self._bodies(lambda e: e.to_agent_id is None, since, after, limit))

    def inbox(
        self, agent_id: str, since: int, limit: int, after: int | None = None, received: bool = False,
        peer: str | None = None,
    ) -> Deferred[list[bytes]]:  # fmt: skip
        self.asked.append(("inbox", agent_id, since, limit))
        if not self.well:
            return _failed()
        return succeed(
            self._bodies(
                lambda e: bool(e.to_agent_id) and agent_id in (e.agent_id, e.to_agent_id), since, 0, limit
            )
        )

    def open(self) -> Deferred[Loaded]:
        return succeed(Loaded({}, self.seq))

    def prune(self, now: int, retention: Retention) -> Deferred[Pruned]:
        return succeed(Pruned(0, 0, 0))

    def close(self) -> Deferred[None]:
        return succeed(None)

    def _bodies(self, wanted: Callable[[Entry], bool], since: int, after: int, limit: int) -> list[bytes]:
        found = [e.body for e in self.entries if wanted(e) and e.timestamp > since and e.seq > after]
        return found[:limit] if since or after else found[-limit:]


def _failed() -> Deferred[Any]:
    failed: Deferred[Any] = Deferred()
    failed.errback(StorageError("disk full"))
    return failed


def frames(data: bytes) -> Iterator[dict[str, Any]]:
    """The messages in a run of unmasked text frames, deflated or not."""
    while data:
        assert data[0] in (0x81, 0xC1)
        short = data[1]
        start = {126: 4, 127: 10}.get(short, 2)
        size = short if short < 126 else int.from_bytes(data[2:start], "big")
        payload = data[start : start + size]
        if data[0] == 0xC1:
            payload = zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")
        yield json.loads(payload)
        data = data[start + size :]


def messages(data: bytes) -> Iterator[dict[str, Any]]:
    """As `frames`, each event of a tick's batch as a message of its own, as the classic dialect tells it."""
    for frame in frames(data):
        if frame["type"] == "tick":
            for event in frame["messages"]:
                yield {"type": "private" if "toAgentId" in event else "world", "message": event}
        else:
            yield frame


class Watcher:
    """A viewer that keeps each write: the whole, and the part that a slow reader would get."""

    def __init__(self, follow: str | None = None, dialect: Dialect = CLASSIC) -> None:
        self.dialect = dialect
        self.caller = INSIDE
        self.cell = 0
        self.slot = 0
        self.follow = follow
        self.writes: list[tuple[bytes, bytes]] = []
        self.behind = False

    def deliver(self, whole: bytes, durable: bytes) -> None:
        self.writes.append((whole, durable))

    def seen(self) -> list[str]:
        """What came since the last look, one string a message, a bar between writes."""
        writes, self.writes = self.writes, []
        told = [[*map(brief, messages(whole))] for whole, _ in writes]
        return [text for number, write in enumerate(told) for text in (["|"] if number else []) + write]

    def lasting(self) -> list[str]:
        """As `seen`, of what a slow reader would get."""
        self.writes = [(durable, durable) for _, durable in self.writes]
        return self.seen()


def brief(message: dict[str, Any]) -> str:
    """A server message in a few words."""
    if message["type"] == "snapshot":
        return " ".join(["snapshot", *(agent["profile"]["agentId"] for agent in message["agents"])])
    event = message["message"]
    kind, agent_id = event["worldType"], event["agentId"]
    if kind == "position":
        return f"position {agent_id} {event['x']:g},{event['z']:g}"
    said = event.get("text") or event.get("content") or event.get("action") or ""
    return " ".join([*(["private"] if message["type"] == "private" else []), kind, agent_id, said]).strip()


class Tally:
    """The counters of a ticker."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, str]] = []
        self.events: list[str] = []
        self.ticks: list[float] = []

    def command(self, name: str, outcome: str) -> None:
        self.commands.append((name, outcome))

    def event(self, name: str) -> None:
        self.events.append(name)

    def tick(self, seconds: float) -> None:
        self.ticks.append(seconds)


class Clockwork:
    """Intake, ticker, journal and fan-out of a real world, on a clock that the test moves.

    `out` is all that came out, in order: commits begun, what was published, every reply.
    """

    def __init__(
        self,
        slots: int = 50,
        radius: float = 20.0,
        intake: int = 1000,
        observe: Callable[[float, int], None] = lambda seconds, events: None,
        **limits: Any,
    ) -> None:
        self.out: list[str] = []
        self.clock = Clock()
        self.clock.advance(1000)
        self.world = a_world(**limits)
        self.world.begin(1_000_000)
        self.store = FakeStore(self.out)
        self.intake = Intake(intake)
        self.grid = Grid(50.0, cell=5.0, radius=radius)
        self.published: list[Committed] = []
        self.journal = Journal(self.world, self.store, self.clock, 5.0, observe)
        self.fanout = Fanout(self.world, self.grid, self.journal, slots)
        self.journal.listen(self._publish)
        self.journal.listen(self.fanout.publish)
        self.tally = Tally()
        self.ticker = Ticker(self.world, self.intake, self.journal, self.fanout, self.clock, self.tally)

    def _publish(self, committed: list[Committed]) -> None:
        if committed:
            self.out.append(" ".join(["publish", *(f"{c.entry.kind}:{c.entry.agent_id}" for c in committed)]))
        self.published.extend(committed)

    def ask(self, command: Command, name: str = "") -> None:
        """Submit a command; its reply goes to `out` under `name`."""
        self.intake.submit(
            command, lambda outcome: self.out.append(f"{name or told(command)}: {word(outcome)}")
        )

    def tick(self, *asked: Command, seconds: float = 0.125) -> None:
        """Ask, let `seconds` pass, and tick."""
        for command in asked:
            self.ask(command)
        self.clock.advance(seconds)
        self.ticker.tick()

    def settle(self, *asked: Command) -> None:
        """As `tick`, all that follows committed; what came out is forgotten."""
        self.tick(*asked)
        while self.store.flights:
            self.store.land()
        self.out.clear()

    def take(self) -> list[str]:
        """What came out since the last look."""
        taken = self.out[:]
        self.out.clear()
        return taken

    def join(self, *names: str, at: tuple[float, float] | None = None) -> None:
        """Have agents in the world, their joins committed; `at` is where they stand then."""
        self.settle(*(register(name) for name in names))
        if at is not None:
            self.settle(*(move(name, *at) for name in names))


def watch(works: Clockwork, *viewers: Watcher) -> None:
    """Have them join, and get their first snapshots out of the way."""
    for viewer in viewers:
        works.fanout.join(viewer)
    for _ in range(len(viewers) + 1):
        works.tick()
    for viewer in viewers:
        viewer.seen()


def told(command: Command) -> str:
    tag = str(command.__struct_config__.tag).removeprefix("world-")
    return f"{tag} {getattr(command, 'agent_id', '')}".strip()


def word(outcome: Outcome) -> str:
    return outcome.code if isinstance(outcome, Rejection) else "ok"


def register(name: str, **given: Any) -> Command:
    return commands.Register(agent_id=name, **given)


def move(name: str, x: float, z: float) -> Command:
    return commands.WorldMove(agent_id=name, x=x, z=z)


def chat(name: str, text: str = "hello") -> Command:
    return commands.WorldChat(agent_id=name, text=text)


def act(name: str, action: Any = "wave") -> Command:
    return commands.WorldAction(agent_id=name, action=action)


def leave(name: str) -> Command:
    return commands.WorldLeave(agent_id=name)


def message(name: str, to: str, content: str = "psst") -> Command:
    return commands.AgentMessage(agent_id=name, to_agent_id=to, content=content)
