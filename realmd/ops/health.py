"""/health: whether the realm serves, in the shape that old monitors read, with checks beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from .. import __version__
from ..gateway.request import Request
from ..world.engine import World
from .metrics import CONTENT_TYPE, Metrics, anonymous_bytes, resident_bytes

Status = Literal["ok", "degraded", "failed"]
_RANK: Final = {"ok": 0, "degraded": 1, "failed": 2}


class Check(Struct, frozen=True, omit_defaults=True):
    """One check: its status, why it is not ok, and its figures."""

    status: Status
    reason: str = ""
    figures: dict[str, Any] = {}


class Health:
    """Answers /health, /health/live, /health/ready and /metrics.

    `checks` are asked at each request; the worst decides: 200 when ok or degraded, 503 when
    one failed or the realm is not ready.
    """

    def __init__(
        self,
        world: World,
        connections: Callable[[], int],
        checks: dict[str, Callable[[], Check]],
        metrics: Metrics,
        clock: IReactorTime,
    ) -> None:
        self.ready = False
        self._world = world
        self._connections = connections
        self._checks = checks
        self._metrics = metrics
        self._clock = clock
        self._started = clock.seconds()

    def report(self) -> dict[str, Any]:
        """The whole answer of /health."""
        checks = {name: check() for name, check in self._checks.items()}
        worst = max((check.status for check in checks.values()), key=_RANK.__getitem__, default="ok")
        status = worst if self.ready else "failed"
        return {
            "status": status,
            "uptime": int(self._clock.seconds() - self._started),
            "agents": {
                "active": len(self._world.tables.bodies),
                "total": len(self._world.tables.profiles),
            },
            "connections": self._connections(),
            "memory": {"used": _megabytes(resident_bytes()), "heap": _megabytes(anonymous_bytes())},
            "version": __version__,
            "checks": checks,
        }

    def pages(self) -> dict[bytes, Callable[[Request], None]]:
        """Path → handler, for the HTTP door."""
        return {
            b"/health": self._health,
            b"/health/live": lambda request: request.answer({"status": "alive"}),
            b"/health/ready": self._ready,
            b"/metrics": lambda request: request.send(self._metrics.render(), CONTENT_TYPE),
        }

    def _health(self, request: Request) -> None:
        report = self.report()
        request.answer(report, 503 if report["status"] == "failed" else 200)

    def _ready(self, request: Request) -> None:
        failed = self.report()["status"] == "failed"
        request.answer({"status": "not ready" if failed else "ready"}, 503 if failed else 200)


def tick_check(lag: float, interval: float, age: float) -> Check:
    """The tick: late by `lag` s at its last begin, which was `age` s ago."""
    figures = {"lagMs": round(lag * 1000, 1), "intervalMs": round(interval * 1000)}
    if age > max(10 * interval, 2.0):
        return Check("failed", f"no tick for {age:.1f} s", figures)
    if lag > interval:
        return Check("degraded", f"ticks begin {lag * 1000:.0f} ms late", figures)
    return Check("ok", figures=figures)


def work_check(failing: Iterable[str]) -> Check:
    """The periodic work; `failing` names what raised at its last run."""
    names = sorted(failing)
    return Check("degraded", f"failing: {', '.join(names)}") if names else Check("ok")


def _megabytes(size: int) -> str:
    return f"{size / 1_048_576:.0f}MB"
