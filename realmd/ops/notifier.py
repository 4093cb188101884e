"""Hands notices to the sinks: each at its own pace, bounded, and never in anybody's way."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..host.network import cause_of
from ..primitives.figures import Figures
from .alerts import Notice
from .sinks import Sink

#: Notices that wait for one sink; the oldest goes first.
MOST_WAITING: Final = 50
#: How often the same notices are tried, and the longest pause (s) between two tries.
MOST_TRIES: Final = 6
LONGEST_PAUSE: Final = 3600.0


class Outlet:
    """One sink's queue: at most one message every `interval` s, with all that gathered meanwhile."""

    log = Logger()

    def __init__(self, sink: Sink, clock: IReactorTime, interval: float) -> None:
        self.sink = sink
        self.sent = self.failed = self.dropped = 0
        self._clock = clock
        self._interval = interval
        self._waiting: deque[Notice] = deque()
        self._stopped = False
        self._tries = 0
        self._free_at = 0.0
        self._timer: IDelayedCall | None = None
        self._sending: Deferred[Any] | None = None

    def put(self, notice: Notice) -> None:
        if self._stopped:
            return
        self._waiting.append(notice)
        self._bound()
        self._arm()

    def stop(self) -> None:
        """What waits is given up; what is being sent is cancelled."""
        self._stopped = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sending is not None:
            self._sending.cancel()

    def _bound(self) -> None:
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self.dropped += 1

    def _arm(self) -> None:
        if self._waiting and not self._stopped and self._timer is None and self._sending is None:
            pause = min(max(0.0, self._free_at - self._clock.seconds()), LONGEST_PAUSE)
            self._timer = self._clock.callLater(pause, self._go)

    def _go(self) -> None:
        self._timer = None
        notices = list(self._waiting)
        self._waiting.clear()
        self._sending = Deferred.fromCoroutine(self._send(notices))
        self._sending.addErrback(lambda failure: self.log.failure("alert sink failed", failure=failure))
        self._sending.addBoth(self._free)

    def _free(self, result: object) -> None:
        self._sending = None
        self._arm()

    async def _send(self, notices: list[Notice]) -> None:
        pause = self._interval
        try:
            await self.sink.send(notices)
            self.sent += len(notices)
            self._tries = 0
        except Exception as error:
            self.failed += 1
            self._tries += 1
            self.log.warn(
                "alert not sent sink={sink} cause={cause} try={n}",
                sink=self.sink.name,
                cause=cause_of(error),
                n=self._tries,
            )
            pause = min(LONGEST_PAUSE, max(self._interval, 1.0) * 2.0**self._tries)
            if self._tries < MOST_TRIES:
                self._waiting.extendleft(reversed(notices))
                self._bound()
            else:
                self._tries = 0
                self.dropped += len(notices)
        self._free_at = self._clock.seconds() + pause


class Notifier(Service):
    """Tells every sink; one that fails holds up no other."""

    def __init__(self, sinks: Sequence[Sink], clock: IReactorTime, interval: float) -> None:
        self.outlets = [Outlet(sink, clock, interval) for sink in sinks]

    def tell(self, notice: Notice) -> None:
        for outlet in self.outlets:
            outlet.put(notice)

    def stopService(self) -> None:
        super().stopService()
        for outlet in self.outlets:
            outlet.stop()

    def figures(self) -> Figures:
        """For the metrics."""
        outlets = self.outlets
        return [
            ("realmd_alert_notices_total", "Notices sent.", lambda: sum(o.sent for o in outlets)),
            ("realmd_alert_failures_total", "Tries that failed.", lambda: sum(o.failed for o in outlets)),
            ("realmd_alert_dropped_total", "Notices given up.", lambda: sum(o.dropped for o in outlets)),
        ]
