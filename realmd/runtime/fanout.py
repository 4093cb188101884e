"""Fan-out: each event is encoded once, each area of interest gets its bytes once a tick.

Viewers are grouped by the grid cell they look at and the dialect they speak.  A tick's
committed events go to everyone, positions and actions to the groups near where they
happened; of several positions of one agent only the last is sent.  Each viewer gets one
write.  Snapshots come in pages, so that nobody is sent more at once than it can be expected to take.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from twisted.logger import Logger

from ..protocol import encode
from ..protocol.dialects import Dialect, Item
from ..world import events
from ..world.caller import Caller
from ..world.engine import World
from ..world.rules.authority import objection
from ..world.space import Grid
from .journal import Committed, Journal
from .news import News
from .snapshots import Effort, Snapshots

E = TypeVar("E", bound=events.Event)


class Viewer(Protocol):
    """A connection that watches.  `cell` and `follow` are kept by the fan-out."""

    cell: int
    slot: int
    follow: str | None

    @property
    def dialect(self) -> Dialect:
        """How it wants to be told; it does not change."""

    @property
    def caller(self) -> Caller:
        """Whose connection it is."""

    @property
    def behind(self) -> bool:
        """Whether it has yet to take what was sent."""

    def deliver(self, whole: bytes, durable: bytes) -> None:
        """Send `whole`, or only its `durable` part if the reader is slow."""


class Fanout:
    """Who watches what, and what they have yet to be told.

    `slots` is the number of ticks between two snapshots of one viewer; viewers are spread
    over them.
    """

    log = Logger()

    def __init__(self, world: World, grid: Grid, journal: Journal, slots: int) -> None:
        self._world = world
        self._grid = grid
        self._journal = journal
        self._groups: dict[tuple[int, Dialect], set[Viewer]] = {}
        self._slots: list[set[Viewer]] = [set() for _ in range(max(slots, 1))]
        self._turn = 0
        self._due: set[Viewer] = set()
        self._waiting = False
        self._fresh: set[Viewer] = set()
        #: Who is in the middle of a snapshot: of which place, and after which agent it goes on.
        self._tours: dict[Viewer, tuple[int | None, str]] = {}
        self._followers: dict[str, set[Viewer]] = {}
        self._links: dict[str, set[Viewer]] = {}
        self._positions: dict[str, events.Position] = {}
        self._actions: dict[str, events.Action] = {}
        self._committed: list[Committed] = []
        self.encodings = 0

    # -- viewers -----------------------------------------------------------------------

    def join(self, viewer: Viewer) -> None:
        """Start to tell `viewer`; its first snapshot comes with the next tick."""
        viewer.cell = self._grid.cell(0.0, 0.0)
        viewer.slot = min(range(len(self._slots)), key=lambda slot: len(self._slots[slot]))
        self._groups.setdefault((viewer.cell, viewer.dialect), set()).add(viewer)
        self._slots[viewer.slot].add(viewer)
        self._fresh.add(viewer)
        if viewer.follow is not None:
            self.follow(viewer, viewer.follow)

    def leave(self, viewer: Viewer) -> None:
        """Stop telling `viewer`, and forget it."""
        self._discard(self._groups, (viewer.cell, viewer.dialect), viewer)
        self._slots[viewer.slot].discard(viewer)
        self._due.discard(viewer)
        self._fresh.discard(viewer)
        self._tours.pop(viewer, None)
        if viewer.follow is not None:
            self._discard(self._followers, viewer.follow, viewer)
        for agent_id in [a for a, viewers in self._links.items() if viewer in viewers]:
            self.unlink(viewer, agent_id)

    def refresh(self, viewer: Viewer) -> None:
        """A full snapshot with the next tick."""
        self._fresh.add(viewer)

    def look(self, viewer: Viewer, x: float, z: float) -> None:
        """`viewer` looks at a point from now on."""
        self._look(viewer, self._grid.cell(x, z))

    def follow(self, viewer: Viewer, agent_id: str | None) -> None:
        """`viewer` looks where the agent is from now on; None: stays where it is."""
        if viewer.follow is not None:
            self._discard(self._followers, viewer.follow, viewer)
        viewer.follow = agent_id
        if agent_id is not None:
            self._followers.setdefault(agent_id, set()).add(viewer)
            body = self._world.body(agent_id)
            if body is not None:
                self.look(viewer, body.x, body.z)

    def link(self, viewer: Viewer, agent_id: str) -> None:
        """`viewer` speaks for the agent: it gets what is private to it."""
        self._links.setdefault(agent_id, set()).add(viewer)

    def unlink(self, viewer: Viewer, agent_id: str) -> None:
        self._discard(self._links, agent_id, viewer)

    # -- news --------------------------------------------------------------------------

    def note(self, event: events.Event) -> None:
        """Take in an ephemeral event; the agent's newest of its kind replaces the one before."""
        if isinstance(event, events.Position):
            self._positions[event.agent_id] = event
        elif isinstance(event, events.Action):
            self._actions[event.agent_id] = event

    def publish(self, committed: list[Committed]) -> None:
        """Take in committed events, and tell them: now, or with the next tick if this one was told."""
        self._committed.extend(committed)
        if self._waiting:
            self.flush()

    def tick(self) -> None:
        """End a tick: tell what is new, or let the commit under way do it if it ends by the next."""
        self._turn = (self._turn + 1) % len(self._slots)
        self._due |= self._slots[self._turn]
        if self._journal.idle or self._waiting or self._committed:
            self.flush()
        else:
            self._waiting = True

    def flush(self) -> None:
        """Tell every viewer what is new to it, in one write each."""
        self._waiting = False
        public, own = self._durable()
        effort = Effort()
        news = News(self._grid, public, self._local(), effort)
        snapshots = self._snapshots(effort)
        special = own.keys() | snapshots.keys()
        for (cell, dialect), viewers in [*self._groups.items()] if news else ():
            whole = news.around(cell, dialect)
            if whole:
                durable = news.durable(dialect)
                for viewer in viewers - special if special else tuple(viewers):
                    self._give(viewer, whole, durable)
        for viewer in special:
            dialect = viewer.dialect
            mine = dialect.part(own[viewer]) if viewer in own else None
            durable = news.durable(dialect) if mine is None else news.of(mine, dialect)
            snapshot, must = snapshots.get(viewer, (b"", False))
            whole = news.around(viewer.cell, dialect, mine) + snapshot
            self._give(viewer, whole, durable + snapshot if must else durable)

    # -- inside ------------------------------------------------------------------------

    def _give(self, viewer: Viewer, whole: bytes, durable: bytes) -> None:
        """One viewer that fails must not keep the others from hearing."""
        try:
            viewer.deliver(whole, durable)
        except Exception:
            self.log.failure("a viewer could not be told")

    def _durable(self) -> tuple[list[Item], dict[Viewer, list[Item]]]:
        """The committed public events, and viewer → these with those private to it, in order."""
        items: list[tuple[Item, set[Viewer] | None]] = []
        committed, self._committed = self._committed, []
        for event, entry in ((c.event, c.entry) for c in committed):
            self.encodings += 1
            if isinstance(event, events.Private):
                pair = (event.agent_id, event.to_agent_id)
                concerned = {viewer for agent_id in pair for viewer in self._speaking_for(agent_id)}
                items.append((Item(entry.body, private=True), concerned))
            else:
                items.append((Item(entry.body), None))
        concerned = {viewer for _, viewers in items for viewer in viewers or ()}
        own = {viewer: [item for item, of in items if of is None or viewer in of] for viewer in concerned}
        return [item for item, of in items if of is None], own

    def _speaking_for(self, agent_id: str) -> list[Viewer]:
        """The connections that are linked to the agent, and may still speak for it."""
        linked = self._links.get(agent_id, ())
        return [viewer for viewer in linked if objection(self._world, agent_id, viewer.caller) is None]

    def _local(self) -> dict[int, list[Item]]:
        """Grid cell → the positions and actions in it."""
        cells: dict[int, list[Item]] = {}
        if self._positions or self._actions:
            self._positions = self._place(self._positions, cells)
            self._actions = self._place(self._actions, cells)
        return cells

    def _place(self, news: dict[str, E], cells: dict[int, list[Item]]) -> dict[str, E]:
        """Add each event to its agent's cell; what may not be shown yet is returned."""
        bodies = self._world.tables.bodies
        hidden = self._hidden()
        held: dict[str, E] = {}
        for agent_id, event in news.items():
            body = bodies.get(agent_id)
            if agent_id in hidden:
                held[agent_id] = event
            elif body is not None:
                self.encodings += 1
                cell = self._grid.cell(body.x, body.z)
                cells.setdefault(cell, []).append(Item(encode.event(event)))
                for viewer in tuple(self._followers.get(agent_id, ())):
                    self._look(viewer, cell)
        return held

    def _snapshots(self, effort: Effort) -> dict[Viewer, tuple[bytes, bool]]:
        """Viewer → its page of a snapshot, and whether it must have it.

        Who is new gets everybody, whose turn it is those in its area.  What is longer than a page follows
        when the viewer has taken the page before; of a long world, a newcomer is told its area first.
        """
        due, self._due = self._due - self._fresh, set()
        fresh, self._fresh = self._fresh, set()
        if not (due or fresh or self._tours):
            return {}
        snapshots = Snapshots(self._world, self._grid, self._hidden(), effort)
        told: dict[Viewer, tuple[bytes, bool]] = {}

        def tell(viewer: Viewer, place: int | None, after: str, must: bool) -> None:
            page = snapshots.page(place, after, viewer.dialect)
            told[viewer] = page.frame, must
            self._tours.pop(viewer, None)
            if page.last is not None:
                self._tours[viewer] = place, page.last

        for viewer in fresh:
            if snapshots.short():
                tell(viewer, None, "", must=True)
            else:
                tell(viewer, viewer.cell, "", must=True)
                self._tours[viewer] = None, ""
        for viewer, (place, after) in [*self._tours.items()]:
            if not (viewer in told or viewer.behind):
                tell(viewer, place, after, must=place is None)
        for viewer in due - self._tours.keys() - told.keys():
            tell(viewer, viewer.cell, "", must=False)
        self.encodings += snapshots.encodings
        return told

    def _hidden(self) -> set[str]:
        return self._journal.unannounced()

    def _look(self, viewer: Viewer, cell: int) -> None:
        if cell != viewer.cell:
            self._discard(self._groups, (viewer.cell, viewer.dialect), viewer)
            viewer.cell = cell
            self._groups.setdefault((cell, viewer.dialect), set()).add(viewer)

    @staticmethod
    def _discard(index: dict[Any, set[Viewer]], key: object, viewer: Viewer) -> None:
        viewers = index.get(key)
        if viewers is not None:
            viewers.discard(viewer)
            if not viewers:
                del index[key]
