"""Snapshots: who is in them, whose turn it is, and how often they are made."""

from __future__ import annotations

from collections import Counter

from tests.fakes import Clockwork, Watcher, act, chat, move, register, watch


def test_nobody_is_shown_before_its_join_is_committed() -> None:
    """Not in a snapshot, not by its moves; then it comes all at once, the join before where it stands."""
    works = Clockwork(slots=1)
    works.join("bob", at=(1, 1))
    viewer = Watcher()
    watch(works, viewer)
    works.tick(register("ann"), move("ann", 5, 5))
    works.tick(act("ann"), move("bob", 2, 2))
    works.tick(move("ann", 6, 6))
    works.tick()
    newcomer = Watcher()
    works.fanout.join(newcomer)
    works.tick()
    works.tick()
    assert viewer.seen() == ["position bob 2,2", "snapshot bob", "|", "snapshot bob", "|", "snapshot bob"]
    assert newcomer.seen() == ["snapshot bob"]
    works.tick()
    works.store.land()
    assert viewer.seen() == ["join ann", "position ann 6,6", "action ann wave", "snapshot bob ann"]
    works.tick(chat("bob"))
    works.tick(register("cid"))
    works.tick()
    works.store.land()
    works.tick()
    assert "cid" not in " ".join(viewer.seen())


def test_an_agent_whose_join_failed_was_never_shown() -> None:
    """Nothing that was held back for it is told to anybody, now or later."""
    works = Clockwork(slots=1)
    viewer = Watcher()
    watch(works, viewer)
    works.tick(register("ann"), move("ann", 5, 5))
    works.tick(act("ann"))
    works.store.lose()
    works.tick()
    assert set(viewer.seen()) <= {"snapshot", "|"}
    assert not works.fanout._positions
    assert not works.fanout._actions


def test_snapshots_are_staggered() -> None:
    """Each viewer gets one every `slots` ticks, and every tick has its even share of them."""
    works = Clockwork(slots=8)
    works.join("ann")
    viewers = [Watcher() for _ in range(20)]
    watch(works, *viewers)
    shares = []
    for _ in range(8):
        works.tick()
        shares.append(sum(len(viewer.writes) for viewer in viewers))
        for viewer in viewers:
            viewer.writes.clear()
    assert sorted(shares) == [2, 2, 2, 2, 3, 3, 3, 3]
    for viewer in viewers[::2]:
        works.fanout.leave(viewer)
    for _ in range(10):
        works.fanout.join(Watcher())
    assert {len(slot) for slot in works.fanout._slots} == {2, 3}


def test_snapshots_of_one_place_are_made_once(made: Counter[str]) -> None:
    """However many look at a place in their turn, each agent is encoded once, and one frame is made."""
    works = Clockwork(slots=2)
    works.join("ann", "bob")
    viewers = [Watcher() for _ in range(40)]
    watch(works, *viewers)
    made.clear()
    works.tick()
    assert sum(len(viewer.writes) for viewer in viewers) == 20
    assert made == {"json": 2, "frames": 1}


def test_an_area_snapshot_holds_its_area_only() -> None:
    """Every so often a viewer is told everybody near the place that it looks at, and nobody far away."""
    works = Clockwork(slots=1)
    works.join("ann", at=(-40, -40))
    works.join("bob", at=(40, 40))
    viewer = Watcher()
    watch(works, viewer)
    works.fanout.look(viewer, 38, 38)
    works.tick()
    assert viewer.seen() == ["snapshot bob"]


def test_a_newcomer_gets_everybody_on_the_next_tick() -> None:
    """The first snapshot is full wherever one looks, survives a slow reader, and may be asked for again."""
    works = Clockwork(slots=1000)
    works.join("ann", at=(-40, -40))
    works.join("bob", at=(40, 40))
    viewer = Watcher()
    works.fanout.join(viewer)
    works.tick(move("ann", -39, -39), move("bob", 1, 1))
    assert viewer.seen() == ["position bob 1,1", "snapshot ann bob"]
    works.fanout.refresh(viewer)
    works.tick(chat("ann"), move("bob", 2, 2))
    works.store.land()
    assert viewer.lasting() == ["chat ann hello", "snapshot ann bob"]
