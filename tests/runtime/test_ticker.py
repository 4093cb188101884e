"""The tick: what came is done in its order, time passes, and no mistake takes others with it."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import capturedLogs

from realmd.runtime.periodic import Periodic
from realmd.world import commands
from realmd.world.rules import movement, presence
from realmd.world.rules.registry import RULES
from tests.fakes import Clockwork, act, chat, move, register


def walk(name: str, x: float, z: float) -> commands.Command:
    return commands.WorldWalk(agent_id=name, x=x, z=z)


def at(works: Clockwork, name: str) -> tuple[float, float]:
    body = works.world.tables.bodies[name]
    return body.x, body.z


def test_one_tick_does_everything_that_waits() -> None:
    """Commands happen as they came; refusals and moves are answered at once, words when committed."""
    works = Clockwork()
    works.join("ann")
    works.tick(chat("ann"), move("ann", 1, 2), chat("nobody"), act("ann"))
    assert (
        works.take()
        == [
            "chat nobody: unknown_agent",
            "move ann: ok",
            "action ann: ok",
            "commit chat:ann",
        ]
        or works.take() == []
    )
    works.store.land()
    assert works.take() == ["publish chat:ann", "chat ann: ok"]


def test_late_ticks_are_merged() -> None:
    """After a stall a walker is where it would be, by one tick; nothing is made up for."""
    works = Clockwork(walk_speed=4.0)
    works.join("ann", at=(0, 0))
    ticking = Periodic("tick", 0.125, works.ticker.tick, works.clock)
    ticking.startService()
    works.ask(walk("ann", 20, 0))
    works.clock.advance(0.125)
    begun = len(works.tally.ticks)
    works.clock.advance(0.75)
    assert len(works.tally.ticks) == begun + 1
    assert at(works, "ann") == (pytest.approx(4.0 * 0.875, abs=0.6), 0.0)
    assert (ticking.missed, ticking.lag) == (5, 0.625)


def test_a_rule_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command alone is answered `internal_error` and undone; what came before and after it happens."""
    works = Clockwork()
    works.join("ann")

    def broken(world: Any, command: Any, now: int) -> Any:
        world.tables.drop("bodies", "ann")
        world.seq()
        yield from ()
        raise ZeroDivisionError

    monkeypatch.setitem(RULES, commands.WorldEmote, broken)
    with capturedLogs() as events:
        works.tick(chat("ann", "1"), commands.WorldEmote(agent_id="ann"), chat("ann", "2"))
    works.store.land()
    assert works.take() == [
        "emote ann: internal_error",
        "commit chat:ann chat:ann",
        "publish chat:ann chat:ann",
        "chat ann: ok",
        "chat ann: ok",
    ]
    assert [(e["name"], e["log_failure"].type) for e in events] == [("world-emote", ZeroDivisionError)]
    assert [c.entry.seq for c in works.published] == [1, 2, 3]
    assert works.tally.commands[-3:] == [
        ("world-chat", "ok"),
        ("world-emote", "internal_error"),
        ("world-chat", "ok"),
    ]


def test_a_reply_that_raises() -> None:
    """A door that cannot take its answer is logged; the others get theirs."""
    works = Clockwork()
    works.join("ann")
    works.intake.submit(act("ann"), lambda outcome: 1 // 0)
    works.intake.submit(chat("nobody"), lambda outcome: 1 // 0)
    with capturedLogs() as events:
        works.tick(act("ann"))
    assert works.take() == ["action ann: ok"]
    assert [e["log_failure"].type for e in events] == [ZeroDivisionError] * 2


@pytest.mark.parametrize(("module", "name"), [(movement, "step"), (presence, "expire")])
def test_a_mistake_while_time_passes(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """One agent's time that cannot pass is no other's: they walk on and are heard; the operator is told."""
    works = Clockwork(walk_speed=4.0)
    works.join("ann", "bob", at=(0, 0))
    works.tick(walk("ann", 20, 0), walk("bob", 20, 0))
    good = getattr(module, name)

    def broken(world: Any, agent_id: str, *args: Any) -> Any:
        yield from good(world, agent_id, *args)
        if agent_id == "ann":
            raise ZeroDivisionError

    monkeypatch.setattr(module, name, broken)
    works.take()
    works.clock.advance(1.0)
    ticking = Periodic("tick", 0.125, works.ticker.tick, works.clock)
    ticking.startService()
    works.ask(chat("ann"))
    with capturedLogs() as events:
        works.clock.advance(0.125)
    assert [e["log_failure"].type for e in events if "log_failure" in e] == [ZeroDivisionError]
    assert not ticking.status()["ok"]
    works.store.land()
    assert works.take() == ["commit chat:ann", "publish chat:ann", "chat ann: ok"]
    assert at(works, "bob")[0] > 2
    works.clock.advance(0.125)
    assert ticking.status()["ok"]


def test_what_is_counted() -> None:
    """Every command by its outcome, every event by its type, every tick by its duration."""
    works = Clockwork()
    works.tick(register("ann"), chat("bob"), move("ann", 99, 0))
    assert works.tally.commands == [
        ("register", "ok"),
        ("world-chat", "unknown_agent"),
        ("world-move", "out_of_bounds"),
    ]
    assert works.tally.events == ["join", "position"]
    assert works.tally.ticks == [0.0]


@pytest.mark.parametrize("hours", [-5, 5])
def test_setting_the_clock_makes_nobody_silent(hours: int) -> None:
    """Whoever sets the system's clock sends nobody away, stops nobody, and is told of once."""
    works = Clockwork()
    works.join("ann")
    shift = 0.0
    works.clock.time_of_day = lambda: works.clock.seconds() + shift  # type: ignore[attr-defined]
    works.tick(act("ann"))
    shift = hours * 3600.0
    with capturedLogs() as events:
        for _ in range(40):
            works.tick(act("ann"))
    assert [event["by"] for event in events] == [hours * 3600]
    assert set(works.take()) == {"action ann: ok"}
    assert works.world.body("ann") is not None
