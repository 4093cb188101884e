"""The map: world.toml → zones, buildings, workstations, inhabitants and the ground under them.

`parse` refuses a map with anything on it that cannot be reached on foot, and says at once
everything that is wrong.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from math import cos, dist, hypot, pi, sin
from random import Random
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ..primitives.ids import AgentId
from .model import Colour, Key, Wire
from .space import Ground, Obstacle, Point

MAX_BUILDINGS, MAX_STATIONS, MAX_INHABITANTS, MAX_ZONES, MAX_SPAWNS = 64, 256, 64, 64, 64
#: Two things to stand at, and two agents that enter, are at least this far apart.
SPACING = 1.0
#: An agent enters this near to a spawn point; further off, up to `SPREAD`, where it is crowded.
JITTER, SPREAD, TRIES = 1.5, 8.0, 48

Id = Annotated[str, Meta(max_length=64, pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=500)]
Place = Annotated[float, Meta(ge=-500, le=500)]
Size = Annotated[float, Meta(gt=0, le=1000)]
Angle = Annotated[float, Meta(ge=-7, le=7)]


class Header(Wire, frozen=True):
    """The `[world]` table: the ground reaches from -half to +half; walkers keep `clearance` from walls."""

    name: Name = "Shalom Realm"
    half: Annotated[float, Meta(ge=5, le=500)] = 50.0
    clearance: Annotated[float, Meta(ge=0, le=5)] = 1.0


class Zone(Wire, frozen=True):
    """A named rectangle of ground: its middle, width (along x) and depth (along z)."""

    id: Id
    name: Name
    x: Place
    z: Place
    width: Size
    depth: Size
    color: Colour = "#888888"
    description: Text = ""
    theme: Key = "meadow"

    def distance(self, x: float, z: float) -> float:
        """How far outside the zone the point lies; 0 within."""
        return hypot(max(0.0, abs(x - self.x) - self.width / 2), max(0.0, abs(z - self.z) - self.depth / 2))


class Building(Wire, frozen=True):
    """A round building; nobody walks within its radius and the clearance."""

    id: Id
    name: Name
    x: Place
    z: Place
    radius: Annotated[float, Meta(gt=0, le=100)]
    kind: Key = "hall"
    description: Text = ""


class Workstation(Wire, frozen=True):
    """A place for one agent to work at that has the skill; `rotation` is the way it faces."""

    id: Id
    name: Name
    zone: Id
    x: Place
    z: Place
    skill: Key
    rotation: Angle = 0.0
    description: Text = ""


class Inhabitant(Wire, frozen=True):
    """An agent of the realm's own: `id` is its agentId, (x, z) its home, `mind` how it behaves."""

    id: AgentId
    name: Name
    kind: Literal["dragon", "kobold"]
    color: Colour
    x: Place
    z: Place
    mind: Key
    capabilities: Annotated[tuple[Key, ...], Meta(max_length=32)]
    bio: Text = ""
    scale: Annotated[float, Meta(ge=0.1, le=10)] = 1.0
    avatar: Annotated[str, Meta(max_length=500)] | UnsetType = UNSET


class Spawn(Wire, frozen=True):
    """A point near which agents enter."""

    x: Place
    z: Place


class AtlasError(Exception):
    """The map cannot be used; `problems` says in one sentence each what is wrong."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class Atlas(Struct, frozen=True):
    """The map as read; every dict is by id, in the order of the file."""

    name: str
    half: float
    zones: dict[str, Zone]
    buildings: dict[str, Building]
    workstations: dict[str, Workstation]
    inhabitants: dict[str, Inhabitant]
    spawns: tuple[Spawn, ...]
    ground: Ground

    def zone_at(self, x: float, z: float) -> Zone:
        """The zone that holds the point, or the nearest one; the first in the file of several."""
        return min(self.zones.values(), key=lambda zone: zone.distance(x, z))

    def spawn(self, rng: Random, taken: Sequence[Point]) -> Point:
        """Where an agent may enter: near a spawn point, in reach of it, apart from those at `taken`."""
        point = (self.spawns[0].x, self.spawns[0].z)
        for attempt in range(TRIES):
            spot = rng.choice(self.spawns)
            angle, off = rng.uniform(0, 2 * pi), rng.uniform(0, JITTER + (SPREAD - JITTER) * attempt / TRIES)
            x, z = round(spot.x + off * cos(angle), 3), round(spot.z + off * sin(angle), 3)
            if self.ground.inside(x, z) and self.ground.clear(spot.x, spot.z, x, z):
                point = (x, z)
                if all(dist(point, other) >= SPACING for other in taken):
                    return point
        return point  # the crowd fills every spot tried: stand in it

    def describe(self) -> dict[str, Any]:
        """The map as JSON-ready values, for the page and for agents."""
        return {
            "name": self.name,
            "bounds": {"minX": -self.half, "maxX": self.half, "minZ": -self.half, "maxZ": self.half},
            "clearance": self.ground.clearance,
            "zones": msgspec.to_builtins([*self.zones.values()]),
            "buildings": msgspec.to_builtins([*self.buildings.values()]),
            "workstations": msgspec.to_builtins([*self.workstations.values()]),
            "inhabitants": msgspec.to_builtins([*self.inhabitants.values()]),
            "spawns": msgspec.to_builtins(self.spawns),
        }


def parse(text: str, source: str = "world.toml") -> Atlas:
    """Read a map from TOML; AtlasError names everything that is wrong with it."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AtlasError(source, [f"not valid TOML: {error}"]) from None
    reader = _Reader(document)
    header = reader.header()
    zones = reader.by_id("zones", "zone", Zone, MAX_ZONES, least=1)
    buildings = reader.by_id("buildings", "building", Building, MAX_BUILDINGS)
    stations = reader.by_id("workstations", "workstation", Workstation, MAX_STATIONS)
    inhabitants = reader.by_id("inhabitants", "inhabitant", Inhabitant, MAX_INHABITANTS)
    spawns = reader.rows("spawns", "spawn", Spawn, MAX_SPAWNS, least=1)
    reader.leftover()
    if header is None:
        raise AtlasError(source, reader.problems)
    obstacles = (Obstacle(b.x, b.z, b.radius) for b in buildings.values())
    ground = Ground(header.half, obstacles, header.clearance)
    atlas = Atlas(header.name, header.half, zones, buildings, stations, inhabitants, tuple(spawns), ground)
    problems = [*reader.problems, *_layout(atlas, reader.labels), *_footing(atlas)]
    if problems:
        raise AtlasError(source, problems)
    return atlas


_T = TypeVar("_T", bound=Struct)
_N = TypeVar("_N", Zone, Building, Workstation, Inhabitant)


class _Reader:
    """Turns the tables of the file into structs, noting every field that is wrong."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = dict(document)
        self.problems: list[str] = []
        #: What each table was called in the problems, read or not.
        self.labels: set[str] = set()

    def header(self) -> Header | None:
        return self._struct(Header, self.document.pop("world", {}), "world")

    def rows(self, key: str, word: str, kind: type[_T], most: int, least: int = 0) -> list[_T]:
        rows = self.document.pop(key, [])
        if not isinstance(rows, list):
            self.problems.append(f"{key} must be written as [[{key}]] tables")
            return []
        if not least <= len(rows) <= most:
            self.problems.append(f"{len(rows)} {key}; there must be {least} to {most}")
        named = [(row, _label(word, number, row)) for number, row in enumerate(rows[:most], 1)]
        read = [self._struct(kind, row, label) for row, label in named]
        return [struct for struct in read if struct is not None]

    def by_id(self, key: str, word: str, kind: type[_N], most: int, least: int = 0) -> dict[str, _N]:
        found: dict[str, _N] = {}
        for thing in self.rows(key, word, kind, most, least):
            if thing.id in found:
                self.problems.append(f"two {key} have the id {thing.id}")
            found.setdefault(thing.id, thing)
        return found

    def leftover(self) -> None:
        self.problems += [f"unknown table {key}" for key in self.document]

    def _struct(self, kind: type[_T], row: Any, label: str) -> _T | None:
        if not isinstance(row, dict):
            self.problems.append(f"{label} must be a table")
            return None
        self.labels.add(label)
        before = len(self.problems)
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        self.problems += [f"{label} has an unknown field {key}" for key in row if key not in fields]
        values: dict[str, Any] = {}
        for name, field in fields.items():
            if name not in row:
                if field.required:
                    self.problems.append(f"{label} has no {name}")
                continue
            try:
                values[name] = msgspec.convert(row[name], field.type)
            except msgspec.ValidationError as error:
                self.problems.append(f"{label}: {name} = {row[name]!r:.60}: {_lower(str(error))}")
        return kind(**values) if len(self.problems) == before else None


def _label(word: str, number: int, row: Any) -> str:
    name = row.get("id") if isinstance(row, dict) else None
    return f"{word} {name}" if isinstance(name, str) and name else f"{word} number {number}"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _layout(atlas: Atlas, labels: set[str]) -> Iterator[str]:
    """What is wrong with where things were drawn, people's feet aside."""
    half, zones = atlas.half, list(atlas.zones.values())
    for i, zone in enumerate(zones):
        if abs(zone.x) + zone.width / 2 > half or abs(zone.z) + zone.depth / 2 > half:
            yield f"zone {zone.id} reaches beyond the bounds (±{half:g})"
        for other in zones[:i]:
            if (
                abs(zone.x - other.x) < (zone.width + other.width) / 2 - 1e-9
                and abs(zone.z - other.z) < (zone.depth + other.depth) / 2 - 1e-9
            ):
                yield f"zone {zone.id} overlaps zone {other.id}"
    for building in atlas.buildings.values():
        if max(abs(building.x), abs(building.z)) + building.radius > half:
            yield f"building {building.id} reaches beyond the bounds (±{half:g})"
    stations = list(atlas.workstations.values())
    for i, station in enumerate(stations):
        home = atlas.zones.get(station.zone)
        if home is None:
            if f"zone {station.zone}" not in labels:  # else it is there, but was wrong itself
                yield f"workstation {station.id} names a zone that does not exist: {station.zone}"
        elif home.distance(station.x, station.z) > 0:
            yield f"workstation {station.id} {_at(station)} stands outside its zone {home.id}"
        for before in stations[:i]:
            if dist((station.x, station.z), (before.x, before.z)) < SPACING:
                yield (
                    f"workstation {station.id} {_at(station)} stands on workstation {before.id}; "
                    f"keep them {SPACING:g} apart"
                )


def _footing(atlas: Atlas) -> Iterator[str]:
    """Every place where an agent should stand but cannot, or cannot come to on foot."""
    places: list[tuple[str, Spawn | Workstation | Inhabitant]] = [
        *((f"spawn number {number}", spawn) for number, spawn in enumerate(atlas.spawns, 1)),
        *((f"workstation {station.id}", station) for station in atlas.workstations.values()),
        *((f"the home of inhabitant {being.id}", being) for being in atlas.inhabitants.values()),
    ]
    regions: list[list[tuple[str, Spawn | Workstation | Inhabitant]]] = []
    for label, place in places:
        if not atlas.ground.inside(place.x, place.z):
            yield f"{label} {_at(place)} lies outside the bounds (±{atlas.half:g})"
        elif atlas.ground.blocked(place.x, place.z):
            yield from _walled(atlas, label, place)
        else:
            for region in regions:
                if atlas.ground.path(place.x, place.z, region[0][1].x, region[0][1].z) is not None:
                    region.append((label, place))
                    break
            else:
                regions.append([(label, place)])
    if len(regions) > 1:
        # Most places can reach each other; the few others are what is wrong.
        world = max(regions, key=len)
        for region in regions:
            if region is not world:
                for label, place in region:
                    yield f"{label} {_at(place)} cannot be reached on foot from {world[0][0]}"


def _walled(atlas: Atlas, label: str, place: Spawn | Workstation | Inhabitant) -> Iterator[str]:
    clearance = atlas.ground.clearance
    for building in atlas.buildings.values():
        apart, need = dist((place.x, place.z), (building.x, building.z)), building.radius + clearance
        if apart < need:
            yield (
                f"{label} {_at(place)} stands inside building {building.id}: {apart:.1f} from its "
                f"centre {_at(building)[3:]}, at least {need:g} needed "
                f"(radius {building.radius:g} + clearance {clearance:g})"
            )


def _at(place: Spawn | Workstation | Inhabitant | Building) -> str:
    return f"at ({place.x:g}, {place.z:g})"
