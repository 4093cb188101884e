"""/api/status and /status.svg: the metrics as figures of the last minutes, for people."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from html import escape
from typing import Any, Final

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from ..host.clock import milliseconds
from .health import Health
from .metrics import Metrics

#: A sample every so many seconds, and how many are kept: half an hour.
EVERY: Final = 2.0
KEPT: Final = 900
#: The last minutes (s), over which is told what is too rare for one sample: as long as the alerts look back.
LAST_MINUTES: Final = 300.0
#: What grows, of which the last minutes are kept.
COUNTED: Final = tuple(
    f"realmd_{name}"
    for name in (
        "process_cpu_seconds_total", "tick_seconds_sum", "tick_seconds_count", "commit_seconds_sum",
        "commit_seconds_count", "websocket_ping_seconds_sum", "websocket_ping_seconds_count",
        "ticks_missed_total", "events_total", "websocket_messages_total", "http_requests_total",
        "message_errors_total",
    )
)  # fmt: skip
MESSAGES: Final = ("websocket_messages_total", "http_requests_total")
_COLOURS: Final = {"ok": "#2f8f4e", "degraded": "#b7791f", "failed": "#b83227"}
#: Clock seconds, and what was counted by then.
_Reading = tuple[float, dict[str, float]]


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
    cpu: float
    """% of one core"""
    disk: float
    """% of the state folder's file system that is taken"""
    ping_ms: float
    """mean of the last minutes"""
    errors: float
    """% of the messages of the last minutes that went wrong"""


class Recent(Struct, frozen=True, rename="camel"):
    """The last minutes as one; a mean of nothing is None."""

    seconds: float
    cpu: float
    """% of one core"""
    tick_ms: float | None
    ticks_missed: float
    commit_ms: float | None
    ping_ms: float | None
    messages_in: float
    """per second"""
    errors: float
    """% of the messages"""


class _Growth:
    """What was counted from one reading to another."""

    def __init__(self, then: _Reading, now: _Reading) -> None:
        self.seconds = max(now[0] - then[0], 0.001)
        self._then, self._now = then[1], now[1]

    def of(self, *names: str) -> float:
        return sum(self._now[f"realmd_{name}"] - self._then[f"realmd_{name}"] for name in names)

    def rate(self, *names: str) -> float:
        return round(self.of(*names) / self.seconds, 2)

    def mean_ms(self, name: str) -> float | None:
        count = self.of(f"{name}_count")
        return round(1000 * self.of(f"{name}_sum") / count, 3) if count else None

    def cpu(self) -> float:
        return round(100 * self.of("process_cpu_seconds_total") / self.seconds, 1)

    def errors(self) -> float:
        return round(100 * self.of("message_errors_total") / max(self.of(*MESSAGES), 1.0), 2)


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
        self._readings: deque[_Reading] = deque(maxlen=round(LAST_MINUTES / EVERY) + 1)

    def sample(self, count: int = 1) -> None:
        """Take a sample now."""
        values = self._metrics.totals()
        self._readings.append((self._clock.seconds(), {name: values.get(name, 0.0) for name in COUNTED}))
        since = self._growth(2)
        recent = self.recent()
        size = values.get("realmd_disk_size_bytes", 0.0)
        self._samples.append(
            Sample(
                time=milliseconds(self._clock),
                agents=values["realmd_agents_present"],
                connections=values["realmd_websocket_connections"],
                tick_ms=since.mean_ms("tick_seconds") or 0.0,
                lag_ms=round(1000 * values["realmd_tick_lag_seconds"], 2),
                messages_in=since.rate(*MESSAGES),
                events=since.rate("events_total"),
                memory_mb=round(values["realmd_memory_resident_bytes"] / 1_048_576, 1),
                commit_ms=since.mean_ms("commit_seconds") or 0.0,
                loop_ms=round(1000 * values["realmd_loop_delay_seconds"], 2),
                cpu=since.cpu(),
                disk=round(100 * (1 - values.get("realmd_disk_free_bytes", 0.0) / size), 1) if size else 0.0,
                ping_ms=recent.ping_ms or 0.0,
                errors=recent.errors,
            )
        )

    def _growth(self, readings: int) -> _Growth:
        """Over the last `readings`, or as many as there are."""
        return _Growth(self._readings[-min(readings, len(self._readings))], self._readings[-1])

    def recent(self) -> Recent:
        """The last minutes; call after `sample`."""
        grown = self._growth(len(self._readings))
        return Recent(
            seconds=round(grown.seconds, 1),
            cpu=grown.cpu(),
            tick_ms=grown.mean_ms("tick_seconds"),
            ticks_missed=grown.of("ticks_missed_total"),
            commit_ms=grown.mean_ms("commit_seconds"),
            ping_ms=grown.mean_ms("websocket_ping_seconds"),
            messages_in=grown.rate(*MESSAGES),
            errors=grown.errors(),
        )

    def report(self) -> dict[str, Any]:
        """The whole answer of /api/status."""
        return {
            "ok": True,
            "every": EVERY,
            "health": self._health.report(),
            "relays": self._relays(),
            "recent": self.recent() if self._readings else None,
            "samples": list(self._samples),
        }

    def badge(self) -> bytes:
        """The state of the realm in one small picture."""
        report = self._health.report()
        status, agents = report["status"], report["agents"]
        return badge("realm", f"{status}, {agents['active']} of {agents['total']}", _COLOURS[status])


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
