"""Moving at once, and walking there at walking speed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from ...primitives.errors import Refused
from .. import commands, events
from ..caller import Caller
from ..model import Body, Walk
from ..space import toward
from ..state import State
from .presence import ensure_present
from .registry import rule
from .work import check_free, claim, release_if_away

#: How near (units) a walk to an agent comes, and how far that agent may have moved on meanwhile.
BESIDE: Final = 1.5
NEAR: Final = 3.0


@rule(commands.WorldMove)
def move(world: State, command: commands.WorldMove, caller: Caller) -> Iterator[events.Event]:
    _check_ground(world, command.x, command.z)
    if not (math.isfinite(command.y) and math.isfinite(command.rotation)):
        raise Refused("out_of_bounds")
    y = max(-world.atlas.half, min(command.y, world.atlas.half))  # nobody stands there, and nobody is hurt
    yield from ensure_present(world, command.agent_id, caller)
    was = world.tables.bodies[command.agent_id]
    action = was.action if was.walk is None else "idle"
    body = Body(was.agent_id, command.x, command.z, y, command.rotation, world.now, action, was.player)
    yield from release_if_away(world, body)
    world.walking.discard(was.agent_id)
    world.place(body)
    yield _position(body)
    if action != was.action:
        yield events.Action(agent_id=was.agent_id, timestamp=world.now, action=action)


@rule(commands.WorldWalk)
def walk(world: State, command: commands.WorldWalk, caller: Caller) -> Iterator[events.Event]:
    agent_id = command.agent_id
    if command.workstation_id is not UNSET:
        station = world.atlas.workstations.get(command.workstation_id)
        if station is None:
            raise Refused("unknown_workstation")
        yield from _set_out(
            world, agent_id, station.x, station.z, Walk((), workstation_id=station.id), caller
        )
    elif command.target_agent_id is not UNSET:
        yield from ensure_present(world, agent_id, caller)
        x, z = _beside(world, agent_id, command.target_agent_id)
        yield from _set_out(world, agent_id, x, z, Walk((), target_agent_id=command.target_agent_id), caller)
    elif command.x is not UNSET and command.z is not UNSET:
        _check_ground(world, command.x, command.z)
        # An inhabitant strolls all day; only its walks to somebody or something are news.
        stroll = Walk((), quiet=agent_id in world.atlas.inhabitants)
        yield from _set_out(world, agent_id, command.x, command.z, stroll, caller)
    else:
        raise Refused("not_found", "x and z, workstationId or targetAgentId required")


@rule(commands.GoToWorkstation)
def go_to_workstation(
    world: State, command: commands.GoToWorkstation, caller: Caller
) -> Iterator[events.Event]:
    station = world.atlas.workstations.get(command.workstation_id)
    if station is None:
        raise Refused("unknown_workstation")
    check_free(world, command.agent_id, station)
    goal = Walk((), claim=True, workstation_id=station.id)
    yield from _set_out(world, command.agent_id, station.x, station.z, goal, caller)


def step(world: State, agent_id: str, elapsed: int) -> Iterator[events.Event]:
    """Bring a walker `elapsed` ms further; at the end, tell how the walk ended."""
    was = world.tables.bodies[agent_id]
    assert was.walk is not None
    distance = world.limits.walk_speed * elapsed / 1000
    x, z, turned, rest = toward(was.x, was.z, was.walk.path, distance, was.rotation)
    if (x, z) != (was.x, was.z):
        if rest:  # what the wire needs, no more; the goal itself is kept as it was given
            x, z = round(x, 4), round(z, 4)
        turned = round(turned, 3)
        body = replace(was, x=x, z=z, rotation=turned, timestamp=world.now, walk=replace(was.walk, path=rest))
        yield from release_if_away(world, body)
        world.place(body)
        yield _position(body)
    if not rest or _met(world, agent_id, was.walk):
        yield from _finish(world, world.tables.bodies[agent_id])


def _set_out(
    world: State, agent_id: str, x: float, z: float, goal: Walk, caller: Caller
) -> Iterator[events.Event]:
    yield from ensure_present(world, agent_id, caller)
    body = world.tables.bodies[agent_id]
    path = world.atlas.ground.path(body.x, body.z, x, z)
    if path is None:
        raise Refused("unreachable")
    world.place(replace(body, action="walk", walk=replace(goal, path=path)))
    world.walking.add(agent_id)
    if body.action != "walk":
        yield events.Action(agent_id=agent_id, timestamp=world.now, action="walk")


def _met(world: State, agent_id: str, walk: Walk) -> bool:
    """Whether the walker is beside the agent it walks to, which may have come to meet it."""
    body, target = world.tables.bodies[agent_id], world.body(walk.target_agent_id or "")
    return target is not None and math.dist((body.x, body.z), (target.x, target.z)) <= BESIDE


def _finish(world: State, body: Body) -> Iterator[events.Event]:
    walk = body.walk
    assert walk is not None
    if walk.target_agent_id is not None:
        target = world.body(walk.target_agent_id)
        if target is not None and math.dist((body.x, body.z), (target.x, target.z)) > NEAR:
            x, z = _beside(world, body.agent_id, walk.target_agent_id)
            path = world.atlas.ground.path(body.x, body.z, x, z)
            if path is not None:  # it moved on: follow
                world.place(replace(body, walk=replace(walk, path=path)))
                return
    standing = replace(body, walk=None, action="idle")
    idle = events.Action(agent_id=body.agent_id, timestamp=world.now, action="idle")
    if walk.quiet:
        world.place(standing)
        world.walking.discard(body.agent_id)
        yield idle
        return
    why = _hindrance(world, body, walk)
    ending = _ending(world, body, walk, why)
    world.tables.put("bodies", body.agent_id, standing)
    world.walking.discard(body.agent_id)
    yield idle
    yield ending
    if why is None and walk.claim and walk.workstation_id is not None:
        yield from claim(world, body.agent_id, walk.workstation_id)


def _ending(world: State, body: Body, walk: Walk, why: str | None) -> events.Event:
    kind: Callable[..., events.Event] = events.Arrived if why is None else partial(events.Blocked, reason=why)
    return kind(
        agent_id=body.agent_id,
        timestamp=world.now,
        seq=world.seq(),
        x=body.x,
        z=body.z,
        workstation_id=UNSET if walk.workstation_id is None else walk.workstation_id,
        target_agent_id=UNSET if walk.target_agent_id is None else walk.target_agent_id,
    )


def _hindrance(world: State, body: Body, walk: Walk) -> str | None:
    """Why the walk did not end as meant, as a refusal code."""
    if walk.target_agent_id is not None:
        target = world.body(walk.target_agent_id)
        if target is None:
            return "unknown_target"
        if math.dist((body.x, body.z), (target.x, target.z)) > NEAR:
            return "unreachable"
    if walk.claim and walk.workstation_id is not None:
        try:
            check_free(world, body.agent_id, world.atlas.workstations[walk.workstation_id])
        except Refused as refusal:
            return refusal.rejection.code
    return None


def _beside(world: State, agent_id: str, target_id: str) -> tuple[float, float]:
    target = world.body(target_id)
    if target is None or target_id == agent_id:
        raise Refused("unknown_target")
    body = world.tables.bodies[agent_id]
    apart = math.dist((body.x, body.z), (target.x, target.z))
    if apart <= BESIDE:
        return body.x, body.z
    share = BESIDE / apart
    x, z = target.x + (body.x - target.x) * share, target.z + (body.z - target.z) * share
    return (target.x, target.z) if world.atlas.ground.blocked(x, z) else (x, z)


def _check_ground(world: State, x: float, z: float) -> None:
    if not world.atlas.ground.inside(x, z):
        raise Refused("out_of_bounds")
    if world.atlas.ground.blocked(x, z):
        raise Refused("collision")


def _position(body: Body) -> events.Position:
    return events.Position(
        agent_id=body.agent_id, timestamp=body.timestamp,
        x=body.x, y=body.y, z=body.z, rotation=body.rotation,
    )  # fmt: skip
