"""Workstations and their leases."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from realmd.world import commands as c
from realmd.world.engine import World
from realmd.world.rules.work import REACH
from tests.world.worlds import (
    ATLAS,
    T0,
    again,
    body,
    done,
    join,
    news,
    pass_time,
    peopled,
    refusal,
    stand,
    told,
)

NEXUS = ATLAS.workstations["command-nexus"]


def go(agent_id: str, station: str = NEXUS.id) -> c.GoToWorkstation:
    return c.GoToWorkstation(agent_id=agent_id, workstation_id=station)


def holding(*agents: str) -> World:
    """A world in which the first agent holds the Command Nexus, at T0."""
    world = peopled(*agents)
    stand(world, agents[0], NEXUS.x, NEXUS.z)
    done(world, go(agents[0]))
    assert told(world.advance(T0)) == [("arrived", agents[0]), ("work", agents[0], "claimed")]
    return world


@pytest.mark.parametrize("station", [*ATLAS.workstations])
def test_every_station_can_be_walked_to_and_claimed(station: str) -> None:
    """From where agents enter to any workstation: arrived there, and then claimed."""
    world = peopled("ann")
    done(world, go("ann", station))
    happened = pass_time(world, T0, 40)
    assert told(happened) == [("arrived", "ann"), ("work", "ann", "claimed")]
    goal = ATLAS.workstations[station]
    assert (body(world, "ann").x, body(world, "ann").z) == (goal.x, goal.z)
    assert [event.workstation_id for event in news(happened)] == [station, station]


def test_walking_to_a_station_claims_nothing() -> None:
    """`world-walk` to a workstation only walks there, and needs no skill."""
    world = peopled("ann")
    join(world, "ann", capabilities=())
    done(world, c.WorldWalk(agent_id="ann", workstation_id=NEXUS.id))
    (arrived,) = news(pass_time(world, T0, 40))
    assert (arrived.workstation_id, world.tables.claims) == (NEXUS.id, {})


def test_who_may_not_hold_it_is_refused() -> None:
    """Unknown, without the skill, or held by another: each has its own word."""
    world = holding("ann", "bob", "cyr")
    join(world, "cyr", capabilities=("cooking",))
    assert refusal(world, go("bob")) == "occupied"
    assert refusal(world, go("cyr", "audit-helm")) == "skill_required"
    assert refusal(world, go("bob", "nowhere")) == "unknown_workstation"


def test_a_station_taken_on_the_way_blocks_the_later() -> None:
    """Of two on their way the first to come gets it, and the other is told `blocked`, occupied."""
    world = peopled("ann", "bob")
    stand(world, "ann", NEXUS.x + 2, NEXUS.z)
    stand(world, "bob", NEXUS.x + 9, NEXUS.z)
    for name in ("bob", "ann"):
        done(world, go(name))
    assert told(pass_time(world, T0, 10)) == [
        ("arrived", "ann"),
        ("work", "ann", "claimed"),
        ("blocked", "bob", "occupied"),
    ]
    assert world.tables.claims[NEXUS.id].agent_id == "ann"


def test_two_who_arrive_in_one_tick_do_not_both_hold_it() -> None:
    """One holder at a time, even in the same tick."""
    world = peopled("ann", "bob")
    for name in ("bob", "ann"):
        stand(world, name, NEXUS.x, NEXUS.z)
        done(world, go(name))
    assert told(world.advance(T0)) == [
        ("arrived", "ann"),
        ("work", "ann", "claimed"),
        ("blocked", "bob", "occupied"),
    ]


def test_work_has_an_order() -> None:
    """Work starts once, finishes with a note cut at 500 characters, and only at a station that one holds."""
    world = holding("ann", "bob")
    assert refusal(world, c.WorkStart(agent_id="bob")) == "not_at_workstation"
    assert refusal(world, c.WorkFinish(agent_id="bob")) == "not_at_workstation"
    assert refusal(world, c.WorkstationLeave(agent_id="bob")) == "not_at_workstation"
    assert refusal(world, c.WorkFinish(agent_id="ann")) == "not_working"
    done(world, c.WorkStart(agent_id="ann"), T0 + 5)
    assert world.tables.claims[NEXUS.id].working_since == T0 + 5
    assert refusal(world, c.WorkStart(agent_id="ann")) == "already_working"
    (finished,) = done(world, c.WorkFinish(agent_id="ann", note="ü" * 600))
    assert (finished.phase, finished.note) == ("finished", "ü" * 500)
    done(world, c.WorkStart(agent_id="ann"))
    assert told(done(world, c.WorkstationLeave(agent_id="ann"))) == [("work", "ann", "left")]
    assert refusal(world, c.WorkFinish(agent_id="ann")) == "not_at_workstation"


def test_claiming_another_station_gives_the_first_back() -> None:
    """An agent holds one workstation; the first is given back when its holder is out of reach."""
    world = holding("ann", "bob")
    done(world, go("ann", "content-forge"))
    assert told(pass_time(world, T0, 10)) == [
        ("work", "ann", "left"),
        ("arrived", "ann"),
        ("work", "ann", "claimed"),
    ]
    assert [*world.tables.claims] == ["content-forge"]
    done(world, go("ann", "content-forge"), T0 + 10_000)
    assert told(pass_time(world, T0 + 10_000, 1)) == [("arrived", "ann")]


def test_a_neighbouring_station_is_taken_in_exchange() -> None:
    """Even of two stations in reach of each other an agent holds one."""
    world = holding("ann")
    near = replace(NEXUS, id="near", x=NEXUS.x + 1)
    world.atlas = replace(world.atlas, workstations={**ATLAS.workstations, "near": near})
    done(world, go("ann", "near"))
    assert told(pass_time(world, T0, 1)) == [
        ("arrived", "ann"),
        ("work", "ann", "left"),
        ("work", "ann", "claimed"),
    ]
    assert ([*world.tables.claims], world.holding) == (["near"], {"ann": "near"})


def test_a_lease_ends_when_its_holder_is_gone() -> None:
    """Leaving, falling silent, walking off and moving off all free the station; a step aside does not."""
    world = holding("ann")
    left = done(world, c.WorldLeave(agent_id="ann"))
    assert told(left) == [("work", "ann", "left"), ("leave", "ann", "asked")]
    world = holding("ann")
    assert told(pass_time(world, T0, 361)) == [("work", "ann", "left"), ("leave", "ann", "silent")]
    world = holding("ann")
    stand(world, "ann", NEXUS.x + REACH, NEXUS.z)
    assert world.holding == {"ann": NEXUS.id}
    done(world, c.WorldWalk(agent_id="ann", x=NEXUS.x + 5, z=NEXUS.z))
    assert told(pass_time(world, T0, 3)) == [("work", "ann", "left"), ("arrived", "ann")]
    world = holding("ann")
    moved = done(world, c.WorldMove(agent_id="ann", x=NEXUS.x + REACH + 0.01, z=NEXUS.z))
    assert told(moved) == [("work", "ann", "left")]
    assert (world.tables.claims, world.holding) == ({}, {})


def test_a_holder_cannot_get_away_while_the_store_is_away() -> None:
    """A lease never ends unrecorded: its holder stays in reach until the store is back, then walks on."""
    world = holding("ann")
    done(world, c.WorldWalk(agent_id="ann", x=NEXUS.x + 9, z=NEXUS.z))
    world.durable = False
    assert news(pass_time(world, T0, 5)) == []
    assert 0 < body(world, "ann").x - NEXUS.x <= REACH
    assert refusal(world, c.WorldMove(agent_id="ann", x=30, z=30)) == "storage_unavailable"
    assert refusal(world, c.WorkStart(agent_id="ann")) == "storage_unavailable"
    assert world.claim_of("ann") is not None
    world.durable = True
    assert told(pass_time(world, T0 + 5000, 5)) == [("work", "ann", "left"), ("arrived", "ann")]


def test_a_lease_whose_end_was_undone_ends_later() -> None:
    """Who gave its station back and went, which could not be stored, holds it no longer once it can."""
    world = holding("ann")
    world.seal()
    done(world, c.WorkstationLeave(agent_id="ann"))
    stand(world, "ann", 30, 30)
    world.undo(world.seal())
    assert told(pass_time(world, T0, 1)) == [("work", "ann", "left")]
    assert body(world, "ann").x == 30


def test_leases_walks_and_work_survive_a_restart() -> None:
    """After a restart the holder still holds and works, and who was on the way arrives."""
    world = holding("ann", "bob")
    done(world, c.WorkStart(agent_id="ann"), T0 + 1)
    stand(world, "bob", -14, 20)
    done(world, go("bob", "content-forge"))
    world = again(world, T0 + 60_000)
    assert told(pass_time(world, T0 + 60_000, 5)) == [("arrived", "bob"), ("work", "bob", "claimed")]
    assert told(done(world, c.WorkFinish(agent_id="ann"))) == [("work", "ann", "finished")]
