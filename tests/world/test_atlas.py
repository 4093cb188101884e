"""The map: what world.toml may say, and what is refused."""

from __future__ import annotations

import json
from math import cos, dist, pi, sin
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.world.atlas import SPACING, Atlas, AtlasError, parse

SHIPPED = (Path(__file__).parents[2] / "etc" / "realmd" / "world.toml").read_text()

SMALL = """
[world]
half = 20
[[zones]]
id = "yard"
name = "Yard"
x = 0
z = 0
width = 40
depth = 40
[[spawns]]
x = 0
z = 15
"""


def station(name: str, x: float, z: float, zone: str = "yard") -> str:
    return (
        f'[[workstations]]\nid = "{name}"\nname = "{name}"\nzone = "{zone}"\n'
        f'x = {x}\nz = {z}\nskill = "security"\n'
    )


def building(name: str, x: float, z: float, radius: float) -> str:
    return f'[[buildings]]\nid = "{name}"\nname = "{name}"\nx = {x}\nz = {z}\nradius = {radius}\n'


def being(name: str, x: float, z: float) -> str:
    return (
        f'[[inhabitants]]\nid = "{name}"\nname = "{name}"\nkind = "kobold"\ncolor = "#123456"\n'
        f'x = {x}\nz = {z}\nmind = "kobold"\ncapabilities = ["security"]\n'
    )


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(AtlasError) as caught:
        parse(text, "here.toml")
    assert all(line.startswith("here.toml: ") for line in str(caught.value).splitlines())
    return caught.value.problems


@pytest.fixture(scope="module")
def shipped() -> Atlas:
    return parse(SHIPPED)


def test_shipped_map_is_the_one_clients_know(shipped: Atlas) -> None:
    """The map that is shipped holds the zones, buildings, stations and inhabitants by their old names."""
    assert shipped.half == 50
    assert {zone.name for zone in shipped.zones.values()} == {"Forge", "Spire", "Warrens", "General"}
    assert {(b.id, b.x, b.z, b.radius) for b in shipped.buildings.values()} == {
        ("moltbook", -20, -20, 4),
        ("clawhub", 22, -22, 6),
        ("worlds-portal", 0, -35, 5),
    }
    assert {(s.zone, s.id, s.skill) for s in shipped.workstations.values()} == {
        ("forge", "k8s-deployer", "deployment"),
        ("forge", "terraform-station", "infrastructure"),
        ("forge", "docker-builder", "deployment"),
        ("spire", "vault-unlocker", "security"),
        ("spire", "audit-helm", "security"),
        ("spire", "crypto-analyzer", "security"),
        ("warrens", "trade-terminal", "trading"),
        ("warrens", "chart-analyzer", "analysis"),
        ("warrens", "market-scanner", "trading"),
        ("general", "command-nexus", "orchestration"),
        ("general", "content-forge", "content"),
        ("general", "memory-archive", "memory"),
    }
    assert {(i.id, i.kind, i.mind, i.color, i.capabilities) for i in shipped.inhabitants.values()} == {
        ("shalom", "dragon", "dragon", "#6366f1", ("orchestration", "memory", "coordination")),
        ("daily", "kobold", "kobold", "#22c55e", ("engagement", "content")),
        ("trade", "kobold", "kobold", "#f97316", ("trading", "analysis")),
        ("deploy", "kobold", "kobold", "#3b82f6", ("deployment", "infrastructure")),
    }


def test_every_zone_of_the_shipped_map_can_be_visited(shipped: Atlas) -> None:
    """One can walk from anywhere agents enter to the middle of every zone, and is in that zone there."""
    for zone in shipped.zones.values():
        assert shipped.zone_at(zone.x, zone.z) is zone
        assert all(shipped.ground.path(s.x, s.z, zone.x, zone.z) for s in shipped.spawns)
    assert shipped.zone_at(0, 0).id == shipped.zone_at(12, 999).id == "general"


def test_map_is_served_as_json(shipped: Atlas) -> None:
    """The page gets every thing of the map, with its id, as plain JSON."""
    told = json.loads(json.dumps(shipped.describe()))
    assert told["bounds"] == {"minX": -50, "maxX": 50, "minZ": -50, "maxZ": 50}
    assert [len(told[key]) for key in ("zones", "buildings", "workstations", "inhabitants")] == [4, 3, 12, 4]
    assert told["buildings"][1].items() >= {"id": "clawhub", "x": 22, "radius": 6, "kind": "market"}.items()
    assert "avatar" not in told["inhabitants"][0]


def test_things_are_added_without_code(shipped: Atlas) -> None:
    """A building, a station and an inhabitant added to the file are in the world; the rest stays."""
    added = building("lighthouse", 40, 40, 3) + station("lamp", 36, 36, "general") + being("wick", 44, 36)
    more = parse(SHIPPED + added)
    assert [*more.buildings] == [*shipped.buildings, "lighthouse"]
    assert [*more.workstations] == [*shipped.workstations, "lamp"]
    assert [*more.inhabitants] == [*shipped.inhabitants, "wick"]
    assert more.ground.blocked(40, 40)


def test_stations_inside_a_building_are_refused_by_name() -> None:
    """The old map's mistake, two stations inside Clawhub, is refused naming both and the building."""
    moved = SHIPPED.replace("x = 34.0\nz = -12.0", "x = 20.0\nz = -18.0").replace(
        "x = 42.0\nz = -26.0", "x = 26.0\nz = -22.0"
    )
    assert problems(moved) == (
        "workstation k8s-deployer at (20, -18) stands inside building clawhub: 4.5 from its centre "
        "(22, -22), at least 7 needed (radius 6 + clearance 1)",
        "workstation terraform-station at (26, -22) stands inside building clawhub: 4.0 from its centre "
        "(22, -22), at least 7 needed (radius 6 + clearance 1)",
    )


def test_walled_in_station_is_refused_by_name() -> None:
    """A station behind a closed ring of buildings is refused; with one building less it can be reached."""
    ring = [building(f"wall-{k}", 6 * cos(k * pi / 4), 6 * sin(k * pi / 4), 1.6) for k in range(8)]
    inside = SMALL + station("cell", 0, 0) + station("door", -15, 0)
    assert problems(inside + "".join(ring)) == (
        "workstation cell at (0, 0) cannot be reached on foot from spawn number 1",
    )
    assert parse(inside + "".join(ring[1:]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[world", ["not valid TOML: Expected ']' at the end of a table declaration (at end of document)"]),
        ("", ["0 zones; there must be 1 to 64", "0 spawns; there must be 1 to 64"]),
        (SMALL + "[moon]\nx = 1\n", ["unknown table moon"]),
        (SMALL.replace("half = 20", "half = nan"), ["world: half = nan: expected `float` >= 5.0"]),
        (
            "zones = 3\nspawns = [3]",
            ["zones must be written as [[zones]] tables", "spawn number 1 must be a table"],
        ),
        (SMALL + "y = 2\n", ["spawn number 1 has an unknown field y"]),
        (
            SMALL.replace('name = "Yard"', "") + station("a", 9, 9).replace("x = 9", "x = inf"),
            ["zone yard has no name", "workstation a: x = inf: expected `float` <= 500.0"],
        ),
        (SMALL + station("a", 9, 9) + station("a", 0, 9), ["two workstations have the id a"]),
        (SMALL + station("a", 9, 9, "attic"), ["workstation a names a zone that does not exist: attic"]),
        (
            SMALL.replace("width = 40", "width = 20") + station("a", 11, 0),
            ["workstation a at (11, 0) stands outside its zone yard"],
        ),
        (
            SMALL + station("a", 9, 9) + station("b", 9, 9.5),
            ["workstation b at (9, 9.5) stands on workstation a; keep them 1 apart"],
        ),
        (
            SMALL.replace("width = 40", "width = 41") + building("tower", 18, 0, 3),
            ["zone yard reaches beyond the bounds (±20)", "building tower reaches beyond the bounds (±20)"],
        ),
        (
            SMALL + '[[zones]]\nid = "den"\nname = "Den"\nx = 0\nz = 0\nwidth = 1\ndepth = 1\n',
            ["zone den overlaps zone yard"],
        ),
        (
            SMALL + being("imp", 30, 0),
            ["the home of inhabitant imp at (30, 0) lies outside the bounds (±20)"],
        ),
        (
            SMALL + building("hut", 0, 14, 2),
            [
                "spawn number 1 at (0, 15) stands inside building hut: 1.0 from its centre (0, 14), "
                "at least 3 needed (radius 2 + clearance 1)"
            ],
        ),
        (
            SMALL + "".join(building(f"b{k}", 0, -10, 1) for k in range(65)),
            ["65 buildings; there must be 0 to 64"],
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, expected: list[str]) -> None:
    """Each mistake in a map is refused in a sentence that names the thing and what is allowed."""
    assert list(problems(text)) == expected


def test_everything_wrong_is_said_at_once() -> None:
    """One reading of a bad file tells about its fields, its layout and its footing together."""
    fields, layout = station("b", 5, 5).replace("skill", "skull"), station("a", 30, 0)
    assert problems(SMALL + fields + layout + being("c", 4, 14) + building("hut", 6, 14, 2)) == (
        "workstation b has an unknown field skull",
        "workstation b has no skill",
        "workstation a at (30, 0) stands outside its zone yard",
        "workstation a at (30, 0) lies outside the bounds (±20)",
        "the home of inhabitant c at (4, 14) stands inside building hut: 2.0 from its centre (6, 14), "
        "at least 3 needed (radius 2 + clearance 1)",
    )


@given(st.integers(0, 2**32), st.integers(0, 150))
def test_agents_enter_on_open_ground_apart_from_each_other(seed: int, crowd: int) -> None:
    """However many enter, each stands in bounds, on open ground, and apart until there is no room."""
    atlas, rng = parse(SMALL + building("hut", 4, 15, 2)), Random(seed)
    taken: list[tuple[float, float]] = []
    for _ in range(crowd):
        x, z = atlas.spawn(rng, taken)
        assert atlas.ground.inside(x, z)
        assert not atlas.ground.blocked(x, z)
        assert atlas.ground.path(0, 0, x, z)
        taken.append((x, z))
    early = taken[:12]
    assert all(dist(a, b) >= SPACING for i, a in enumerate(early) for b in early[:i])
    assert atlas.spawn(Random(seed), early) == atlas.spawn(Random(seed), early)
