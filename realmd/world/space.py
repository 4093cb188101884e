"""The ground agents walk on: obstacles, ways around them, and areas of interest.

Points are (x, z) in world units, the ground a square from -half to +half on both axes,
obstacles circles.  Nothing here knows agents or files; the same input gives the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from math import acos, atan2, ceil, cos, dist, floor, hypot, inf, pi, sin, sqrt
from typing import NamedTuple

Point = tuple[float, float]

#: Sides of the ring of waypoints around an obstacle: a way around is at most 1.3 % too long,
#: and 2 % of the radius more at an end right by the wall.
SIDES = 16
_TURN = 2 * pi / SIDES
#: How far a ring's sides keep from the forbidden circle, so that rounding never touches it.
_SKIN = 0.01
_GOAL = -1


class Obstacle(NamedTuple):
    """A round thing that nobody walks through."""

    x: float
    z: float
    radius: float


class _Ring:
    """A regular polygon drawn around an obstacle's forbidden circle; corners are numbered 0 … SIDES-1."""

    def __init__(self, obstacle: Obstacle, clearance: float) -> None:
        self.x, self.z = obstacle.x, obstacle.z
        self.inner = obstacle.radius + clearance + _SKIN
        self.outer = self.inner / cos(_TURN / 2)
        self.corners = [
            (self.x + self.outer * cos(k * _TURN), self.z + self.outer * sin(k * _TURN)) for k in range(SIDES)
        ]

    def seen_from(self, x: float, z: float) -> Sequence[int]:
        """The corners worth walking to: the two outermost, or all from a point within the ring."""
        dx, dz = x - self.x, z - self.z
        away = hypot(dx, dz)
        if away > self.inner:
            facing, spread = atan2(dz, dx), acos(self.inner / away)
            first = ceil((facing - spread) / _TURN - 0.5)
            last = floor((facing + spread) / _TURN - 0.5) + 1
            if first < last:
                return first % SIDES, last % SIDES
        return range(SIDES)


class Ground:
    """A square of open ground with obstacles; `clearance` is kept between a walker and each of them.

    Ways are found on a visibility graph made once.  Its nodes are the corners of a ring
    around each obstacle, and, for gaps too narrow for rings, the points where rings cross
    each other or the border.  Only edges that pass by a ring at both ends are kept: no
    other can be part of a shortest way.  A spot so tight that the rings of three obstacles
    overlap there counts as closed.
    """

    def __init__(self, half: float, obstacles: Iterable[Obstacle] = (), clearance: float = 1.0) -> None:
        self.half = half
        self.obstacles = tuple(obstacles)
        self.clearance = clearance
        self._discs = tuple((o.x, o.z, (o.radius + clearance) ** 2) for o in self.obstacles)
        self._rings = [_Ring(o, clearance) for o in self.obstacles]
        self._nodes: list[Point] = []
        self._corners = [[self._node(corner) for corner in ring.corners] for ring in self._rings]
        first = len(self._nodes)
        for point in _crossings(self._rings, half):
            self._node(point)
        self._doors = range(first, len(self._nodes))
        self._edges = self._connect()

    def inside(self, x: float, z: float) -> bool:
        """Whether the point lies within the bounds; NaN does not."""
        return abs(x) <= self.half and abs(z) <= self.half

    def blocked(self, x: float, z: float) -> bool:
        """Whether the point lies closer to an obstacle than the clearance allows."""
        return any((ox - x) * (ox - x) + (oz - z) * (oz - z) < reach2 for ox, oz, reach2 in self._discs)

    def clear(self, ax: float, az: float, bx: float, bz: float) -> bool:
        """Whether the straight way from a to b touches no blocked ground."""
        dx, dz = bx - ax, bz - az
        length2 = dx * dx + dz * dz
        for ox, oz, reach2 in self._discs:
            px, pz = ox - ax, oz - az
            along = px * dx + pz * dz
            if along <= 0:
                if px * px + pz * pz < reach2:
                    return False
            elif along >= length2:
                qx, qz = ox - bx, oz - bz
                if qx * qx + qz * qz < reach2:
                    return False
            else:
                across = px * dz - pz * dx
                if across * across < reach2 * length2:
                    return False
        return True

    def nearest_free(self, x: float, z: float) -> Point | None:
        """The point itself if one may stand there, else the nearest way out; None if all is built over."""
        if self._free(x, z):
            return x, z
        cx, cz = max(-self.half, min(x, self.half)), max(-self.half, min(z, self.half))
        exits: list[Point] = [(cx, cz)]
        for ring in self._rings:
            away = dist((cx, cz), (ring.x, ring.z))
            if away < ring.inner:
                ux, uz = ((cx - ring.x) / away, (cz - ring.z) / away) if away else (1.0, 0.0)
                exits.append((ring.x + ux * ring.inner, ring.z + uz * ring.inner))
        return min(
            (point for point in (*exits, *self._nodes) if self._free(*point)),
            key=lambda point: dist(point, (cx, cz)),
            default=None,
        )

    def path(self, ax: float, az: float, bx: float, bz: float) -> tuple[Point, ...] | None:
        """The shortest way from a to b: the points still ahead, b last; None if there is none.

        A start on blocked ground first leaves it by the nearest way out.
        """
        start = self.nearest_free(ax, az)
        if start is None or not self._free(bx, bz):
            return None
        out = () if start == (ax, az) else (start,)
        way = self._way(start, (bx, bz))
        return None if way is None else (*out, *way)

    def _free(self, x: float, z: float) -> bool:
        return self.inside(x, z) and not self.blocked(x, z)

    def _way(self, start: Point, goal: Point) -> tuple[Point, ...] | None:
        if self.clear(*start, *goal):
            return (goal,)
        # From within a ring its next corner may be hidden by the curve: go out to the ring first.
        first, last = self._off_the_wall(start), self._off_the_wall(goal)
        found = (last,) if self.clear(*first, *last) else self._search(first, last)
        if found is None:
            return None
        way = [start, *([first] if first != start else []), *found, *([goal] if last != goal else [])]
        for end in (1, -2):  # that step is needless where the walker sees past it
            if len(way) > 2 and self.clear(*way[end - 1], *way[end + 1]):
                del way[end]
        return tuple(way[1:])

    def _off_the_wall(self, point: Point) -> Point:
        """The point, or if it lies within a ring the one straight out on it, where there is room."""
        for ring in self._rings:
            away = dist(point, (ring.x, ring.z))
            if away < ring.outer:
                share = ring.outer / away
                out = ring.x + (point[0] - ring.x) * share, ring.z + (point[1] - ring.z) * share
                if self._free(*out) and self.clear(*point, *out):
                    return out
        return point

    def _node(self, point: Point) -> int | None:
        if not self._free(*point):
            return None
        self._nodes.append(point)
        return len(self._nodes) - 1

    def _candidates(self, x: float, z: float) -> list[list[int]]:
        """For each ring, the nodes a shortest way from the point could turn at."""
        return [
            [node for k in ring.seen_from(x, z) if (node := corners[k]) is not None]
            for ring, corners in zip(self._rings, self._corners, strict=True)
        ]

    def _connect(self) -> list[list[tuple[int, float]]]:
        edges: list[list[tuple[int, float]]] = [[] for _ in self._nodes]

        def join(a: int, b: int) -> None:
            if self.clear(*self._nodes[a], *self._nodes[b]):
                length = dist(self._nodes[a], self._nodes[b])
                edges[a].append((b, length))
                edges[b].append((a, length))

        seen = [self._candidates(*point) for point in self._nodes]
        home = {n: r for r, corners in enumerate(self._corners) for n in corners if n is not None}
        for ring, corners in enumerate(self._corners):
            for k, a in enumerate(corners):
                if a is None:
                    continue
                if (following := corners[(k + 1) % SIDES]) is not None:
                    join(a, following)
                for other in range(ring + 1, len(self._rings)):
                    for b in seen[a][other]:
                        if a in seen[b][home[a]]:
                            join(a, b)
        for door in self._doors:
            for b in (*(n for nodes in seen[door] for n in nodes), *range(self._doors.start, door)):
                join(door, b)
        return edges

    def _visible(self, point: Point) -> dict[int, float]:
        """The nodes one can walk straight to, and how far they are."""
        nodes = [n for some in self._candidates(*point) for n in some]
        nodes.extend(self._doors)
        return {n: dist(point, self._nodes[n]) for n in nodes if self.clear(*point, *self._nodes[n])}

    def _search(self, start: Point, goal: Point) -> tuple[Point, ...] | None:
        """A* over the graph; ties go to the lower node, so that the way is always the same."""
        last = self._visible(goal)
        if not last:
            return None
        best = self._visible(start)
        came: dict[int, int] = {}
        done: set[int] = set()
        queue = [(length + dist(self._nodes[n], goal), n) for n, length in best.items()]
        heapify(queue)
        while queue:
            _, here = heappop(queue)
            if here == _GOAL:
                return self._trace(came, goal)
            if here in done:
                continue
            done.add(here)
            onward = [*self._edges[here], (_GOAL, last[here])] if here in last else self._edges[here]
            for there, length in onward:
                travelled = best[here] + length
                if travelled < best.get(there, inf):
                    best[there] = travelled
                    came[there] = here
                    rest = 0.0 if there == _GOAL else dist(self._nodes[there], goal)
                    heappush(queue, (travelled + rest, there))
        return None

    def _trace(self, came: dict[int, int], goal: Point) -> tuple[Point, ...]:
        way = [goal]
        node: int | None = came[_GOAL]
        while node is not None:
            way.append(self._nodes[node])
            node = came.get(node)
        return tuple(reversed(way))


def _crossings(rings: Sequence[_Ring], half: float) -> list[Point]:
    """Where the rings' outer circles cross each other and the border, outside all the others.

    So they are few (at most fourteen a ring), however many obstacles are heaped on one spot.
    """
    points: list[Point] = []
    for i, a in enumerate(rings):
        for edge in (-half, half):
            if (square := a.outer**2 - (edge - a.x) ** 2) > 0:
                points += [(edge, a.z - sqrt(square)), (edge, a.z + sqrt(square))]
            if (square := a.outer**2 - (edge - a.z) ** 2) > 0:
                points += [(a.x - sqrt(square), edge), (a.x + sqrt(square), edge)]
        for b in rings[i + 1 :]:
            apart = dist((a.x, a.z), (b.x, b.z))
            if not abs(a.outer - b.outer) < apart < a.outer + b.outer:
                continue
            ux, uz = (b.x - a.x) / apart, (b.z - a.z) / apart
            along = (apart**2 + a.outer**2 - b.outer**2) / (2 * apart)
            off = sqrt(max(0.0, a.outer**2 - along**2))
            for side in (-off, off):
                points.append((a.x + ux * along - uz * side, a.z + uz * along + ux * side))
    return [p for p in points if all(dist(p, (ring.x, ring.z)) > ring.outer - 1e-6 for ring in rings)]


class Grid:
    """The square cut into cells, to find who may be within `radius` of whom, along x and along z.

    Cells are numbered 0 … count-1; a point outside the bounds counts to the nearest border
    cell, which never brings two points further apart than they are.
    """

    def __init__(self, half: float, cell: float = 10.0, radius: float = 40.0) -> None:
        self.half, self.size, self.radius = half, cell, radius
        self.side = max(1, ceil(2 * half / cell))
        self.count = self.side * self.side
        self._near: dict[int, tuple[int, ...]] = {}
        span = range(-ceil(radius / cell), ceil(radius / cell) + 1)
        self._offsets = [(dx, dz) for dz in span for dx in span]

    def cell(self, x: float, z: float) -> int:
        """The number of the cell that holds the point."""
        return self._line(z) * self.side + self._line(x)

    def near(self, cell: int) -> tuple[int, ...]:
        """Every cell, in order, of the square around `cell`: what is within `radius` of it is in them."""
        found = self._near.get(cell)
        if found is None:
            row, column = divmod(cell, self.side)
            found = self._near[cell] = tuple(
                (row + dz) * self.side + column + dx
                for dx, dz in self._offsets
                if 0 <= row + dz < self.side and 0 <= column + dx < self.side
            )
        return found

    def _line(self, value: float) -> int:
        within = max(-self.half, min(value, self.half))
        return min(self.side - 1, int((within + self.half) / self.size))


def toward(
    x: float, z: float, path: tuple[Point, ...], distance: float, rotation: float = 0.0
) -> tuple[float, float, float, tuple[Point, ...]]:
    """Advance along `path` by `distance`: (x, z, facing in radians, the points still ahead).

    Facing is atan2(dx, dz), as a figure that looks along +z turns about y; `rotation` is
    kept where there is no way to go.
    """
    left = max(0.0, distance)
    for index, (nx, nz) in enumerate(path):
        dx, dz = nx - x, nz - z
        length = hypot(dx, dz)
        if length > 0:
            rotation = atan2(dx, dz)
        if length > left:
            share = left / length
            return x + dx * share, z + dz * share, rotation, path[index:]
        left -= length
        x, z = nx, nz
    return x, z, rotation, ()
