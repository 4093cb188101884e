"""How the load's agents walk: at walking speed, turning now and then, around what stands in the way."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from msgspec import Struct

#: Units a second, and how far (units) walkers keep from walls and from the edge.
SPEED: Final = 3.0
CLEARANCE: Final = 1.2
EDGE: Final = 0.1


class Circle(NamedTuple):
    """Something round that nobody may stand in (units)."""

    x: float
    z: float
    radius: float


#: What stands in the classic world.
CLASSIC: Final = (Circle(-20.0, -20.0, 4.0), Circle(22.0, -22.0, 6.0), Circle(0.0, -35.0, 5.0))


class Ground(Struct, frozen=True):
    """A square from -half to +half, and what stands on it."""

    half: float = 50.0
    obstacles: tuple[Circle, ...] = CLASSIC

    def free(self, x: float, z: float) -> bool:
        """Whether one may stand there."""
        return max(abs(x), abs(z)) <= self.half - EDGE and all(
            math.hypot(x - o.x, z - o.z) > o.radius + CLEARANCE for o in self.obstacles
        )


def ground_of(answer: dict[str, Any]) -> Ground:
    """The ground that a realm tells at /api/world; of another server it is the classic one."""
    try:
        world = answer["world"]
        bounds: dict[str, float] = world["bounds"]
        stand: Iterable[dict[str, float]] = world["buildings"]
        half = min(abs(bounds[key]) for key in ("minX", "maxX", "minZ", "maxZ"))
        return Ground(float(half), tuple(Circle(b["x"], b["z"], b["radius"]) for b in stand))
    except (KeyError, TypeError, ValueError):
        return Ground()


class Walker:
    """One agent's way about the square from -reach to +reach (units)."""

    def __init__(self, ground: Ground, reach: float, rng: random.Random) -> None:
        self._ground = ground
        self._reach = min(reach, ground.half - EDGE)
        self._rng = rng
        self.x, self.z = self._anywhere()
        self.heading = rng.uniform(-math.pi, math.pi)

    def step(self, seconds: float) -> tuple[float, float, float]:
        """Walk on for so long; returns x, z and rotation (radians, 0 faces +z)."""
        rng = self._rng
        self.heading += rng.gauss(0.0, 0.5) * math.sqrt(min(seconds, 1.0))
        for _ in range(8):
            x = self.x + math.sin(self.heading) * SPEED * seconds
            z = self.z + math.cos(self.heading) * SPEED * seconds
            if max(abs(x), abs(z)) <= self._reach and self._ground.free(x, z):
                self.x, self.z = x, z
                break
            self.heading = rng.uniform(-math.pi, math.pi)
        self.heading = math.remainder(self.heading, 2 * math.pi)
        return self.x, self.z, round(self.heading, 3)

    def _anywhere(self) -> tuple[float, float]:
        for _ in range(100):
            x = self._rng.uniform(-self._reach, self._reach)
            z = self._rng.uniform(-self._reach, self._reach)
            if self._ground.free(x, z):
                return x, z
        return 0.0, 0.0
