"""What a mind perceives: a frozen picture of the world around one inhabitant.

A mind gets this and nothing else, so it can run in another thread, and a test can show it
any situation.  Distances are in world units, times in ms since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nsmallest
from math import hypot
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from ..events import Board, Chat, Durable, Join, Private, Work
from ..model import Body, Claim, Profile
from ..tables import Tables
from .untrusted import Untrusted

if TYPE_CHECKING:
    from ..atlas import Atlas

#: How many others a mind sees (the nearest), and how many events it takes in a thought.
NEIGHBOURS = 64
HEARD = 64


class World(Protocol):
    """The part of the engine that perception reads."""

    @property
    def tables(self) -> Tables: ...

    @property
    def atlas(self) -> Atlas: ...


class Heard(Struct, frozen=True):
    """Something that happened; `words` are what was written with it: a line, a title, a note, a name.

    They are trusted if they are an inhabitant's own; `operator` if they are the operator's.  The texts of
    `event` are the same, bare: a mind looks at its kind, ids and times, and takes the words from here.
    """

    event: Durable
    words: Untrusted
    trusted: bool = False
    operator: bool = False


class Neighbour(Struct, frozen=True):
    """Another agent present."""

    agent_id: str
    name: Untrusted
    x: float
    z: float
    distance: float
    zone: str
    action: str
    inhabitant: bool
    player: bool


class Station(Struct, frozen=True):
    """A workstation, who holds it (None: free), and whether it is being worked at."""

    id: str
    name: str
    zone: str
    x: float
    z: float
    skill: str
    holder: str | None
    working: bool


class Place(Struct, frozen=True):
    """A zone, by its centre."""

    name: str
    x: float
    z: float


class View(Struct, frozen=True):
    """All that one mind perceives at one moment.

    `neighbours` holds the nearest others, nearest first, of `present` in all.  `heard` are
    the public durable events since the last thought, oldest first, the mind's own among
    them; `names` tells who their agents are.  `bound_for` is the zone where the walk under
    way ends, "" when there is none.
    """

    me: Body
    profile: Profile
    zone: str
    bound_for: str
    neighbours: tuple[Neighbour, ...]
    present: int
    heard: tuple[Heard, ...]
    names: Mapping[str, Untrusted]
    inhabitants: frozenset[str]
    stations: tuple[Station, ...]
    claim: Claim | None
    zones: tuple[Place, ...]

    def station(self, station_id: str | None) -> Station | None:
        return next((s for s in self.stations if s.id == station_id), None)

    def own(self, kind: type[Durable]) -> bool:
        """Whether an event of this kind happened to the mind's own body since its last thought."""
        return any(isinstance(h.event, kind) and h.event.agent_id == self.me.agent_id for h in self.heard)


def view_of(world: World, agent_id: str, heard: tuple[Durable, ...] = ()) -> View:
    """Picture the world as `agent_id` perceives it; KeyError when it is not in the world."""
    tables, atlas = world.tables, world.atlas
    me = tables.bodies[agent_id]
    end = me.walk.path[-1] if me.walk is not None and me.walk.path else None
    heard = tuple(e for e in heard[-HEARD:] if not isinstance(e, Private))
    speakers = dict.fromkeys(e.agent_id for e in heard)
    return View(
        me=me,
        profile=tables.profiles[agent_id],
        zone=atlas.zone_at(me.x, me.z).name,
        bound_for=atlas.zone_at(*end).name if end else "",
        neighbours=_neighbours(world, me),
        present=len(tables.bodies),
        heard=tuple(_heard(e, atlas) for e in heard),
        names={who: Untrusted(tables.profiles[who].name) for who in speakers if who in tables.profiles},
        inhabitants=frozenset(atlas.inhabitants),
        stations=_stations(world),
        claim=next((c for c in tables.claims.values() if c.agent_id == agent_id), None),
        zones=tuple(
            Place(zone.name, *(atlas.ground.nearest_free(zone.x, zone.z) or (zone.x, zone.z)))
            for zone in atlas.zones.values()
        ),
    )


def _heard(event: Durable, atlas: Atlas) -> Heard:
    words, operator = "", False
    match event:
        case Chat():
            words, operator = event.text, event.by == "operator"
        case Board():
            words = event.title
        case Work():
            words = event.note or ""
        case Join():
            words = event.name
    return Heard(event, Untrusted(words), event.agent_id in atlas.inhabitants, operator)


def _neighbours(world: World, me: Body) -> tuple[Neighbour, ...]:
    bodies, profiles, atlas = world.tables.bodies, world.tables.profiles, world.atlas
    others = ((hypot(b.x - me.x, b.z - me.z), who) for who, b in bodies.items() if who != me.agent_id)
    return tuple(
        Neighbour(
            agent_id=who,
            name=Untrusted(profiles[who].name if who in profiles else who),
            x=bodies[who].x,
            z=bodies[who].z,
            distance=distance,
            zone=atlas.zone_at(bodies[who].x, bodies[who].z).name,
            action=bodies[who].action,
            inhabitant=who in atlas.inhabitants,
            player=bodies[who].player,
        )
        for distance, who in nsmallest(NEIGHBOURS, others)
    )


def _stations(world: World) -> tuple[Station, ...]:
    claims, zones = world.tables.claims, world.atlas.zones
    return tuple(
        Station(
            id=s.id,
            name=s.name,
            zone=zones[s.zone].name if s.zone in zones else s.zone,
            x=s.x,
            z=s.z,
            skill=s.skill,
            holder=claims[s.id].agent_id if s.id in claims else None,
            working=s.id in claims and claims[s.id].working_since > 0,
        )
        for s in world.atlas.workstations.values()
    )
