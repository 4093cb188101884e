"""Workstations: a lease each, held by one agent at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from ...primitives.errors import Refused
from .. import commands, events
from ..atlas import Workstation
from ..caller import Caller
from ..model import TEXT_CUT, Body, Claim
from ..state import State
from .registry import rule

#: A holder farther than this (units) from its workstation has walked off.
REACH: Final = 3.0


@rule(commands.WorkStart)
def work_start(world: State, command: commands.WorkStart, caller: Caller) -> Iterator[events.Event]:
    held = _held(world, command.agent_id)
    if held.working_since:
        raise Refused("already_working")
    world.tables.put("claims", held.workstation_id, replace(held, working_since=world.now))
    yield _work(world, held, "started")


@rule(commands.WorkFinish)
def work_finish(world: State, command: commands.WorkFinish, caller: Caller) -> Iterator[events.Event]:
    held = _held(world, command.agent_id)
    if not held.working_since:
        raise Refused("not_working")
    world.tables.put("claims", held.workstation_id, replace(held, working_since=0))
    yield _work(world, held, "finished", world.cleaner.text(command.note, TEXT_CUT))


@rule(commands.WorkstationLeave)
def workstation_leave(
    world: State, command: commands.WorkstationLeave, caller: Caller
) -> Iterator[events.Event]:
    _held(world, command.agent_id)
    yield from release(world, command.agent_id)


def check_free(world: State, agent_id: str, station: Workstation) -> None:
    """Refuse unless the agent may hold `station`."""
    if not world.tables.profiles[agent_id].can(station.skill):
        raise Refused("skill_required", f"skill_required: {station.skill}")
    holder = world.tables.claims.get(station.id)
    if holder is not None and holder.agent_id != agent_id:
        raise Refused("occupied")


def claim(world: State, agent_id: str, workstation_id: str) -> Iterator[events.Event]:
    """Give the free station to the agent; it holds one at a time."""
    held = world.claim_of(agent_id)
    if held is not None and held.workstation_id == workstation_id:
        return
    yield from release(world, agent_id)
    taken = Claim(workstation_id, agent_id, world.now)
    world.tables.put("claims", workstation_id, taken)
    world.holding[agent_id] = workstation_id
    yield _work(world, taken, "claimed")


def release(world: State, agent_id: str) -> Iterator[events.Event]:
    """End the agent's lease, if it holds one."""
    held = world.claim_of(agent_id)
    if held is not None:
        world.tables.drop("claims", held.workstation_id)
        del world.holding[agent_id]
        yield _work(world, held, "left")


def release_if_away(world: State, body: Body) -> Iterator[events.Event]:
    """End the lease of a holder that walked off."""
    held = world.holding.get(body.agent_id)
    if held is not None:
        station = world.atlas.workstations.get(held)
        if station is None or math.dist((body.x, body.z), (station.x, station.z)) > REACH:
            yield from release(world, body.agent_id)


def _held(world: State, agent_id: str) -> Claim:
    held = world.claim_of(agent_id)
    if held is None:
        raise Refused("not_at_workstation")
    return held


def _work(world: State, held: Claim, phase: str, note: str = "") -> events.Work:
    return events.Work(
        agent_id=held.agent_id,
        timestamp=world.now,
        seq=world.seq(),
        workstation_id=held.workstation_id,
        phase=phase,  # type: ignore[arg-type]
        note=note or UNSET,
    )
