"""The fan-out, by counting: who is told what, in how many writes, and how often it is encoded."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any

import pytest
from twisted.logger import capturedLogs

from realmd.protocol import dialects
from realmd.protocol.dialects import DIALECTS
from realmd.runtime.fanout import Fanout, Viewer
from tests.fakes import Clockwork, Watcher, act, chat, frames, leave, message, move, watch


def test_the_fake_viewer_is_a_viewer() -> None:
    """What these tests show of a viewer holds for every connection."""
    viewer: Viewer = Watcher()
    wanted = {**Viewer.__annotations__, "dialect": ""}
    assert all(hasattr(viewer, name) for name in wanted)
    assert inspect.signature(type(viewer).deliver) == inspect.signature(Viewer.deliver)


def test_an_event_is_encoded_once_whatever_the_number_of_viewers(made: Counter[str]) -> None:
    """A word and a move cost two encodings and two frames for one viewer, and for two hundred."""
    costs = []
    for number in (1, 200):
        works = Clockwork(slots=1000)
        works.join("ann", at=(0, 0))
        viewers = [Watcher() for _ in range(number)]
        watch(works, *viewers)
        made.clear()
        works.tick(chat("ann"), move("ann", 1, 1))
        works.store.land()
        costs.append(dict(made))
        assert [viewer.seen() for viewer in viewers] == [["chat ann hello", "position ann 1,1"]] * number
    assert costs == [{"json": 2, "frames": 2}] * 2


def test_a_group_is_rendered_once(made: Counter[str]) -> None:
    """In the batch dialect, too, those who look at one place share one message, snapshots due or not."""
    works = Clockwork(slots=2)
    works.join("ann", at=(0, 0))
    viewers = [Watcher(dialect=DIALECTS[True, False]) for _ in range(100)]
    watch(works, *viewers)
    made.clear()
    works.tick(chat("ann"), move("ann", 1, 1))
    works.store.land()
    # The word, the move and ann herself; the whole, its durable part and the snapshot.
    assert made == {"json": 3, "frames": 3}
    assert {len(viewer.writes) for viewer in viewers} == {1}


def test_idle_ticks_cost_nothing(made: Counter[str]) -> None:
    """While nothing happens, nothing is written or encoded but each viewer's snapshot now and then."""
    works = Clockwork(slots=10)
    works.join("ann", "bob")
    viewers = [Watcher() for _ in range(5)]
    watch(works, *viewers)
    made.clear()
    spent = []
    for _ in range(20):
        works.tick()
        spent.append((sum(len(viewer.writes) for viewer in viewers), sum(made.values())))
        for viewer in viewers:
            viewer.writes.clear()
        made.clear()
    assert sorted(spent) == [(0, 0)] * 10 + [(1, 3)] * 10


def test_at_most_one_write_a_tick() -> None:
    """Words, moves, whispers and snapshots of one tick come together, however the commits end."""
    works = Clockwork(slots=1)
    works.join("ann", "bob", at=(0, 0))
    viewer = Watcher()
    works.fanout.link(viewer, "ann")
    watch(works, viewer)
    works.tick(chat("ann"), message("bob", "ann"), message("ann", "bob"), chat("bob"), move("bob", 1, 1))
    works.store.land()
    assert viewer.seen() == [
        "chat ann hello", "private message bob psst", "private message ann psst", "chat bob hello",
        "position bob 1,1", "snapshot ann bob",
    ]  # fmt: skip


def test_at_most_one_write_a_tick_with_slow_commits() -> None:
    """Two commits that end between two ticks, one of them late, are told in one write, the next tick's."""
    works = Clockwork(slots=1000)
    works.join("ann", at=(0, 0))
    viewer = Watcher()
    watch(works, viewer)
    works.tick(chat("ann", "1"), move("ann", 1, 1))
    assert viewer.seen() == []
    works.tick(chat("ann", "2"))
    assert viewer.seen() == ["position ann 1,1"]
    works.store.land()
    works.store.land()
    assert viewer.seen() == []
    works.tick(chat("ann", "3"), move("ann", 2, 2))
    assert viewer.seen() == ["chat ann 1", "chat ann 2", "position ann 2,2"]
    works.store.land()
    assert viewer.seen() == []
    works.tick()
    assert viewer.seen() == ["chat ann 3"]


def test_a_hung_commit_holds_up_no_walker() -> None:
    """While the disk hangs, positions come every other tick at least."""
    works = Clockwork(slots=1000)
    works.join("ann", at=(0, 0))
    viewer = Watcher()
    watch(works, viewer)
    works.tick(chat("ann"))
    for x in range(1, 7):
        works.tick(move("ann", x, 0))
    assert viewer.seen() == ["position ann 1,0", "|", "position ann 3,0", "|", "position ann 5,0"]


def test_only_the_last_position_of_a_tick() -> None:
    """Of several moves and actions of one agent in a tick, the last of each is sent."""
    works = Clockwork()
    works.join("ann", "bob", at=(0, 0))
    viewer = Watcher()
    watch(works, viewer)
    works.tick(
        move("ann", 1, 0),
        act("ann"),
        move("bob", 5, 5),
        move("ann", 2, 0),
        act("ann", "spin"),
        move("ann", 3, 0),
    )
    assert sorted(viewer.seen()) == ["action ann spin", "position ann 3,0", "position bob 5,5"]


@pytest.mark.parametrize(("distance", "told"), [(0, True), (19.9, True), (31, False), (49, False)])
def test_the_area_of_interest(distance: float, told: bool) -> None:
    """Who moves within the radius (20) is always seen, who moves more than two cells (5) beyond it never."""
    for x in (-24.9, -12.5, 0.0, 0.1):
        works = Clockwork(slots=1000)
        works.join("ann")
        viewer = Watcher()
        watch(works, viewer)
        works.fanout.look(viewer, x, 7)
        works.tick(move("ann", x + distance, 7))
        assert bool(viewer.seen()) is told
        works.tick(chat("ann"))
        works.store.land()
        assert viewer.seen() == ["chat ann hello"]


def test_followers_move_with_their_agent() -> None:
    """Who follows an agent sees it wherever it goes and what is around it, and stays when told to."""
    works = Clockwork(slots=1000)
    works.join("ann", "bob", at=(-45, -45))
    viewer = Watcher(follow="ann")
    watch(works, viewer)
    works.tick(move("ann", 45, 45))
    assert viewer.seen() == ["position ann 45,45"]
    works.tick(move("bob", 44, 44))
    assert viewer.seen() == ["position bob 44,44"]
    works.fanout.follow(viewer, None)
    works.tick(move("ann", -45, -45))
    works.tick(move("bob", 43, 43))
    assert viewer.seen() == ["position bob 43,43"]
    works.fanout.follow(viewer, "ann")
    works.tick(move("ann", -44, -44))
    assert viewer.seen() == ["position ann -44,-44"]


def test_an_agent_followed_before_it_enters() -> None:
    """A page may be opened on an agent that is not there yet; when it enters, the view goes to it."""
    works = Clockwork(slots=1000)
    viewer = Watcher(follow="ann")
    watch(works, viewer)
    works.join("ann", at=(45, 45))
    assert viewer.seen()[-1] == "position ann 45,45"


def test_what_a_slow_reader_gets() -> None:
    """What may be dropped for it are positions, actions and snapshots of its area, never an event."""
    works = Clockwork(slots=1)
    works.join("ann", at=(0, 0))
    viewer = Watcher()
    watch(works, viewer)
    works.tick(chat("ann"), move("ann", 1, 1), act("ann"))
    works.store.land()
    assert viewer.lasting() == ["chat ann hello"]


def test_what_is_private_reaches_only_its_two_agents() -> None:
    """Sender and receiver read it, on each of their connections; others get no byte of it."""
    works = Clockwork(slots=1000)
    works.join("ann", "bob", "cid")
    viewers = {name: Watcher() for name in ("ann", "bob", "bob too", "cid", "nobody")}
    watch(works, *viewers.values())
    for name in ("ann", "bob", "bob too", "cid"):
        works.fanout.link(viewers[name], name[:3])
    works.tick(message("ann", "bob"))
    works.store.land()
    told = ["private message ann psst"]
    assert [v.seen() for v in viewers.values()] == [told, told, told, [], []]
    works.fanout.unlink(viewers["bob"], "bob")
    works.tick(message("ann", "bob"), chat("cid"))
    works.store.land()
    said = ["chat cid hello"]
    assert [v.seen() for v in viewers.values()] == [told + said, said, told + said, said, said]


def test_one_who_is_both_reads_it_once() -> None:
    """A connection that speaks for both agents gets a message between them once."""
    works = Clockwork(slots=1000)
    works.join("ann", "bob")
    viewer = Watcher()
    watch(works, viewer)
    works.fanout.link(viewer, "ann")
    works.fanout.link(viewer, "bob")
    works.tick(message("ann", "bob"))
    works.store.land()
    assert viewer.seen() == ["private message ann psst"]


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=str)
def test_every_dialect_tells_the_same(dialect: dialects.Dialect) -> None:
    """Batched and deflated viewers learn what classic ones learn, in one message a tick."""
    works = Clockwork(slots=1000)
    works.join("ann", "bob", at=(0, 0))
    viewer, classic = Watcher(dialect=dialect), Watcher()
    watch(works, viewer, classic)
    for one in (viewer, classic):
        works.fanout.link(one, "bob")
    works.tick(*[chat("ann", "hello " * 20)] * 5, message("ann", "bob"), move("ann", 1, 1))
    works.store.land()
    (whole, _), *more = viewer.writes
    assert not more
    assert len([*frames(whole)]) == (1 if dialect.batch else 7)
    assert viewer.seen() == classic.seen()


def test_a_viewer_that_fails_does_not_stop_others() -> None:
    """One broken connection is logged; the others hear, and it leaves by the usual way."""

    class Broken(Watcher):
        def deliver(self, whole: bytes, durable: bytes) -> None:
            works.fanout.leave(self)
            raise RuntimeError("gone")

    works = Clockwork(slots=1000)
    works.join("ann", at=(0, 0))
    viewers = [Watcher() for _ in range(3)]
    watch(works, *viewers)
    for one in (Broken(), Broken()):
        works.fanout.join(one)
        works.fanout.look(one, 5, 5)
    with capturedLogs() as events:
        works.tick(chat("ann"))
        works.store.land()
    assert [viewer.seen() for viewer in viewers] == [["chat ann hello"]] * 3
    assert [e["log_failure"].type for e in events] == [RuntimeError] * 2


def traces(fanout: Fanout) -> list[Any]:
    """What the fan-out keeps of viewers."""
    kept = [fanout._groups, fanout._due, fanout._fresh, fanout._followers, fanout._links]
    return [index for index in (*kept, *fanout._slots) if index]


def test_who_leaves_leaves_no_trace() -> None:
    """Whatever viewers did, when they are gone every index is empty: a realm can run for years."""
    works = Clockwork(slots=3)
    works.join("ann", "bob")
    viewers = [Watcher(follow="ann" if number % 2 else None) for number in range(6)]
    for number, viewer in enumerate(viewers):
        works.fanout.join(viewer)
        works.fanout.link(viewer, "bob")
        works.fanout.link(viewer, f"stranger {number}")
        works.fanout.look(viewer, number, number)
        works.fanout.follow(viewer, "bob" if number % 3 else None)
        works.fanout.refresh(viewer)
        works.tick(move("bob", number, 40), chat("ann"))
    works.tick(chat("ann"))
    for viewer in viewers:
        works.fanout.refresh(viewer)
        works.fanout.leave(viewer)
        works.fanout.leave(viewer)
    assert traces(works.fanout) == []
    works.settle(leave("ann"), leave("bob"))
    works.tick()
    assert not works.fanout._committed
    assert not works.fanout._positions
    assert not works.fanout._actions
