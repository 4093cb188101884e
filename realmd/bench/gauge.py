"""What is measured each second while a run goes on: the server, this side, and the traffic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from . import procfs
from .histogram import Histogram
from .ledger import Ledger
from .model import Drift, Load, Second, Server, Spread

#: Beyond these this side is taken for the bottleneck: percent of its core, ms that its loop was late.
CPU_LIMIT: Final = 90.0
LAG_LIMIT: Final = 25.0
#: Seconds of a run kept for plots; of more, every second, then every fourth … is kept.
KEPT: Final = 2000
#: The server's histogram of its ticks, for those who run a realm.
TICK: Final = "realmd_tick_seconds"
#: How long a tick beyond its last bucket is taken to be (s).
LONGEST: Final = 10.0


class _Mark(Struct):
    at: float
    own: float
    server: float | None
    busy: float | None
    frames: int
    bytes: int
    sent: int


class Gauge:
    """Reads the meters.

    `pid` is the server's process if it is on this machine; `traffic` tells the frames and
    bytes that came so far.
    """

    def __init__(self, pid: int | None, ledger: Ledger, traffic: Callable[[], tuple[int, int]]) -> None:
        self._pid = pid
        self._traffic = traffic
        self._ledger = ledger
        self._lag = Histogram()
        self._recent_lag = Histogram()
        self._before = self._connected = self._memory()
        self._usage: procfs.Usage | None = None
        self._rss: list[int] = []
        self._start = self._last = self._mark()
        self._series: list[Second] = []
        self._every = self._turn = 1

    async def lag(self) -> None:
        """Measure for ever how late the loop is."""
        while True:
            due = time.perf_counter() + 0.02
            await asyncio.sleep(0.02)
            late = max(0.0, time.perf_counter() - due)
            self._lag.add(late)
            self._recent_lag.add(late)

    def connected(self) -> None:
        """All have connected; nothing moves yet."""
        self._connected = self._memory()

    def begin(self) -> None:
        """The measurement starts now."""
        self._start = self._last = self._mark()
        self._lag = Histogram()
        self._series.clear()
        self._rss.clear()

    def second(self) -> Second:
        """What happened since the last call."""
        then, now = self._last, self._mark()
        self._last = now
        span = max(now.at - then.at, 1e-6)
        recent, self._ledger.recent = self._ledger.recent, Histogram()
        lag, self._recent_lag = self._recent_lag, Histogram()
        second = Second(
            at=now.at - self._start.at,
            moves=(now.sent - then.sent) / span,
            frames=(now.frames - then.frames) / span,
            bytes=(now.bytes - then.bytes) / span,
            cpu=percent(then.server, now.server, span),
            rss=self._rss[-1] if self._rss else None,
            p50=ms(recent.percentile(50)),
            p99=ms(recent.percentile(99)),
            lag=(lag.percentile(99) or 0.0) * 1000,
            load_cpu=(now.own - then.own) / span * 100,
        )
        self._keep(second)
        return second

    def server(self, ticks: Histogram | None) -> Server | None:
        """The server over the whole measurement; None if it is not on this machine."""
        usage = self._usage
        cpu = percent(self._start.server, self._last.server, self._last.at - self._start.at)
        if self._pid is None or usage is None or cpu is None:
            return None
        counted = procfs.usage(self._pid, pss=True)
        return Server(
            pid=self._pid,
            cpu=cpu,
            rss_before=self._before,
            rss_connected=self._connected,
            rss=usage.rss,
            rss_peak=max(self._rss),
            pss=counted.pss if counted else None,
            threads=usage.threads,
            processes=usage.processes,
            tick_p50=ms(ticks.percentile(50)) if ticks else None,
            tick_p99=ms(ticks.percentile(99)) if ticks else None,
        )

    def load(self) -> Load:
        """This side over the whole measurement."""
        span = max(self._last.at - self._start.at, 1e-6)
        cpu = (self._last.own - self._start.own) / span * 100
        others = percent(self._start.busy, self._last.busy, span)
        if others is not None:
            others = max(0.0, others - cpu - (percent(self._start.server, self._last.server, span) or 0.0))
        lag = ms(self._lag.percentile(99)) or 0.0
        return Load(
            cpu,
            lag,
            self._lag.greatest * 1000,
            others,
            bottlenecks(cpu, lag),
            type(asyncio.get_running_loop()).__module__.partition(".")[0],
        )

    def series(self) -> list[Second]:
        return self._series

    def drift(self) -> Drift | None:
        """How the memory of a soak went, when it was long enough to tell."""
        return drift(self._rss)

    def _mark(self) -> _Mark:
        self._usage = procfs.usage(self._pid) or self._usage if self._pid is not None else None
        if self._usage is not None:
            self._rss.append(self._usage.rss)
        return _Mark(
            time.perf_counter(),
            time.process_time(),
            self._usage.cpu if self._usage else None,
            procfs.busy(),
            *self._traffic(),
            self._ledger.totals().sent,
        )

    def _memory(self) -> int:
        usage = procfs.usage(self._pid) if self._pid is not None else None
        return usage.rss if usage else 0

    def _keep(self, second: Second) -> None:
        self._turn -= 1
        if self._turn == 0:
            self._series.append(second)
            self._turn = self._every
        if len(self._series) >= KEPT:
            del self._series[1::2]
            self._every *= 2


def bottlenecks(cpu: float, lag: float) -> list[str]:
    """Why this side may have been the limit: percent of its core, 99th percentile of its loop's lag (ms)."""
    found = []
    if cpu > CPU_LIMIT:
        found.append(f"the load side used {cpu:.0f} % of its core")
    if lag > LAG_LIMIT:
        found.append(f"the load side's loop was {lag:.0f} ms late (p99)")
    return found


def drift(rss: Sequence[int], warmup: float = 0.1) -> Drift | None:
    """Memory (bytes, one a second): the first tenth warms up, then the last tenth is held to the first."""
    flat = rss[int(len(rss) * warmup) :]
    tenth = len(flat) // 10
    if tenth < 3:
        return None
    first, last = sum(flat[:tenth]) / tenth, sum(flat[-tenth:]) / tenth
    return Drift((last - first) / first * 100 if first else 0.0, min(flat), max(flat))


def tick_buckets(page: str) -> dict[float, int]:
    """Upper bound (s) → ticks that took no longer, as a realm's /metrics tells; empty for another server."""
    found = {}
    try:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name == f"{TICK}_bucket":
                    found[float(sample.labels["le"])] = int(sample.value)
    except (ValueError, KeyError):  # no page of metrics
        return {}
    return found


def ticks_between(before: dict[float, int], after: dict[float, int]) -> Histogram | None:
    """The ticks that ended between two readings, each as long as its bucket reaches."""
    ticks, below = Histogram(), 0
    for bound in sorted(after):
        upto = after[bound] - before.get(bound, 0)
        if upto > below:
            ticks.add(min(bound, LONGEST), upto - below)
        below = upto
    return ticks if ticks.count else None


def percent(then: float | None, now: float | None, span: float) -> float | None:
    """CPU seconds used in `span` seconds, as percent of one core."""
    return None if then is None or now is None or span <= 0 else max(0.0, (now - then) / span * 100)


def ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def spread(histogram: Histogram) -> Spread:
    """The percentiles that are shown, in ms."""
    p50, p95, p99 = (ms(histogram.percentile(p)) for p in (50, 95, 99))
    return Spread(histogram.count, p50, p95, p99, histogram.greatest * 1000 if histogram.count else None)
