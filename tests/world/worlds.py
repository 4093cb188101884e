"""Worlds to test in: the real map, dice with a known seed, and time that only the test lets pass."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from realmd.primitives.errors import Rejection
from realmd.world import commands, events
from realmd.world.atlas import parse
from realmd.world.commands import Command
from realmd.world.engine import World
from realmd.world.limits import Limits
from realmd.world.model import Body
from realmd.world.tables import KINDS

ATLAS = parse((Path(__file__).parents[2] / "etc/realmd/world.toml").read_text("utf-8"))
#: When every world here begins (ms), and one tick.
T0 = 1_700_000_000_000
TICK = 100
#: Who can do everything.
MASTER = tuple({station.skill for station in ATLAS.workstations.values()})


def empty(seed: int = 7, **limits: Any) -> World:
    """A world in which nobody is."""
    world = World(ATLAS, Limits(**limits), random.Random(seed))
    world.begin(T0)
    return world


def peopled(*agents: str, **limits: Any) -> World:
    """A world that these have joined; they can do everything."""
    world = empty(**limits)
    for agent in agents:
        join(world, agent, capabilities=MASTER)
    return world


def again(world: World, now: int) -> World:
    """The world after a restart on the tables of `world`."""
    other = World(world.atlas, world.limits, random.Random(1))
    rows = {kind: dict(world.tables.rows(kind)) for kind in KINDS}
    other.tables.load(rows, world.tables.seq)
    other.begin(now)
    return other


def say(world: World, command: Command, now: int = T0) -> Any:
    """Let the world decide on one command."""
    return world.apply(command, now)


def done(world: World, command: Command, now: int = T0) -> tuple[Any, ...]:
    """What came of a command that must not be refused."""
    outcome = world.apply(command, now)
    assert not isinstance(outcome, Rejection), outcome
    return outcome


def refusal(world: World, command: Command, now: int = T0) -> str:
    """The code with which a command must be refused."""
    outcome = world.apply(command, now)
    assert isinstance(outcome, Rejection), outcome
    return outcome.code


def join(world: World, agent_id: str, now: int = T0, **fields: Any) -> tuple[Any, ...]:
    return done(world, commands.Register(agent_id=agent_id, **fields), now)


def stand(world: World, agent_id: str, x: float, z: float, now: int = T0) -> None:
    done(world, commands.WorldMove(agent_id=agent_id, x=x, z=z), now)


def pass_time(world: World, start: int, seconds: float) -> list[events.Event]:
    """Tick from `start` on; everything that happened."""
    end = start + int(seconds * 1000)
    return [event for now in range(start + TICK, end + 1, TICK) for event in world.advance(now)]


def body(world: World, agent_id: str) -> Body:
    return world.tables.bodies[agent_id]


def news(happened: Iterable[events.Event]) -> list[Any]:
    """The durable events among what happened."""
    return [event for event in happened if isinstance(event, events.Durable)]


def told(happened: Iterable[events.Event]) -> list[tuple[str, ...]]:
    """The durable events, each as (worldType, who[, phase or reason])."""
    return [
        (str(type(e).__struct_config__.tag), e.agent_id, *([d] if (d := _detail(e)) is not None else []))
        for e in news(happened)
    ]


def _detail(event: events.Event) -> str | None:
    return getattr(event, "phase", None) or getattr(event, "reason", None)
