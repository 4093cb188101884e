"""Quantities made of metrics: each says itself in PromQL, and works itself out inside the daemon.

An alert is declared once, over such a quantity; Prometheus and the daemon's own watch
then cannot mean different things by it.  Where PromQL would have no series, the value is None.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, Protocol

from msgspec import Struct
from prometheus_client import CollectorRegistry

#: Longest `over` (s) of a `Growth`: what the past holds.
LONGEST: Final = 900.0

Series = dict[tuple[tuple[str, str], ...], float]


class Reading(Struct, frozen=True):
    """The metrics at one moment (clock seconds; `dated`: since the epoch): name → labels → value."""

    at: float
    dated: float
    series: dict[str, Series]


class Past:
    """The readings of the last `LONGEST` seconds, of the metrics named; at most one a call of `read`."""

    def __init__(self, registry: CollectorRegistry, names: set[str], most: int) -> None:
        self._registry = registry
        self._names = names
        self._readings: deque[Reading] = deque(maxlen=most)

    def read(self, now: float, dated: float) -> None:
        """Take a reading, at `now` by the clock, which is `dated` seconds since the epoch."""
        series: dict[str, Series] = {}
        for family in self._registry.collect():
            for sample in family.samples:
                if sample.name in self._names:
                    labels = tuple(sorted(sample.labels.items()))
                    series.setdefault(sample.name, {})[labels] = sample.value
        if self._readings and now < self._readings[-1].at:
            self._readings.clear()  # the clock was put back: no difference means anything any more
        self._readings.append(Reading(now, dated, series))

    @property
    def now(self) -> Reading:
        """The newest reading."""
        return self._readings[-1]

    def since(self, over: float) -> Reading:
        """The oldest reading of the last `over` seconds."""
        begin = self.now.at - over
        return next(reading for reading in self._readings if reading.at >= begin)


class Quantity(Protocol):
    """A number made of metrics."""

    def promql(self) -> str:
        """The same as a PromQL expression."""

    def value(self, past: Past) -> float | None:
        """The number now, or None while it means nothing."""

    def metrics(self) -> Iterator[str]:
        """The names of the metrics in it."""


class Level(Struct, frozen=True):
    """The value of a metric; of several series that differ in the label `each`, the least."""

    metric: str
    each: str = ""

    def promql(self) -> str:
        return f"min without ({self.each}) ({self.metric})" if self.each else self.metric

    def value(self, past: Past) -> float | None:
        return min(past.now.series.get(self.metric, {}).values(), default=None)

    def metrics(self) -> Iterator[str]:
        yield self.metric


class Growth(Struct, frozen=True):
    """How much a counter grew over the last seconds; series that differ in the label `each` are added.

    `bucket` chooses the bucket of a histogram, by its bound as Prometheus writes it.
    """

    metric: str
    over: int
    each: str = ""
    bucket: str = ""

    def promql(self) -> str:
        chosen = f'{{le="{self.bucket}"}}' if self.bucket else ""
        growth = f"increase({self.metric}{chosen}[{self.over}s])"
        dropped = self.each or ("le" if self.bucket else "")
        return f"sum without ({dropped}) ({growth})" if dropped else growth

    def value(self, past: Past) -> float | None:
        now, then = past.now, past.since(self.over)
        if now is then or self.metric not in now.series:
            return None
        before = then.series.get(self.metric, {})
        grown = 0.0
        for labels, value in now.series[self.metric].items():
            if not self.bucket or ("le", self.bucket) in labels:
                grown += max(0.0, value - before.get(labels, 0.0))
        return grown

    def metrics(self) -> Iterator[str]:
        yield self.metric


class Worst(Struct, frozen=True):
    """The share of bad in good and bad over the last seconds: the greatest among those of the label `each`.

    Where there were fewer than `fewest` bad ones it means nothing: one at the start is no habit.
    """

    bad: str
    good: str
    each: str
    over: int
    fewest: int

    def promql(self) -> str:
        bad, good = (f"increase({metric}[{self.over}s])" for metric in (self.bad, self.good))
        # A half less: what Prometheus extrapolates is seldom whole.
        return f"max without ({self.each}) ({bad} / ({bad} + {good}) and {bad} > {self.fewest - 0.5:g})"

    def value(self, past: Past) -> float | None:
        now, then = past.now, past.since(self.over)

        def grown(metric: str, labels: tuple[tuple[str, str], ...]) -> float:
            before = then.series.get(metric, {}).get(labels, 0.0)
            return max(0.0, now.series.get(metric, {}).get(labels, 0.0) - before)

        shares = []
        for labels in now.series.get(self.bad, {}):
            bad, good = grown(self.bad, labels), grown(self.good, labels)
            if now is not then and bad >= self.fewest:
                shares.append(bad / (bad + good))
        return max(shares, default=None)

    def metrics(self) -> Iterator[str]:
        yield from (self.bad, self.good)


class Age(Struct, frozen=True):
    """Seconds since the moment that a metric tells, in the series whose label `each` is `which`."""

    metric: str
    each: str
    which: str

    def promql(self) -> str:
        return f'(time() - sum without ({self.each}) ({self.metric}{{{self.each}="{self.which}"}}))'

    def value(self, past: Past) -> float | None:
        at = past.now.series.get(self.metric, {}).get(((self.each, self.which),))
        return None if at is None else past.now.dated - at

    def metrics(self) -> Iterator[str]:
        yield self.metric


class Total(Struct, frozen=True):
    """Quantities added up; nothing while one of them is."""

    parts: tuple[Quantity, ...]

    def promql(self) -> str:
        return f"({' + '.join(part.promql() for part in self.parts)})"

    def value(self, past: Past) -> float | None:
        values = [value for part in self.parts if (value := part.value(past)) is not None]
        return sum(values) if len(values) == len(self.parts) else None

    def metrics(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.metrics()


class Share(Struct, frozen=True):
    """One quantity as a share of another (a number is taken for a constant); nothing of nothing."""

    part: Quantity
    whole: Quantity | float

    def promql(self) -> str:
        whole = f"{self.whole:g}" if isinstance(self.whole, int | float) else self.whole.promql()
        return f"({self.part.promql()} / {whole})"

    def value(self, past: Past) -> float | None:
        part = self.part.value(past)
        whole = self.whole if isinstance(self.whole, int | float) else self.whole.value(past)
        return part / whole if part is not None and whole else None

    def metrics(self) -> Iterator[str]:
        yield from self.part.metrics()
        if not isinstance(self.whole, int | float):
            yield from self.whole.metrics()


class Rest(Struct, frozen=True):
    """What a share leaves of the whole."""

    share: Quantity

    def promql(self) -> str:
        return f"(1 - {self.share.promql()})"

    def value(self, past: Past) -> float | None:
        share = self.share.value(past)
        return None if share is None else 1 - share

    def metrics(self) -> Iterator[str]:
        return self.share.metrics()
