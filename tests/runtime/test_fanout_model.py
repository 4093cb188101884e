"""The fan-out against a naive model that works out, viewer by viewer, what each must be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor, hypot
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realmd.protocol import encode
from realmd.protocol.dialects import DIALECTS
from realmd.runtime.fanout import Fanout
from realmd.runtime.journal import Committed
from realmd.storage.interface import Entry
from realmd.world import events
from realmd.world.model import Body, Profile
from realmd.world.space import Grid
from tests.fakes import Watcher, a_world

AGENTS = ("ann", "bob", "cid", "dan")
CELL, RADIUS = 10.0, 25.0
#: The events in order, the rest sorted, and what of both even a slow reader gets, sorted.
Told = tuple[list[str], list[str], list[str]]


@dataclass(eq=False)
class Seat:
    """A viewer as the model knows it: where it looks, whom it follows and speaks for, what it is due."""

    watcher: Watcher
    place: tuple[float, float] = (0.0, 0.0)
    follow: str | None = None
    links: set[str] = field(default_factory=set)
    fresh: bool = True
    due: bool = False


def apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The least distance between a point of the one's cell and a point of the other's."""
    gaps = [max(0, abs(floor(p / CELL) - floor(q / CELL)) - 1) * CELL for p, q in zip(a, b, strict=True)]
    return hypot(*gaps)


class Model:
    """A fan-out, and beside it what it ought to do."""

    def __init__(self) -> None:
        self.world = a_world()
        self.journal = SimpleNamespace(idle=True, hidden=set())
        self.journal.unannounced = lambda: self.journal.hidden
        self.fanout = Fanout(self.world, Grid(50.0, CELL, RADIUS), self.journal, slots=3)  # type: ignore[arg-type]
        self.seats: list[Seat] = []
        self.seq = self.ticks = 0
        self.news: list[events.Durable] = []
        self.moves: dict[str, events.Position] = {}
        self.acts: dict[str, events.Action] = {}
        self.waiting = False
        for name in AGENTS:
            self.world.tables.profiles[name] = Profile(name, name, "", "", (), "#000000", 0, 0)

    # -- what the test may do ------------------------------------------------------------

    def enter(self, who: str, announced: bool) -> None:
        if who not in self.world.tables.bodies:
            self.move(who, 1, 1)
            if not announced:
                self.journal.hidden.add(who)

    def announce(self) -> None:
        self.journal.hidden.clear()

    def vanish(self, who: str) -> None:
        self.world.tables.bodies.pop(who, None)
        self.journal.hidden.discard(who)

    def move(self, who: str, x: int, z: int) -> None:
        self.world.tables.bodies[who] = Body(who, x, z)
        self.moves[who] = events.Position(agent_id=who, timestamp=0, x=x, y=0, z=z, rotation=0)
        self.fanout.note(self.moves[who])

    def act(self, who: str, action: str) -> None:
        self.acts[who] = events.Action(agent_id=who, timestamp=0, action=action)
        self.fanout.note(self.acts[who])

    def publish(self, pairs: list[tuple[str, str | None]]) -> None:
        committed = []
        for who, to in pairs:
            self.seq += 1
            common: dict[str, Any] = {"agent_id": who, "timestamp": 0, "seq": self.seq}
            event: events.Durable = (
                events.Message(**common, to_agent_id=to, content="") if to else events.Chat(**common, text="")
            )
            self.news.append(event)
            entry = Entry(self.seq, 0, "", who, to, encode.event(event))
            committed.append(Committed(event, entry))
        flushes = self.waiting
        wanted = self.told() if flushes else {}
        self.fanout.publish(committed)
        self.compare(wanted)

    def tick(self, idle: bool) -> None:
        self.journal.idle = idle
        self.ticks += 1
        for seat in self.seats:
            seat.due |= self.ticks % 3 == seat.watcher.slot
        if idle or self.waiting or self.news:
            wanted = self.told()
        else:
            wanted, self.waiting = {}, True
        self.fanout.tick()
        self.compare(wanted)

    def join(self, follow: str | None, batch: bool, deflate: bool) -> None:
        seat = Seat(Watcher(follow, DIALECTS[batch, deflate]), follow=follow)
        self.seats.append(seat)
        self.fanout.join(seat.watcher)
        self.turn_to(seat)

    def leave(self, seat: Seat) -> None:
        self.seats.remove(seat)
        self.fanout.leave(seat.watcher)

    def look(self, seat: Seat, x: int, z: int) -> None:
        seat.place = (x, z)
        self.fanout.look(seat.watcher, x, z)

    def follow(self, seat: Seat, who: str | None) -> None:
        seat.follow = who
        self.fanout.follow(seat.watcher, who)
        self.turn_to(seat)

    def link(self, seat: Seat, who: str, on: bool) -> None:
        (seat.links.add if on else seat.links.discard)(who)
        (self.fanout.link if on else self.fanout.unlink)(seat.watcher, who)

    def refresh(self, seat: Seat) -> None:
        seat.fresh = True
        self.fanout.refresh(seat.watcher)

    # -- what ought to come of it ---------------------------------------------------------

    def turn_to(self, seat: Seat) -> None:
        body = self.world.body(seat.follow) if seat.follow else None
        if body is not None:
            seat.place = (body.x, body.z)

    def told(self) -> dict[Watcher, Told]:
        """Viewer → what one flush tells it now."""
        told = {seat.watcher: self.told_to(seat) for seat in self.seats}
        self.news = []
        for pending in (self.moves, self.acts):
            for who in [who for who in pending if who not in self.journal.hidden]:
                del pending[who]
        self.waiting = False
        return {watcher: words for watcher, words in told.items() if words != ([], [], [])}

    def told_to(self, seat: Seat) -> Told:
        bodies = self.world.tables.bodies
        seen = {a: b for a, b in bodies.items() if a not in self.journal.hidden}
        if seat.follow in seen and (seat.follow in self.moves or seat.follow in self.acts):
            self.turn_to(seat)
        near = {a: b for a, b in seen.items() if apart((b.x, b.z), seat.place) <= RADIUS}
        durable = []
        for event in self.news:
            if not isinstance(event, events.Private):
                durable.append(f"chat {event.agent_id}")
            elif {event.agent_id, event.to_agent_id} & seat.links:
                durable.append(f"private message {event.agent_id}")
        rest = [f"position {a} {move.x:g},{move.z:g}" for a, move in self.moves.items() if a in near]
        rest += [f"action {a} {action.action}" for a, action in self.acts.items() if a in near]
        snapshot = " ".join(["snapshot", *sorted(seen if seat.fresh else near)])
        lasting = sorted([*durable, snapshot] if seat.fresh else durable)
        if seat.fresh or seat.due:
            rest.append(snapshot)
        seat.fresh = seat.due = False
        return durable, sorted(rest), lasting

    def compare(self, wanted: dict[Watcher, Told]) -> None:
        for seat in self.seats:
            writes = seat.watcher.writes[:]
            told = [in_order(words) for words in seat.watcher.seen()]
            seat.watcher.writes = writes
            lasting = sorted(in_order(words) for words in seat.watcher.lasting())
            durable = [words for words in told if words.startswith(("chat", "private"))]
            rest = told[len(durable) :]
            assert (durable, sorted(rest), lasting) == wanted.get(seat.watcher, ([], [], []))
            assert len(writes) == (seat.watcher in wanted)


def in_order(words: str) -> str:
    """A snapshot's agents come in any order."""
    return " ".join(["snapshot", *sorted(words.split()[1:])]) if words.startswith("snapshot") else words


WHO = st.sampled_from(AGENTS)
PLACE = st.tuples(st.integers(-50, 49), st.integers(-50, 49))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.booleans()),
        st.tuples(st.just("publish"), st.lists(st.tuples(WHO, st.none() | WHO), max_size=4)),
        st.tuples(st.just("enter"), WHO, st.booleans()),
        st.tuples(st.sampled_from(["announce"])),
        st.tuples(st.just("vanish"), WHO),
        st.tuples(st.just("move"), WHO, PLACE),
        st.tuples(st.just("act"), WHO, st.sampled_from(["wave", "spin"])),
        st.tuples(st.just("join"), st.none() | WHO, st.booleans(), st.booleans()),
        st.tuples(st.sampled_from(["leave", "refresh"]), st.integers(0, 9)),
        st.tuples(st.just("look"), st.integers(0, 9), PLACE),
        st.tuples(st.just("follow"), st.integers(0, 9), st.none() | WHO),
        st.tuples(st.just("link"), st.integers(0, 9), WHO, st.booleans()),
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(STEPS)
def test_each_viewer_is_told_what_the_naive_model_says(steps: list[tuple[Any, ...]]) -> None:
    """Whatever happens, in any dialect, each is told all it must know and nothing else, in one write."""
    model = Model()
    for what, *given_ in steps:
        match what, given_:
            case "leave" | "refresh" | "look" | "follow" | "link", [index, *rest]:
                if model.seats:
                    more = rest[0] if what == "look" else rest
                    getattr(model, what)(model.seats[index % len(model.seats)], *more)
            case "move", [who, place]:
                if who in model.world.tables.bodies:
                    model.move(who, *place)
            case "act", [who, action]:
                if who in model.world.tables.bodies:
                    model.act(who, action)
            case _:
                getattr(model, what)(*given_)
    model.announce()
    model.tick(True)
    for seat in list(model.seats):
        model.leave(seat)
    fanout = model.fanout
    assert not any(
        [fanout._groups, fanout._due, fanout._fresh, fanout._followers, fanout._links, *fanout._slots]
    )
