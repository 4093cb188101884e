"""The daemon watches itself: the thresholds, evaluated here for those who have no Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct
from prometheus_client import CollectorRegistry
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..host.clock import milliseconds, time_of_day
from .checks import Check
from .quantities import LONGEST, Past
from .thresholds import KEEP, THRESHOLDS, Severity, Threshold, shown

#: How often (s) the thresholds are evaluated.
EVERY: Final = 10.0


class Notice(Struct, frozen=True, rename="camel"):
    """What an operator is told: an alert was raised, or cleared (`at`: ms since the epoch)."""

    state: str
    name: str
    severity: Severity
    value: str
    summary: str
    advice: str
    at: int

    def text(self) -> str:
        """In one line."""
        if self.state == "cleared":
            return f"cleared: {self.name} ({self.severity}), now {self.value}"
        return f"{self.severity}: {self.summary} (now {self.value}).  {self.advice}"


class _State:
    """Where one threshold stands (clock seconds; None: not)."""

    def __init__(self) -> None:
        self.crossed_since: float | None = None
        self.well_since: float | None = None
        self.raised_at: float | None = None
        self.value = 0.0


class Watch:
    """Evaluates `thresholds` over the metrics of `registry`; `tell` hears of each change.

    As Prometheus does: a threshold must be crossed for `lasting` seconds, and uncrossed for
    `KEEP` seconds to be cleared.
    """

    log = Logger()

    def __init__(
        self,
        registry: CollectorRegistry,
        clock: IReactorTime,
        tell: Callable[[Notice], None] = lambda notice: None,
        thresholds: Sequence[Threshold] = THRESHOLDS,
    ) -> None:
        names = {name for t in thresholds for name in t.quantity.metrics()}
        names |= {name for t in thresholds if t.least is not None for name in t.least[0].metrics()}
        self._past = Past(registry, names, round(LONGEST / EVERY))
        self._clock = clock
        self._tell = tell
        self._states = {t.key: (t, _State()) for t in thresholds}

    def evaluate(self, count: int = 1) -> None:
        """Look at every threshold now; called every `EVERY` seconds."""
        now = self._clock.seconds()
        self._past.read(now, time_of_day(self._clock))
        for threshold, state in self._states.values():
            value = self._value(threshold)
            if value is not None:
                state.value = value
            if value is not None and threshold.crossed(value):
                state.well_since = None
                if state.crossed_since is None or state.crossed_since > now:
                    state.crossed_since = now
                if state.raised_at is None and now - state.crossed_since >= threshold.lasting:
                    self._raise(threshold, state, now)
                continue
            state.crossed_since = None
            if state.raised_at is not None:
                if state.well_since is None or state.well_since > now:
                    state.well_since = now
                if now - state.well_since >= KEEP:
                    self._clear(threshold, state, now)

    def _value(self, threshold: Threshold) -> float | None:
        if threshold.least is not None:
            quantity, number = threshold.least
            least = quantity.value(self._past)
            if least is None or least < number:
                return None
        return threshold.quantity.value(self._past)

    def _raise(self, threshold: Threshold, state: _State, now: float) -> None:
        state.raised_at = now
        say = self.log.error if threshold.severity == "critical" else self.log.warn
        say(
            "alert raised name={name} severity={severity} value={value} threshold={threshold}: {summary}",
            name=threshold.name,
            severity=threshold.severity,
            value=shown(threshold, state.value),
            threshold=shown(threshold, threshold.level),
            summary=threshold.summary,
        )
        self._tell(self._notice("raised", threshold, state))

    def _clear(self, threshold: Threshold, state: _State, now: float) -> None:
        assert state.raised_at is not None
        self.log.info(
            "alert cleared name={name} severity={severity} value={value} after={after:.0f}s",
            name=threshold.name,
            severity=threshold.severity,
            value=shown(threshold, state.value),
            after=max(0.0, now - state.raised_at),
        )
        state.raised_at = state.well_since = None
        self._tell(self._notice("cleared", threshold, state))

    def _notice(self, word: str, threshold: Threshold, state: _State) -> Notice:
        value = shown(threshold, state.value)
        return Notice(
            word,
            threshold.name,
            threshold.severity,
            value,
            threshold.summary,
            threshold.advice,
            milliseconds(self._clock),
        )

    def check(self) -> Check:
        """For /health: degraded, with what is raised as the reason."""
        up = [(t, s) for t, s in self._states.values() if s.raised_at is not None]
        if not up:
            return Check("ok")
        reasons = [f"{t.name} ({t.severity}): {t.summary}, now {shown(t, s.value)}" for t, s in up]
        figures: dict[str, Any] = {"raised": {t.key: shown(t, s.value) for t, s in up}}
        return Check("degraded", "; ".join(reasons), figures)

    def raised(self) -> dict[str, float]:
        """For the metrics: 1 for each alert that is raised."""
        return {key: float(state.raised_at is not None) for key, (_, state) in self._states.items()}
