"""Snapshots: who is in them, whose turn it is, and how often they are made."""

from __future__ import annotations

from collections import Counter

from realmd.protocol.dialects import DIALECTS
from realmd.runtime.snapshots import ALLOWANCE, PAGE
from realmd.world.model import Skill
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
    assert viewer.seen() == ["join ann", "position ann 6,6", "action ann wave", "snapshot ann bob"]
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


def crowd(works: Clockwork, number: int) -> list[str]:
    """So many agents, each with some 2 KB to tell, in two corners."""
    names = [f"agent-{n:03d}" for n in range(number)]
    skills = tuple(Skill(skill_id=f"s{n}", name="s", description="d" * 490) for n in range(4))
    for name in names:
        works.settle(register(name, skills=skills))
    for n, name in enumerate(names):
        works.settle(move(name, *((-40, -40) if n % 2 else (40, 40))))
    return names


def test_a_long_world_comes_in_pages() -> None:
    """A newcomer is told its area, then everybody, at most 64 KiB at once, when it has read the last."""
    works = Clockwork(slots=1000, max_agents=100)
    names = crowd(works, 70)
    viewer = Watcher()
    works.fanout.join(viewer)
    works.fanout.look(viewer, 40, 40)
    works.tick()
    ((first, durable),) = viewer.writes
    assert first == durable
    near = viewer.seen()[0].split()[1:]
    assert near == names[::2][: len(near)]
    viewer.behind = True
    works.tick()
    works.tick()
    assert viewer.writes == []
    viewer.behind = False
    told: list[str] = []
    for _ in range(4):
        works.tick()
        assert all(len(whole) < PAGE + 1000 for whole, _ in viewer.writes)
        told += [name for page in viewer.seen() for name in page.split()[1:]]
    assert told == names
    assert not works.fanout._tours


def test_pages_are_made_once_for_all_who_get_them(made: Counter[str]) -> None:
    """A hundred newcomers cost what one does."""
    works = Clockwork(slots=1000, max_agents=100)
    crowd(works, 70)
    viewers = [Watcher() for _ in range(100)]
    for viewer in viewers:
        works.fanout.join(viewer)
    made.clear()
    for _ in range(5):
        works.tick()
    assert made["frames"] == 4  # the area of the origin, in which nobody is, and three pages
    assert len({tuple(whole for whole, _ in viewer.writes) for viewer in viewers}) == 1


def test_who_wants_all_deflated_makes_nobody_wait() -> None:
    """Beyond what one flush may deflate, snapshots are sent plain, to the same effect."""
    works = Clockwork(slots=1, max_agents=100)
    crowd(works, 44)
    viewers = [Watcher(dialect=DIALECTS[True, True]) for _ in range(25)]
    watch(works, *viewers)
    for n, viewer in enumerate(viewers):
        works.fanout.look(viewer, n % 5 * 5 + 26, n // 5 * 5 + 26)
    works.tick()
    deflated = [viewer for viewer in viewers if viewer.writes[0][0][0] == 0xC1]
    assert 0 < len(deflated) <= ALLOWANCE // 40_000 + 1
    assert len({tuple(viewer.seen()) for viewer in viewers}) == 1
