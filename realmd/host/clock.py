"""Two times: one that never steps, for whatever lasts, and the time of day, for whatever is dated.

Twisted's timers follow the time of day, and stop for an hour when it is set back by one.  The
daemon's reactor is made steady; the time of day is beside it.  A test's clock tells both.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.interfaces import IReactorTime


def make_steady(reactor: Any) -> None:
    """Let `reactor.seconds()` count time that passes, whatever is done to the system's clock.

    Before anything is scheduled: what was before counts by another zero.
    """
    reactor.seconds = time.monotonic
    reactor.time_of_day = time.time


def time_of_day(clock: IReactorTime) -> float:
    """Seconds since the epoch."""
    seconds: float = getattr(clock, "time_of_day", clock.seconds)()
    return seconds


def milliseconds(clock: IReactorTime) -> int:
    """The time of day in ms since the epoch."""
    return int(time_of_day(clock) * 1000)
