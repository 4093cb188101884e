"""Supervised periodic work: it goes on whatever happens, and knows how late it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from realmd.runtime.periodic import Periodic


class Bench:
    """Work every 0.1 s; `out` is the time (ms since the start) and the count of each call."""

    def __init__(self, work: Any = None, interval: float = 0.1, **options: Any) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.begun = self.clock.seconds()
        self.out: list[tuple[int, int]] = []
        self.work = work or (lambda count: None)
        self.periodic = Periodic("chore", interval, self._work, self.clock, **options)
        self.periodic.startService()

    def _work(self, count: int) -> Any:
        self.out.append((round((self.clock.seconds() - self.begun) * 1000), count))
        return self.work(count)


def test_what_raises_is_logged_and_counted_and_called_again() -> None:
    """One bad run costs one run: it is in the log and in the status until a run goes well."""
    bench = Bench(lambda count: 1 / 0)
    with capturedLogs() as events:
        bench.clock.pump([0.1] * 3)
    assert [e["log_failure"].type for e in events if "log_failure" in e] == [ZeroDivisionError] * 3
    assert bench.periodic.status() == {"runs": 3, "missed": 0, "failures": 3, "ok": False}
    bench.work = lambda count: None
    bench.clock.advance(0.1)
    assert bench.periodic.status() == {"runs": 4, "missed": 0, "failures": 3, "ok": True}


def test_a_deferred_that_fails_is_no_different() -> None:
    """Work that fails later is logged and counted as well, and not called again before it ended."""
    ends: list[Deferred[None]] = []

    def slow(count: int) -> Deferred[None]:
        ends.append(Deferred())
        return ends[-1]

    bench = Bench(slow, interval=0.125)
    bench.clock.pump([0.125] * 3)
    assert bench.out == [(125, 1)]
    with capturedLogs() as events:
        ends[0].errback(RuntimeError("no"))
    assert [e["log_failure"].type for e in events] == [RuntimeError]
    bench.clock.pump([0.0625, 0.0625])
    assert bench.out == [(125, 1), (500, 3)]
    assert bench.periodic.status() == {"runs": 2, "missed": 2, "failures": 1, "ok": False}


def test_missed_calls_are_merged_and_their_lag_is_measured() -> None:
    """After a stall of 350 ms there is one call that stands for three, told that it is late."""
    bench = Bench(interval=0.125)
    bench.clock.advance(0.125)
    assert (bench.periodic.lag, bench.periodic.missed) == (0.0, 0)
    bench.clock.advance(0.4375)
    assert bench.out == [(125, 1), (562, 3)]
    assert (bench.periodic.lag, bench.periodic.missed) == (0.3125, 2)
    assert bench.periodic.last == bench.clock.seconds()


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_no_drift(steps: list[int]) -> None:
    """However late single calls come, the counts add up to the time that passed, to the interval."""
    bench = Bench()
    for step in steps:
        bench.clock.advance(step / 1000)
    bench.clock.advance(0.001)  # the clock's own rounding
    passed = (bench.clock.seconds() - bench.begun) / 0.1
    assert abs(sum(count for _, count in bench.out) - passed) < 1.02
    assert all(count >= 1 for _, count in bench.out)
    assert bench.periodic.lag >= 0
    assert bench.periodic.missed == sum(count - 1 for _, count in bench.out)


@pytest.mark.parametrize("now", [False, True])
def test_the_first_call(now: bool) -> None:
    """Work begins at once or after one interval, as asked."""
    bench = Bench(now=now)
    bench.clock.advance(0.1)
    assert bench.out == ([(0, 1)] if now else []) + [(100, 1)]


def test_a_stop_waits_for_the_work_under_way() -> None:
    """Whoever stops it learns when the last call has ended, and no other follows."""
    end: Deferred[None] = Deferred()
    bench = Bench(lambda count: end)
    bench.clock.advance(0.1)
    stopped = bench.periodic.stopService()
    assert stopped is not None
    assert not stopped.called
    end.callback(None)
    assert stopped.called
    bench.clock.pump([0.1] * 5)
    assert bench.out == [(100, 1)]


def test_a_stop_before_the_start() -> None:
    """Stopping what never started is nothing."""
    assert Periodic("chore", 1.0, lambda count: None, Clock()).stopService() is None
