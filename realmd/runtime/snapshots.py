"""What one flush shows of those present: snapshots in pages, each made once for all who get it."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from typing import Final

from msgspec import Struct

from ..protocol import encode
from ..protocol.dialects import DIALECTS, Dialect
from ..world.engine import World
from ..world.space import Grid

#: What a page holds (bytes of JSON); one agent at least.
PAGE: Final = 65_536
#: What one flush deflates (bytes): a few milliseconds.
ALLOWANCE: Final = 262_144


class Effort:
    """What one flush may still deflate; the rest is sent plain, as clients must take it (RFC 7692, 6)."""

    def __init__(self) -> None:
        self._left = ALLOWANCE

    def dialect(self, wanted: Dialect, size: int) -> Dialect:
        """In which dialect `size` bytes are to be told to those who speak the one that is `wanted`."""
        if not wanted.deflate:
            return wanted
        if self._left <= 0:
            return DIALECTS[wanted.batch, False]
        self._left -= size
        return wanted


class Page(Struct, frozen=True):
    """One snapshot message, and after which agent the next goes on; None: this was the last."""

    frame: bytes
    last: str | None


class Snapshots:
    """Pages of a place (a grid cell: all who are near it; None: the world), in the order of agentIds.

    That order holds while agents come, go and walk: who was there at the first page and still is at the
    last has been on one of them.
    """

    def __init__(self, world: World, grid: Grid, hidden: set[str], effort: Effort) -> None:
        self._world = world
        self._grid = grid
        self._effort = effort
        self._hidden = hidden
        self._ids: dict[int | None, list[str]] = {}
        self._agents: dict[str, bytes] = {}
        self._parts: dict[tuple[int | None, str], tuple[list[bytes], str | None]] = {}
        self._pages: dict[tuple[int | None, str, bool], Page] = {}

    @property
    def encodings(self) -> int:
        """Agents that were encoded."""
        return len(self._agents)

    def short(self) -> bool:
        """Whether the world is no longer than one page."""
        return self._part(None, "")[1] is None

    def page(self, place: int | None, after: str, dialect: Dialect) -> Page:
        """The page that begins after the agentId `after`."""
        page = self._pages.get((place, after, dialect.deflate))
        if page is None:
            agents, last = self._part(place, after)
            told = self._effort.dialect(dialect, sum(map(len, agents)))
            page = self._pages[place, after, dialect.deflate] = Page(told.snapshot(agents), last)
        return page

    def _part(self, place: int | None, after: str) -> tuple[list[bytes], str | None]:
        part = self._parts.get((place, after))
        if part is None:
            part = self._parts[place, after] = self._cut(self._at(place), after)
        return part

    def _cut(self, ids: list[str], after: str) -> tuple[list[bytes], str | None]:
        agents: list[bytes] = []
        size = 0
        for at in range(bisect_right(ids, after), len(ids)):
            body = self._agent(ids[at])
            if agents and size + len(body) > PAGE:
                return agents, ids[at - 1]
            size += len(body)
            agents.append(body)
        return agents, None

    def _at(self, place: int | None) -> list[str]:
        ids = self._ids.get(place)
        if ids is None:
            here = self._cells
            cells = here if place is None else self._grid.near(place)
            ids = self._ids[place] = sorted(a for cell in cells for a in here.get(cell, ()))
        return ids

    @cached_property
    def _cells(self) -> dict[int, list[str]]:
        """Grid cell → who may be seen in it."""
        cells: dict[int, list[str]] = {}
        for agent_id, body in self._world.tables.bodies.items():
            if agent_id not in self._hidden:
                cells.setdefault(self._grid.cell(body.x, body.z), []).append(agent_id)
        return cells

    def _agent(self, agent_id: str) -> bytes:
        body = self._agents.get(agent_id)
        if body is None:
            body = self._agents[agent_id] = encode.agent(self._world, agent_id)
        return body
