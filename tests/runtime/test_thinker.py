"""The thinker: flat load, time budget, sleep and respawn, and a clean stop."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from msgspec import Struct
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import formatEvent, globalLogPublisher

from realmd.runtime.thinker import MindThreads, Spans, Thinker
from realmd.world.commands import Command, Inhabit, WorldAction, WorldChat, WorldEmote
from realmd.world.events import Chat, Durable, Message
from realmd.world.minds import Mind, View
from realmd.world.model import Body, Profile
from realmd.world.tables import Tables

NAMES = ("shalom", "daily", "trade", "deploy")
#: A step of the clock (s), exact in binary.
STEP = 1 / 16


def a_world(names: tuple[str, ...] = NAMES, mind: str = "test") -> Any:
    """Tables with the inhabitants in them, and as much of an atlas as a view needs."""
    tables = Tables()
    for name in names:
        tables.profiles[name] = Profile(name, name.title(), "", "", (), "#000000", 0, 0)
        tables.bodies[name] = Body(name, 0.0, 0.0)
    field = SimpleNamespace(id="field", name="Field", x=0.0, z=0.0)
    beings = {name: SimpleNamespace(id=name, mind=mind) for name in names}
    atlas = SimpleNamespace(inhabitants=beings, zones={}, workstations={}, zone_at=lambda x, z: field)
    return SimpleNamespace(tables=tables, atlas=atlas)


class Memory(Struct):
    thoughts: int = 0


class Stage:
    """A thinker on a hand-driven clock; `think` may be changed, `out` is all that it submitted."""

    def __init__(self, names: tuple[str, ...] = NAMES, run: Any = maybeDeferred, **spans: float) -> None:
        self.clock = Clock()
        self.world = a_world(names)
        self.out: list[tuple[float, Command]] = []
        self.think: Callable[..., Any] = lambda view, memory, now, rng: []
        mind = Mind(Memory, lambda *args: self.think(*args))
        self.thinker = Thinker(
            self.clock,
            self.world,
            lambda command: self.out.append((round(self.clock.seconds(), 3), command)),
            run,
            now=lambda: int(self.clock.seconds() * 1000),
            spans=Spans(**spans),
            minds={"test": mind},
        )
        self.thinker.startService()

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([0, *[STEP] * round(seconds / STEP)])

    def one(self) -> Any:
        return self.thinker.status()["minds"]["daily"]

    def said(self) -> list[tuple[float, str]]:
        return [(at, c.text) for at, c in self.out if isinstance(c, WorldChat)]


class Elsewhere:
    """A `run` whose answers come when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def __call__(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.waiting.append((Deferred(), function, args))
        return self.waiting[-1][0]

    def finish(self) -> None:
        deferred, function, args = self.waiting.pop(0)
        deferred.callback(function(*args))


@contextmanager
def log_lines() -> Iterator[list[str]]:
    lines: list[str] = []

    def observe(event: Any) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


def test_thoughts_are_spread_over_the_interval() -> None:
    """Each inhabitant thinks once an interval, and no two at the same moment."""
    stage = Stage(interval=1.0)
    stage.think = lambda view, memory, now, rng: [WorldEmote(agent_id=view.me.agent_id)]
    stage.pass_time(1.9)
    emotes = [(at, c.agent_id) for at, c in stage.out if isinstance(c, WorldEmote)]
    assert emotes == [(n / 4, NAMES[n % 4]) for n in range(8)]


def test_a_mind_hears_public_events_once() -> None:
    """What was said is heard once, in order; private messages never; a flood costs the oldest."""
    stage = Stage(("daily",))
    heard: list[list[int]] = []

    def think(view: View, memory: Memory, now: int, rng: object) -> list[Command]:
        heard.append([h.event.seq for h in view.heard])
        return []

    stage.think = think
    stage.pass_time(0.5)
    lines: list[Durable] = [Chat(agent_id="ann", timestamp=0, seq=n, text="x") for n in range(1, 101)]
    secret = Message(agent_id="ann", timestamp=0, seq=101, to_agent_id="daily", content="hush")
    stage.thinker.hear([*lines, secret])
    stage.pass_time(2.0)
    assert [h for h in heard if h] == [list(range(37, 101))]
    assert stage.one()["unheard"] == 36


def test_a_mind_that_raises_sleeps_longer_each_time_and_is_respawned_fresh() -> None:
    """A failing mind costs a log line and a back-off that doubles up to its limit, nobody else's thought."""
    stage = Stage(("daily", "trade"), respawn_after=5, respawn_max=12)
    lives: list[float] = []

    def think(view: View, memory: Memory, now: int, rng: object) -> list[Command]:
        memory.thoughts += 1
        if view.me.agent_id == "daily":
            assert memory.thoughts == 1, "memory outlived the mind"
            lives.append(now / 1000)
            raise RuntimeError("confused")
        return [WorldChat(agent_id="trade", text=str(memory.thoughts))]

    stage.think = think
    with log_lines() as lines:
        stage.pass_time(42)
    assert [round(b - a) for a, b in itertools.pairwise(lives)] == [5, 10, 12, 12]
    respawns = [line for line in lines if "agent respawn" in line]
    assert respawns == [f"agent respawn agent=daily after={s}s reason=failed" for s in (5, 10, 12, 12)]
    assert stage.said()[-1][1] in ("41", "42")
    assert stage.one() | {"lastMs": 0, "asleepFor": 0} == {
        "state": "asleep", "thoughts": 0, "failures": 5, "overruns": 0, "respawns": 4,
        "skipped": 0, "unheard": 0, "lastMs": 0, "asleepFor": 0, "failedInARow": 5,
    }  # fmt: skip
    assert stage.thinker.status()["ok"] is False
    idle = [c for _, c in stage.out if isinstance(c, WorldAction)]
    assert idle == [WorldAction(agent_id="daily", action="idle")] * 5


def test_a_late_answer_is_thrown_away() -> None:
    """A mind that overruns its budget sleeps, never runs twice at once, and its late words are lost."""
    away = Elsewhere()
    stage = Stage(("daily",), run=away, budget=0.25, respawn_after=2)
    stage.think = lambda view, memory, now, rng: [WorldChat(agent_id="daily", text=f"at {now}")]
    with log_lines() as lines:
        stage.pass_time(4.5)
        assert (len(away.waiting), stage.one()["state"], stage.one()["overruns"]) == (1, "stuck", 1)
        assert stage.one()["skipped"] >= 3
        away.finish()
        stage.pass_time(0.625)
        assert "agent respawn agent=daily after=2s reason=overrun" in lines
    assert stage.said() == []
    away.finish()
    assert [text for _, text in stage.said()] == ["at 5000"]
    assert stage.thinker.status()["ok"] is True


def test_back_off_starts_again_after_a_good_while() -> None:
    """A mind that has thought well for a while is forgiven its earlier failures."""
    stage = Stage(("daily",), respawn_after=5, respawn_max=300, steady=20)
    failing = [0, 7, 60]
    stage.think = lambda view, memory, now, rng: [1 // 0] if now // 1000 in failing else []
    with log_lines() as lines:
        stage.pass_time(70)
    sleeps = [line.split("after=")[1].split()[0] for line in lines if "agent respawn" in line]
    assert sleeps == ["5s", "10s", "5s"]


@pytest.mark.parametrize(
    "answer",
    [None, ["dance"], [WorldEmote(agent_id="trade")], [WorldEmote(agent_id="daily")] * 17],
)
def test_a_mind_may_ask_for_little_and_only_for_itself(answer: Any) -> None:
    """What is no short list of commands of the mind's own body is a failure, and none of it is done."""
    stage = Stage(("daily",))
    stage.think = lambda view, memory, now, rng: answer
    stage.pass_time(1)
    assert stage.one()["failures"] == 1
    assert [c for _, c in stage.out if not isinstance(c, WorldAction)] == [Inhabit(agent_id="daily")]


def test_a_missing_body_comes_back() -> None:
    """An inhabitant that was taken out of the world enters again, and does not think meanwhile."""
    stage = Stage(("daily",))
    stage.pass_time(1.5)
    thoughts = stage.one()["thoughts"]
    body = stage.world.tables.bodies.pop("daily")
    stage.pass_time(1)
    assert [c for _, c in stage.out] == [Inhabit(agent_id="daily")] * 2
    assert stage.one()["thoughts"] == thoughts
    stage.world.tables.bodies["daily"] = body
    stage.pass_time(1)
    assert stage.one()["thoughts"] == thoughts + 1


def test_stopping_leaves_nothing_behind() -> None:
    """After a stop no timer is left, even with a thought under way, and its answer is not heeded."""
    away = Elsewhere()
    stage = Stage(run=away, budget=0.2)
    stage.think = lambda view, memory, now, rng: [WorldChat(agent_id=view.me.agent_id, text="late")]
    stage.clock.advance(0.3)
    stage.thinker.stopService()
    assert stage.clock.getDelayedCalls() == []
    away.finish()
    assert stage.said() == []
    stage.thinker.startService()
    stage.thinker.stopService()
    assert stage.clock.getDelayedCalls() == []


@pytest_twisted.ensureDeferred
async def test_a_mind_that_never_ends_stalls_nothing() -> None:
    """With one mind stuck in a thread, the others go on thinking, and stopping takes no time."""
    from twisted.internet import reactor

    stuck, release = threading.Event(), threading.Event()
    names: list[str] = []

    def think(view: View, memory: Memory, now: int, rng: object) -> list[Command]:
        if view.me.agent_id == "daily":
            stuck.set()
            release.wait(30)
        names.append(view.me.agent_id)
        return []

    threads = MindThreads(reactor, 2)
    thinker = Thinker(
        reactor,
        a_world(("daily", "trade")),
        lambda command: None,
        threads.run,
        now=lambda: 0,
        spans=Spans(interval=0.02, budget=0.015),
        minds={"test": Mind(Memory, think)},
    )
    threads.setServiceParent(thinker)
    thinker.startService()
    try:
        while not (stuck.is_set() and len(names) >= 3 and thinker.inhabitants["daily"].overruns):
            await deferLater(reactor, 0.01)
    finally:
        before = time.monotonic()
        await maybeDeferred(thinker.stopService)
        took = time.monotonic() - before
        release.set()
    assert took < 1.0
    assert "daily" not in names
