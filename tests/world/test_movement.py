"""Moving at once, and walking."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from realmd.primitives.errors import Refused
from realmd.world import commands as c
from realmd.world import events
from realmd.world.engine import World
from realmd.world.rules import movement
from tests.world.worlds import T0, body, done, empty, join, news, pass_time, peopled, refusal, stand, told


def places(happened: list[events.Event], agent_id: str) -> list[tuple[float, float]]:
    return [(e.x, e.z) for e in happened if isinstance(e, events.Position) and e.agent_id == agent_id]


def actions(happened: list[events.Event]) -> list[str]:
    return [e.action for e in happened if isinstance(e, events.Action)]


def walk(world: World, agent_id: str, now: int = T0, **goal: Any) -> list[events.Event]:
    return list(done(world, c.WorldWalk(agent_id=agent_id, **goal), now))


BEYOND = math.nextafter(50, 51)


@pytest.mark.parametrize(
    ("x", "y", "z", "code"),
    [
        (50, 0, -50, None), (-0.0, 50, 0, None), (-20, 0, -15, None),
        (BEYOND, 0, 0, "out_of_bounds"), (0, 0, -BEYOND, "out_of_bounds"), (math.nan, 0, 0, "out_of_bounds"),
        (0, 0, math.inf, "out_of_bounds"), (0, math.nan, 0, "out_of_bounds"), (0, 1e308, 0, None),
        (-20, 0, math.nextafter(-15, -16), "collision"), (22, 0, -22, "collision"),
    ],
)  # fmt: skip
def test_where_one_may_stand(x: float, y: float, z: float, code: str | None) -> None:
    """A move stands its agent there at once, or is refused and the agent stays where it was."""
    world = peopled("ann")
    stand(world, "ann", 1, 1)
    command = c.WorldMove(agent_id="ann", x=x, y=y, z=z)
    if code is not None:
        assert refusal(world, command) == code
        x, y, z = 1, 0, 1
    else:
        assert places(list(done(world, command)), "ann") == [(x, z)]
    assert (body(world, "ann").x, body(world, "ann").y, body(world, "ann").z) == (x, min(y, 50), z)


def test_twenty_commands_a_second() -> None:
    """Twenty go at once, the next is refused, and a twentieth of a second later one more goes."""
    world = peopled("ann", "bob")
    move = c.WorldMove(agent_id="ann", x=1, z=1)
    later = T0 + 10_000
    for _ in range(20):
        done(world, move, later)
    assert refusal(world, move, later) == "rate_limited"
    assert refusal(world, move, later + 49) == "rate_limited"
    done(world, move, later + 50)
    assert refusal(world, move, later + 50) == "rate_limited"
    done(world, c.WorldMove(agent_id="bob", x=2, z=2), later)
    assert refusal(world, move, later - 3_600_000) == "rate_limited"  # the clock was set back
    done(world, move, later - 3_600_000 + 50)


def test_a_walk_goes_around_buildings_at_walking_speed() -> None:
    """A walker makes walking speed, never stands in a building, and arrives once, exactly at its goal."""
    world = peopled("ann")
    stand(world, "ann", -20, -10)
    assert actions(walk(world, "ann", x=-20.12345, z=-30.0)) == ["walk"]
    happened = pass_time(world, T0, 20)
    way = [(-20.0, -10.0), *places(happened, "ann")]
    assert all(not world.atlas.ground.blocked(*point) for point in way)
    assert max(math.dist(a, b) for a, b in pairwise(way)) <= 0.3 + 0.002
    assert 7.5 <= len(way) * 0.1 <= 9  # half way round a circle of radius 5 within 20 units
    assert told(happened) == [("arrived", "ann")]
    assert (news(happened)[0].x, news(happened)[0].z) == (-20.12345, -30.0) == way[-1]
    assert actions(happened) == ["idle"]
    assert world.walking == set()


def test_a_walk_to_where_one_stands_arrives() -> None:
    """Even the shortest walk ends in one `arrived`, with the next tick."""
    world = peopled("ann")
    stand(world, "ann", 3, 3)
    walk(world, "ann", x=3.0, z=3.0)
    assert told(world.advance(T0)) == [("arrived", "ann")]


def test_the_last_walk_asked_for_is_the_one_that_ends() -> None:
    """Who changes its mind on the way arrives once, at the later goal; who moves at once does not arrive."""
    world = peopled("ann", "bob")
    for name in ("ann", "bob"):
        stand(world, name, 0, 20)
        walk(world, name, x=9.0, z=20.0)
    first = pass_time(world, T0, 1)
    walk(world, "ann", T0 + 1000, x=0.0, z=20.0)
    stopped = done(world, c.WorldMove(agent_id="bob", x=4, z=20), T0 + 1000)
    assert actions(list(stopped)) == ["idle"]
    happened = [*first, *pass_time(world, T0 + 1000, 5)]
    assert [(e.agent_id, e.x) for e in news(happened)] == [("ann", 0.0)]


@pytest.mark.parametrize(
    ("goal", "code"),
    [
        ({"x": 51.0, "z": 0.0}, "out_of_bounds"), ({"x": math.nan, "z": 0.0}, "out_of_bounds"),
        ({"x": 22.0, "z": -22.0}, "collision"), ({"x": 1.0}, "not_found"), ({}, "not_found"),
        ({"workstation_id": "Audit-Helm"}, "unknown_workstation"),
        ({"target_agent_id": "nobody"}, "unknown_target"), ({"target_agent_id": "gone"}, "unknown_target"),
        ({"target_agent_id": "ann"}, "unknown_target"),
    ],
)  # fmt: skip
def test_walks_that_lead_nowhere_are_refused(goal: dict[str, Any], code: str) -> None:
    """A walk to no place, nobody, who has left or oneself is refused, and the walk before it goes on."""
    world = peopled("ann", "gone")
    stand(world, "ann", 0, 20)
    done(world, c.WorldLeave(agent_id="gone"))
    walk(world, "ann", x=3.0, z=20.0)
    was = body(world, "ann")
    assert refusal(world, c.WorldWalk(agent_id="ann", **goal)) == code
    assert body(world, "ann") is was
    assert told(pass_time(world, T0, 2)) == [("arrived", "ann")]


def test_walking_to_an_agent_that_walks_on() -> None:
    """A walker follows its target when it has moved on, and arrives beside it, once."""
    world = peopled("ann", "bob")
    stand(world, "ann", -30, 30)
    stand(world, "bob", -20, 30)
    walk(world, "ann", target_agent_id="bob")
    walk(world, "bob", x=-5.0, z=30.0)
    happened = pass_time(world, T0, 20)
    assert told(happened) == [("arrived", "bob"), ("arrived", "ann")]
    assert news(happened)[1].target_agent_id == "bob"
    assert math.dist(places(happened, "ann")[-1], (-5, 30)) <= movement.NEAR


def test_two_who_walk_to_each_other_meet() -> None:
    """Neither waits for the other for ever."""
    world = peopled("ann", "bob")
    stand(world, "ann", -30, 30)
    stand(world, "bob", 0, 30)
    walk(world, "ann", target_agent_id="bob")
    walk(world, "bob", target_agent_id="ann")
    assert sorted(told(pass_time(world, T0, 10))) == [("arrived", "ann"), ("arrived", "bob")]


def test_a_target_that_left_blocks_the_walk() -> None:
    """When the agent one walks to has left, the walk ends in one `blocked` that says so."""
    world = peopled("ann", "bob")
    stand(world, "ann", -30, 30)
    stand(world, "bob", -20, 30)
    walk(world, "ann", target_agent_id="bob")
    done(world, c.WorldLeave(agent_id="bob"))
    assert told(pass_time(world, T0, 10)) == [("blocked", "ann", "unknown_target")]


def test_a_target_that_cannot_be_followed_blocks_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """`arrived` is never said far from the agent that was walked to."""
    world = peopled("ann", "bob")
    stand(world, "ann", -30, 30)
    stand(world, "bob", -20, 30)
    walk(world, "ann", target_agent_id="bob")
    stand(world, "bob", 0, 30)
    monkeypatch.setattr(type(world.atlas.ground), "path", lambda *_: None)
    assert told(pass_time(world, T0, 10)) == [("blocked", "ann", "unreachable")]


def test_walkers_wait_at_their_goal_for_the_store() -> None:
    """While nothing can be made durable walkers walk and wait; then each arrives exactly once."""
    world = peopled("ann")
    stand(world, "ann", 0, 20)
    world.durable = False
    walk(world, "ann", x=3.0, z=20.0)
    happened = pass_time(world, T0, 5)
    assert (news(happened), places(happened, "ann")[-1]) == ([], (3.0, 20.0))
    assert len(places(happened, "ann")) == 10
    world.durable = True
    assert told(pass_time(world, T0 + 5000, 5)) == [("arrived", "ann")]


def test_an_arrival_that_could_not_be_stored_is_told_later() -> None:
    """An undone arrival happens again, once; one who has moved on meanwhile stays where it went."""
    world = peopled("ann", "bob", "cyr")
    for name in ("ann", "bob", "cyr"):
        stand(world, name, 0, 20)
        walk(world, name, x=0.3, z=20.0)
    world.seal()
    assert len(news(pass_time(world, T0, 0.1))) == 3
    sealed = world.seal()
    done(world, c.WorldAction(agent_id="bob", action="dance"), T0 + 100)
    stand(world, "cyr", 5, 20, T0 + 100)
    world.undo(sealed)
    assert told(pass_time(world, T0 + 100, 1)) == [("arrived", "ann"), ("arrived", "bob")]
    assert body(world, "cyr").x == 5
    assert {"ann", "bob", "cyr"} <= world.unsaved


def test_a_late_tick_is_one_step() -> None:
    """After a stall of ten seconds a walker makes one second's way, and none when time goes back."""
    world = peopled("ann")
    stand(world, "ann", 0, 20)
    world.advance(T0)
    walk(world, "ann", x=40.0, z=20.0)
    world.advance(T0 + 10_000)
    assert body(world, "ann").x == pytest.approx(3.0)
    world.advance(T0)
    assert body(world, "ann").x == pytest.approx(3.0)


@pytest.mark.parametrize("speed", [0.1, 3.0, 100.0])
@pytest.mark.parametrize("tick", [20, 1000])
def test_every_speed_and_tick_arrives(speed: float, tick: int) -> None:
    """The slowest walk on the shortest tick gets there, and the fastest does not overshoot."""
    world = empty(walk_speed=speed, commands_per_second=100)
    join(world, "ann")
    stand(world, "ann", 0, 20)
    walk(world, "ann", x=0.7, z=20.7)
    now, happened = T0, list[events.Event]()
    while not news(happened):
        now += tick
        assert now <= T0 + 1010 / speed + 2 * tick
        happened += world.advance(now)
    assert (body(world, "ann").x, body(world, "ann").z) == (0.7, 20.7)


def test_a_broken_rule_stops_one_walker_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong with one agent is noted once; the others walk on, and nothing of it is told."""
    world = peopled("ann", "bob")
    for name in ("ann", "bob"):
        stand(world, name, 0, 20)
        walk(world, name, x=1.0, z=20.0)
    step = movement.step

    def breaks(world: World, agent_id: str, elapsed: int) -> Iterator[events.Event]:
        yield from step(world, agent_id, elapsed)
        if agent_id == "ann":
            world.seq()
            raise ZeroDivisionError

    monkeypatch.setattr(movement, "step", breaks)
    seq = world.tables.seq
    happened = pass_time(world, T0, 2)
    assert [type(fault) for fault in world.faults] == [ZeroDivisionError]
    assert [event.seq for event in news(happened)] == [seq + 1]
    assert (told(happened), world.walking) == ([("arrived", "bob")], set())


def test_nothing_half_done_remains_of_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that refuses late leaves tables, bodies and what follows from them as they were."""
    world = peopled("ann")
    stand(world, "ann", 0, 20)
    was = body(world, "ann")

    def late(*_: object) -> Iterator[events.Event]:
        yield from ()
        raise Refused("unreachable")

    monkeypatch.setattr(movement, "_position", lambda body: next(late()))
    assert refusal(world, c.WorldMove(agent_id="ann", x=1, z=1)) == "unreachable"
    assert body(world, "ann") is was
