"""/api/status and /status.svg: the metrics as figures of the last minutes, for people."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from html import escape
from typing import Any, Final

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from ..clock import milliseconds
from ..gateway.request import Request
from .health import Health
from .metrics import Metrics

#: A sample every so many seconds, and how many are kept: half an hour.
EVERY: Final = 2.0
KEPT: Final = 900
_COLOURS: Final = {"ok": "#2f8f4e", "degraded": "#b7791f", "failed": "#b83227"}
SVG: Final = b"image/svg+xml; charset=utf-8"


class Sample(Struct, frozen=True, rename="camel"):
    """The realm at one moment; rates and means are over the time since the sample before."""

    time: int
    """ms since the epoch"""
    agents: float
    connections: float
    tick_ms: float
    lag_ms: float
    messages_in: float
    """WebSocket messages and HTTP requests received, per second"""
    events: float
    """events of the world, per second"""
    memory_mb: float
    commit_ms: float
    loop_ms: float


class Status:
    """Keeps the last samples of `metrics`; `sample` is called every `EVERY` seconds."""

    def __init__(
        self, metrics: Metrics, health: Health, relays: Callable[[], int], clock: IReactorTime
    ) -> None:
        self._metrics = metrics
        self._health = health
        self._relays = relays
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._before: tuple[float, dict[str, float]] | None = None

    def sample(self, count: int = 1) -> None:
        """Take a sample now."""
        now, values = self._clock.seconds(), self._metrics.totals()
        then, old = self._before or (now - EVERY, values)
        self._before = (now, values)
        span = max(now - then, 0.001)

        def grown(*names: str) -> float:
            return sum(values.get(name, 0.0) - old.get(name, 0.0) for name in names)

        def mean(name: str) -> float:
            return 1000 * grown(f"{name}_sum") / max(grown(f"{name}_count"), 1.0)

        self._samples.append(
            Sample(
                time=milliseconds(self._clock),
                agents=values["realmd_agents_present"],
                connections=values["realmd_websocket_connections"],
                tick_ms=round(mean("realmd_tick_seconds"), 3),
                lag_ms=round(1000 * values["realmd_tick_lag_seconds"], 2),
                messages_in=round(
                    grown("realmd_websocket_messages_total", "realmd_http_requests_total") / span, 2
                ),
                events=round(grown("realmd_events_total") / span, 2),
                memory_mb=round(values["realmd_memory_resident_bytes"] / 1_048_576, 1),
                commit_ms=round(mean("realmd_commit_seconds"), 3),
                loop_ms=round(1000 * values["realmd_loop_delay_seconds"], 2),
            )
        )

    def report(self) -> dict[str, Any]:
        """The whole answer of /api/status."""
        return {
            "ok": True,
            "every": EVERY,
            "health": self._health.report(),
            "relays": self._relays(),
            "samples": list(self._samples),
        }

    def badge(self) -> bytes:
        """The state of the realm in one small picture."""
        report = self._health.report()
        status, agents = report["status"], report["agents"]["active"]
        return badge("realm", f"{status}, {agents} here", _COLOURS[status])

    def pages(self) -> dict[bytes, Callable[[Request], None]]:
        """Path → handler, for the HTTP door."""
        return {
            b"/api/status": lambda request: request.answer(self.report()),
            b"/status.svg": self._badge,
        }

    def _badge(self, request: Request) -> None:
        request.setHeader(b"cache-control", b"no-cache")
        request.setHeader(b"cross-origin-resource-policy", b"cross-origin")  # it stands in other pages
        request.send(self.badge(), SVG)


def badge(label: str, text: str, colour: str) -> bytes:
    """An SVG of two fields, 20 px high; text is measured at 6.6 px a character."""
    label, text = escape(label), escape(text)
    left, right = (round(12 + 6.6 * len(word)) for word in (label, text))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{label}: {text}"><title>{label}: {text}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#2a2230"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14">{label}</text>'
        f'<text x="{left + right / 2}" y="14">{text}</text></g></svg>'
    ).encode()
