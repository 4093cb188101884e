"""/health: whether the realm serves, in the shape that old monitors read, with checks beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from .. import __version__
from ..host.resources import anonymous_bytes, resident_bytes
from ..runtime.periodic import Periodic
from ..world.engine import World
from .checks import Check

_RANK: Final = {"ok": 0, "degraded": 1, "failed": 2}


class Health:
    """What /health tells.

    `checks` are asked each time; the worst decides, and that the realm is not ready counts as failed.
    Of `agents`, `active` is how many of the `total` seats are taken.
    """

    log = Logger()

    def __init__(
        self,
        world: World,
        connections: Callable[[], int],
        checks: dict[str, Callable[[], Check]],
        room_id: str,
        ticking: Periodic,
        clock: IReactorTime,
    ) -> None:
        self.ready = False
        self._world = world
        self._connections = connections
        self._checks = checks
        self._room_id = room_id
        self._ticking = ticking
        self._clock = clock
        self._started = clock.seconds()

    def welcome(self, newcomers: bool) -> None:
        """Whether the realm serves, from now on."""
        self.ready = newcomers

    def report(self) -> dict[str, Any]:
        """The whole answer of /health."""
        checks = {name: self._ask(name) for name in self._checks}
        world, taken = self._world, self._world.seats_taken()
        worst = max((check.status for check in checks.values()), key=_RANK.__getitem__, default="ok")
        status = worst if self.ready else "failed"
        return {
            "status": status,
            "uptime": int(self._clock.seconds() - self._started),
            "agents": {
                "active": taken,
                "total": world.limits.max_agents,
                "inhabitants": len(world.tables.bodies) - taken,
                "known": len(world.tables.profiles),
            },
            "connections": self._connections(),
            "memory": {"used": _megabytes(resident_bytes()), "heap": _megabytes(anonymous_bytes())},
            "version": __version__,
            "checks": checks,
            # As the old server had them: WebSockets, ticks so far, and ticks a second.
            "roomId": self._room_id,
            "clients": self._connections(),
            "tick": self._ticking.runs,
            "tickRate": round(1 / self._ticking.interval),
        }

    def _ask(self, name: str) -> Check:
        try:
            return self._checks[name]()
        except Exception:
            self.log.failure("a health check failed check={name}", name=name)
            return Check("degraded", "the check itself failed")


def _megabytes(size: int) -> str:
    return f"{size / 1_048_576:.0f}MB"
