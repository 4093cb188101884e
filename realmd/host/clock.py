"""Two times: one that never steps, for whatever lasts, and the time of day, for whatever is dated.

Twisted's timers follow the time of day, and stop for an hour when it is set back by one.  The
daemon's reactor is made steady; the time of day is beside it.  A test's clock tells both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol, cast

from twisted.internet.interfaces import IReactorTime

from .reactor import IReactor


class _Clocks(Protocol):
    """A reactor's two clocks, as what can be replaced."""

    seconds: Callable[[], float]
    time_of_day: Callable[[], float]


def make_steady(reactor: Any) -> IReactor:
    """Let `reactor.seconds()` count time that passes, whatever is done to the system's clock.

    `reactor` is Twisted's, which has no type that says what it provides.  Before anything is
    scheduled: what was before counts by another zero.
    """
    clocks = cast(_Clocks, reactor)
    clocks.seconds = time.monotonic
    clocks.time_of_day = time.time
    return cast(IReactor, reactor)


def time_of_day(clock: IReactorTime) -> float:
    """Seconds since the epoch."""
    tell: Callable[[], float] = getattr(clock, "time_of_day", clock.seconds)
    return tell()


def milliseconds(clock: IReactorTime) -> int:
    """The time of day in ms since the epoch."""
    return int(time_of_day(clock) * 1000)
