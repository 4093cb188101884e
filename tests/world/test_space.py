"""Ground, ways around obstacles, areas of interest and walking."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from math import acos, atan2, dist, inf, pi, sqrt

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from realmd.world.space import Grid, Ground, Obstacle, Point, toward

HALF = 20.0
coordinate = st.floats(-HALF, HALF)
point = st.tuples(coordinate, coordinate)
obstacle = st.builds(Obstacle, coordinate, coordinate, st.floats(0.5, 6))
grounds = st.builds(Ground, st.just(HALF), st.lists(obstacle, max_size=8))

TOWN = Ground(50, [Obstacle(-20, -20, 4), Obstacle(22, -22, 6), Obstacle(0, -35, 5)])


def free(ground: Ground, at: Point) -> bool:
    return ground.inside(*at) and not ground.blocked(*at)


def length(start: Point, path: tuple[Point, ...]) -> float:
    return sum(dist(a, b) for a, b in zip((start, *path), path, strict=False))


def along(start: Point, path: tuple[Point, ...], steps: int = 40) -> Iterator[Point]:
    for (ax, az), (bx, bz) in zip((start, *path), path, strict=False):
        for k in range(steps + 1):
            yield ax + (bx - ax) * k / steps, az + (bz - az) * k / steps


def by_squares(ground: Ground, start: Point, goal: Point) -> float:
    """Length of a way over a net of unit squares, found without rings or tangents; inf if it finds none."""
    net = [(float(x), float(z)) for x in range(-20, 21) for z in range(-20, 21)]
    best, queue = {start: 0.0}, [(0.0, start)]
    while queue:
        gone, here = heappop(queue)
        if gone > best[here]:
            continue
        if here == goal:
            return gone
        for there in (*(p for p in net if dist(p, here) < 1.5), goal):
            if dist(there, here) >= 1.5 or not free(ground, there) or not ground.clear(*here, *there):
                continue
            if (travelled := gone + dist(here, there)) < best.get(there, inf):
                best[there] = travelled
                heappush(queue, (travelled, there))
    return inf


def test_blocked_is_the_classic_collision() -> None:
    """A point is refused within an obstacle's radius + 1.0 and beyond the bounds, and nowhere else."""
    assert TOWN.blocked(-20, -15.01)
    assert not TOWN.blocked(-20, -15)
    assert TOWN.inside(50, -50)
    assert not TOWN.inside(50.001, 0)
    assert not TOWN.inside(float("nan"), 0)


@given(grounds, point, point)
@settings(max_examples=200)
def test_path_stays_on_open_ground(ground: Ground, start: Point, goal: Point) -> None:
    """A way ends at its goal, and crosses neither blocked ground nor the border."""
    assume(free(ground, start))
    path = ground.path(*start, *goal)
    if path is None:
        return
    assert free(ground, goal)
    assert path[-1] == goal
    for x, z in along(start, path):
        assert max(abs(x), abs(z)) < HALF + 1e-9
        assert all(dist((x, z), (o.x, o.z)) > o.radius + ground.clearance - 1e-6 for o in ground.obstacles)


@given(grounds, point, point)
@settings(max_examples=40)
@example(Ground(HALF, [Obstacle(0, z, 3.9) for z in (-15, -5, 5, 15)]), (-3.0, 10.0), (10.0, -10.0))
def test_path_is_found_and_short(ground: Ground, start: Point, goal: Point) -> None:
    """Where there is a way on foot it is found, and none a walker could find is shorter by 2 %."""
    assume(free(ground, start) and free(ground, goal))
    other = by_squares(ground, start, goal)
    assume(other < inf)
    path = ground.path(*start, *goal)
    assert path is not None
    assert dist(start, goal) - 1e-9 <= length(start, path) <= other * 1.02 + 0.05


@given(st.floats(0.5, 8), point, st.floats(0, 2 * pi))
def test_way_around_one_building_is_near_the_shortest(radius: float, start: Point, turn: float) -> None:
    """A way around a building is at most 1.5 % longer than tangents and arc, and a step more at the wall."""
    ground, reach = Ground(40, [Obstacle(0, 0, radius)]), radius + 1
    goal = (start[1], -start[0]) if turn < pi else (-start[0], -start[1])
    assume(free(ground, start))
    path = ground.path(*start, *goal)
    assert path is not None
    away = dist(start, (0, 0))
    between = abs(atan2(start[0] * goal[1] - start[1] * goal[0], start[0] * goal[0] + start[1] * goal[1]))
    arc = between - 2 * acos(reach / away)
    best = 2 * sqrt(away**2 - reach**2) + reach * arc if arc > 0 else dist(start, goal)
    assert best - 1e-6 <= length(start, path) <= best * 1.015 + 0.05 * reach + 0.03


def test_straight_where_nothing_is_in_the_way() -> None:
    """With nothing between, the way is the goal alone; the same question has the same answer."""
    assert TOWN.path(-40, 10, 40, 10) == ((40, 10),)
    assert TOWN.path(5, 5, 5, 5) == ((5, 5),)
    around = TOWN.path(-20, -30, -20, -10)
    assert around is not None
    assert len(around) > 2
    again = Ground(50, TOWN.obstacles).path(-20, -30, -20, -10)
    assert around == again


@pytest.mark.parametrize(
    ("goal", "why"),
    [((22, -22), "inside a building"), ((51, 0), "out of bounds"), ((40, 40), "walled in")],
)
def test_no_path(goal: Point, why: str) -> None:
    """What cannot be walked to has no way."""
    wall = [Obstacle(40 + dx, 40 + dz, 2.2) for dx in (-5, 0, 5) for dz in (-5, 0, 5) if dx or dz]
    assert Ground(50, [*TOWN.obstacles, *wall]).path(0, 0, *goal) is None


@pytest.mark.parametrize("gap", [0.001, 0.1, 0.3])
def test_narrow_gaps_are_walked_through(gap: float) -> None:
    """Between two buildings, or a building and the border, any gap beyond the clearances is a way."""
    row = [Obstacle(0, z * (10 + gap), 4) for z in (-1.5, -0.5, 0.5, 1.5)]
    path = Ground(HALF, row).path(-15, 5, 15, 5)
    assert path is not None
    assert length((-15, 5), path) < 32
    wide = Ground(HALF, [Obstacle(0, 0, HALF - 1 - gap)])
    assert wide.path(-19.5, -19.5, 19.5, 19.5) is not None


@given(grounds, st.tuples(st.floats(-30, 30), st.floats(-30, 30)), point)
def test_start_on_blocked_ground_is_left_first(ground: Ground, start: Point, goal: Point) -> None:
    """Who stands in a building that was added, or outside a smaller world, walks out and on."""
    assume(not free(ground, start) and free(ground, goal))
    out = ground.nearest_free(*start)
    assert out is not None
    assert free(ground, out)
    path = ground.path(*start, *goal)
    assert path is None or (path[0] == out and path[1:] == ground.path(*out, *goal))


def test_nearest_way_out() -> None:
    """A point in the open is its own way out; in a building it is the wall next to it."""
    assert TOWN.nearest_free(3, 4) == (3, 4)
    assert TOWN.nearest_free(22, -18) == pytest.approx((22, -15), abs=0.02)
    assert TOWN.nearest_free(-60, 7) == (-50, 7)
    assert Ground(10, [Obstacle(0, 0, 20)]).nearest_free(0, 0) is None


def test_sixty_four_buildings_in_bounded_work() -> None:
    """With as many buildings as a map may have, the graph stays small however they are heaped."""
    lattice = [Obstacle((k % 8 - 3.5) * 12.5, (k // 8 - 3.5) * 12.5, 5.2) for k in range(64)]
    heap = [Obstacle(0.1 * k - 3, 0.05 * k, 30) for k in range(64)]
    for obstacles in (lattice, heap):
        ground = Ground(50, obstacles)
        assert len(ground._nodes) <= 64 * (16 + 14)
        assert ground.path(-49.9, -49.9, -49.9, 49.9) is not None


@given(
    st.floats(10, 60), st.floats(1.5, 30), st.floats(0, 50),
    st.tuples(st.floats(-80, 80), st.floats(-80, 80)), st.floats(0, 2 * pi), st.floats(0, 1),
)  # fmt: skip
def test_nobody_within_the_radius_is_missed(
    half: float, size: float, radius: float, here: Point, angle: float, share: float
) -> None:
    """Whoever is within the radius is in a near cell, also across borders and out of bounds."""
    grid = Grid(half, size, radius)
    there = (here[0] + radius * share * sqrt(1 - sqrt(share)), here[1] + radius * share * sqrt(sqrt(share)))
    cell, other = grid.cell(*here), grid.cell(*there)
    assert 0 <= cell < grid.count
    assert 0 <= other < grid.count
    assert other in grid.near(cell)
    assert cell in grid.near(other)


def test_far_cells_are_not_near() -> None:
    """Of the 100 cells of the usual world, a corner's area of interest holds the corner's share."""
    grid = Grid(50)
    assert grid.count == 100
    assert grid.cell(-50, -50) == 0
    assert grid.cell(50, 50) == grid.cell(999, 999) == 99
    assert len(grid.near(0)) == 25
    assert 99 not in grid.near(0)


@given(point, st.lists(point, max_size=6), st.lists(st.floats(0, 30), max_size=8))
def test_walking_neither_loses_nor_gains_distance(
    start: Point, points: list[Point], strides: list[float]
) -> None:
    """After any strides, what was walked and what lies ahead add up to the whole way, corners or not."""
    path, whole, walked = tuple(points), length(start, tuple(points)), 0.0
    at = start
    for stride in strides:
        x, z, _, path = toward(*at, path, stride)
        at, walked = (x, z), walked + stride
        assert length(at, path) == pytest.approx(max(0.0, whole - walked), abs=1e-6)
    if walked > whole + 1e-6:
        assert path == ()
        assert at == (points[-1] if points else start)


def test_walkers_face_where_they_go() -> None:
    """A walker faces along its way, turns at a corner, and keeps its facing when it has arrived."""
    path = ((0.0, 10.0), (10.0, 10.0))
    assert toward(0, 0, path, 4) == (0, 4, 0.0, path)
    assert toward(0, 0, path, 10) == (0, 10, pi / 2, path[1:])
    assert toward(0, 0, path, 13) == (3, 10, pi / 2, path[1:])
    assert toward(0, 0, path, 50) == (10, 10, pi / 2, ())
    assert toward(10, 10, (), 5, rotation=1.0) == (10, 10, 1.0, ())
    assert toward(10, 10, ((10.0, 10.0),), 5, rotation=1.0) == (10, 10, 1.0, ())
