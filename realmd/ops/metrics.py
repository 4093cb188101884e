"""What the realm counts, for Prometheus at /metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from ..primitives.figures import Figures

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST.encode()
_TICK_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_PING_BUCKETS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_COMMIT_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """The realm's metrics in a registry of their own.

    Rates and durations are observed as they happen; everything that some part already
    counts is read from it when Prometheus asks (`watch`).
    """

    def __init__(self) -> None:
        disable_created_metrics()  # they double the page for nobody
        self.registry = CollectorRegistry()
        self._commands = Counter(
            "realmd_commands", "Commands by name and outcome.", ("command", "outcome"), registry=self.registry
        )
        self._events = Counter("realmd_events", "Events by type.", ("type",), registry=self.registry)
        self._tick = Histogram(
            "realmd_tick_seconds", "Work of one tick.", buckets=_TICK_BUCKETS, registry=self.registry
        )
        self._commit = Histogram(
            "realmd_commit_seconds",
            "One journal commit, in seconds.",
            buckets=_COMMIT_BUCKETS,
            registry=self.registry,
        )
        self._ping = Histogram(
            "realmd_websocket_ping_seconds",
            "From a ping to its pong.",
            buckets=_PING_BUCKETS,
            registry=self.registry,
        )
        ProcessCollector(namespace="realmd", registry=self.registry)
        self._journalled = Counter("realmd_journalled_events", "Events made durable.", registry=self.registry)
        self._command_children: dict[tuple[str, str], Counter] = {}
        self._event_children: dict[str, Counter] = {}

    def command(self, name: str, outcome: str) -> None:
        """A command was applied; `outcome` is ``ok`` or a refusal code."""
        key = (name, outcome)
        child = self._command_children.get(key)
        if child is None:
            child = self._command_children[key] = self._commands.labels(name, outcome)
        child.inc()

    def event(self, name: str) -> None:
        child = self._event_children.get(name)
        if child is None:
            child = self._event_children[name] = self._events.labels(name)
        child.inc()

    def tick(self, seconds: float) -> None:
        self._tick.observe(seconds)

    def commit(self, seconds: float, events: int) -> None:
        self._commit.observe(seconds)
        self._journalled.inc(events)

    def ping(self, seconds: float) -> None:
        """A WebSocket answered a ping."""
        self._ping.observe(seconds)

    def refused(self, *codes: str) -> float:
        """Commands refused with one of `codes`."""
        return sum(
            sample.value
            for family in self._commands.collect()
            for sample in family.samples
            if sample.labels["outcome"] in codes
        )

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """What `value` says at each scrape: a counter if its name ends with ``_total``, else a gauge."""
        self.registry.register(_Watched(name, text, None, lambda: {"": value()}))

    def watch_all(self, figures: Figures) -> None:
        """`watch` for each figure of some part."""
        for name, text, value in figures:
            self.watch(name, text, value)

    def watch_each(self, name: str, text: str, label: str, values: Callable[[], dict[str, float]]) -> None:
        """The same, one for each key of `values`, which must be few."""
        self.registry.register(_Watched(name, text, label, values))

    def totals(self) -> dict[str, float]:
        """Every series by its name, summed over its labels; buckets left out."""
        found: dict[str, float] = {}
        for family in self.registry.collect():
            for sample in family.samples:
                if not sample.name.endswith("_bucket"):
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def render(self) -> bytes:
        """The text that Prometheus reads, of type `CONTENT_TYPE`."""
        return generate_latest(self.registry)


class _Watched(Collector):
    """Reads what some part counts already."""

    def __init__(
        self, name: str, text: str, label: str | None, values: Callable[[], dict[str, float]]
    ) -> None:
        self._family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        self._name = name
        self._text = text
        self._label = label
        self._values = values

    def collect(self) -> Iterator[Metric]:
        family = self._family(self._name, self._text, labels=[self._label] if self._label else [])
        for key, value in self._values().items():
            family.add_metric([key] if self._label else [], float(value))
        yield family

    def describe(self) -> Iterator[Metric]:
        """Its name, without asking for values that may not exist yet."""
        yield self._family(self._name, self._text, labels=[self._label] if self._label else [])
