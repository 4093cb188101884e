"""Fan-out: each event is encoded once, each area of interest gets its bytes once a tick.

Viewers are grouped by the grid cell they look at.  A tick's committed events go to
everyone, positions and actions to the groups near where they happened; of several
positions of one agent only the last is sent.  Each viewer gets one write.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from ..protocol import encode
from ..world import events
from ..world.engine import World
from ..world.space import Grid
from .journal import Committed, Journal

E = TypeVar("E", bound=events.Event)


class Viewer(Protocol):
    """A connection that watches.  `cell` and `follow` are kept by the fan-out."""

    cell: int
    slot: int
    follow: str | None

    def deliver(self, whole: bytes, durable: bytes) -> None:
        """Send `whole`, or only its `durable` part if the reader is slow."""


class Fanout:
    """Who watches what, and what they have yet to be told.

    `slots` is the number of ticks between two snapshots of one viewer; viewers are spread
    over them.
    """

    def __init__(self, world: World, grid: Grid, slots: int) -> None:
        self._world = world
        self._grid = grid
        self._groups: dict[int, set[Viewer]] = {}
        self._slots: list[set[Viewer]] = [set() for _ in range(max(slots, 1))]
        self._turn = 0
        self._due: set[Viewer] = set()
        self._waiting = False
        self._fresh: set[Viewer] = set()
        self._followers: dict[str, set[Viewer]] = {}
        self._links: dict[str, set[Viewer]] = {}
        self._positions: dict[str, events.Position] = {}
        self._actions: dict[str, events.Action] = {}
        self._committed: list[Committed] = []
        self.journal: Journal | None = None
        self.encodings = 0

    # -- viewers -----------------------------------------------------------------------

    def join(self, viewer: Viewer) -> None:
        """Start to tell `viewer`; its first full snapshot comes with the next tick."""
        viewer.cell = self._grid.cell(0.0, 0.0)
        viewer.slot = min(range(len(self._slots)), key=lambda slot: len(self._slots[slot]))
        self._groups.setdefault(viewer.cell, set()).add(viewer)
        self._slots[viewer.slot].add(viewer)
        self._fresh.add(viewer)
        if viewer.follow is not None:
            self.follow(viewer, viewer.follow)

    def leave(self, viewer: Viewer) -> None:
        """Stop telling `viewer`, and forget it."""
        self._discard(self._groups, viewer.cell, viewer)
        self._slots[viewer.slot].discard(viewer)
        self._due.discard(viewer)
        self._fresh.discard(viewer)
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
        """Take in committed events and tell them now."""
        self._committed.extend(committed)
        self.flush()

    def tick(self) -> None:
        """End a tick: tell what is new, or let the commit under way do it if it ends by the next."""
        self._turn = (self._turn + 1) % len(self._slots)
        self._due |= self._slots[self._turn]
        assert self.journal is not None
        if self.journal.idle or self._waiting:
            self.flush()
        else:
            self._waiting = True

    def flush(self) -> None:
        """Tell every viewer what is new to it, in one write each."""
        self._waiting = False
        durable = self._durable()
        local = self._local()
        snapshots = self._snapshots()
        for cell, viewers in self._groups.items() if durable or local else ():
            near = self._grid.near(cell) if local else ()
            whole = durable + b"".join([local[c] for c in near if c in local])
            if not whole:
                continue
            for viewer in tuple(viewers):
                if snapshots and viewer in snapshots:
                    snapshot, must = snapshots.pop(viewer)
                    viewer.deliver(whole + snapshot, durable + snapshot if must else durable)
                else:
                    viewer.deliver(whole, durable)
        for viewer, (snapshot, must) in snapshots.items():
            viewer.deliver(snapshot, snapshot if must else b"")

    # -- inside ------------------------------------------------------------------------

    def _durable(self) -> bytes:
        """The frames of the committed public events; private ones go to their two agents here."""
        frames: list[bytes] = []
        committed, self._committed = self._committed, []
        for event, entry in ((c.event, c.entry) for c in committed):
            self.encodings += 1
            if isinstance(event, events.Private):
                frame = encode.private_frame(entry.body)
                pair = {event.agent_id, event.to_agent_id}
                for viewer in {v for agent_id in pair for v in self._links.get(agent_id, ())}:
                    viewer.deliver(frame, frame)
            else:
                frames.append(encode.world_frame(entry.body))
        return b"".join(frames)

    def _local(self) -> dict[int, bytes]:
        """Grid cell → the frames of the positions and actions in it."""
        if not self._positions and not self._actions:
            return {}
        cells: dict[int, list[bytes]] = {}
        self._positions = self._place(self._positions, cells)
        self._actions = self._place(self._actions, cells)
        return {cell: b"".join(frames) for cell, frames in cells.items()}

    def _place(self, news: dict[str, E], cells: dict[int, list[bytes]]) -> dict[str, E]:
        """Add the frame of each event to its agent's cell; what may not be shown yet is returned."""
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
                cells.setdefault(cell, []).append(encode.world_frame(encode.event(event)))
                for viewer in tuple(self._followers.get(agent_id, ())):
                    self._look(viewer, cell)
        return held

    def _snapshots(self) -> dict[Viewer, tuple[bytes, bool]]:
        """Viewer → its snapshot, and whether it must have it.

        A full one for who is new, one of its area for whose turn it is.
        """
        due, self._due = self._due - self._fresh, set()
        fresh, self._fresh = self._fresh, set()
        if not due and not fresh:
            return {}
        agents: dict[str, bytes] = {}
        hidden = self._hidden()
        made: dict[Viewer, tuple[bytes, bool]] = {}
        if fresh:
            everyone = self._snapshot(list(self._world.tables.bodies), agents, hidden)
            made.update(dict.fromkeys(fresh, (everyone, True)))
        if due:
            made.update(self._areas(due, agents, hidden))
        return made

    def _areas(
        self, due: set[Viewer], agents: dict[str, bytes], hidden: set[str]
    ) -> dict[Viewer, tuple[bytes, bool]]:
        """The snapshot of each viewer's area, made once for all who look at the same cell."""
        cells: dict[int, list[str]] = {}
        for agent_id, body in self._world.tables.bodies.items():
            cells.setdefault(self._grid.cell(body.x, body.z), []).append(agent_id)
        frames: dict[int, bytes] = {}
        for cell in {viewer.cell for viewer in due}:
            near = [a for c in self._grid.near(cell) for a in cells.get(c, ())]
            frames[cell] = self._snapshot(near, agents, hidden)
        return {viewer: (frames[viewer.cell], False) for viewer in due}

    def _snapshot(self, ids: list[str], agents: dict[str, bytes], hidden: set[str]) -> bytes:
        for agent_id in ids:
            if agent_id not in agents and agent_id not in hidden:
                agents[agent_id] = encode.agent(self._world, agent_id)
                self.encodings += 1
        return encode.snapshot_frame([agents[a] for a in ids if a in agents])

    def _hidden(self) -> set[str]:
        assert self.journal is not None
        return self.journal.unannounced()

    def _look(self, viewer: Viewer, cell: int) -> None:
        if cell != viewer.cell:
            self._discard(self._groups, viewer.cell, viewer)
            viewer.cell = cell
            self._groups.setdefault(cell, set()).add(viewer)

    @staticmethod
    def _discard(index: dict[Any, set[Viewer]], key: object, viewer: Viewer) -> None:
        viewers = index.get(key)
        if viewers is not None:
            viewers.discard(viewer)
            if not viewers:
                del index[key]
