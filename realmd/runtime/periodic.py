"""Supervised periodic work: it may fail, it is logged and counted, and it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

#: Part of an interval that a call may seem early: seconds since the epoch are coarse as floats.
ROUNDING: Final = 1e-3


class Periodic(Service):
    """Calls `work(count)` every `interval` seconds, without drift.

    `count` is 1, or more when calls were missed: missed calls are merged, never made up for.
    A call that returns a Deferred is waited for.  `lag` is how late (s) the last call began,
    `lasting_lag` how late it and the one before it did at least, `last` when (clock seconds).
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        interval: float,
        work: Callable[[int], Any],
        clock: IReactorTime,
        now: bool = False,
    ) -> None:
        self.setName(name)
        self.interval = interval
        self.runs = self.missed = self.failures = 0
        self.failing = False
        self.lag = self.lasting_lag = 0.0
        self.last = clock.seconds()
        self._work = work
        self._now = now
        self._loop = LoopingCall(self._run)
        self._loop.clock = clock
        self._turn = 0
        self._clock = clock
        self._ended: Deferred[Any] | None = None

    def startService(self) -> None:
        super().startService()
        self._turn = -1 if self._now else 0
        self._ended = self._loop.start(self.interval, now=self._now)

    def stopService(self) -> Deferred[Any] | None:
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return self._ended

    def status(self) -> dict[str, Any]:
        """For /health and metrics."""
        return {"runs": self.runs, "missed": self.missed, "failures": self.failures, "ok": not self.failing}

    def _run(self) -> Deferred[None] | None:
        self.last = self._clock.seconds()
        passed = self.last - (self._loop.starttime or 0.0)
        turn = int(passed / self.interval + ROUNDING)
        count = turn - self._turn
        if count < 1:
            return None
        before, self.lag = self.lag, max(0.0, passed - (self._turn + 1) * self.interval)
        self.lasting_lag = min(before, self.lag)
        self._turn = turn
        self.runs += 1
        self.missed += count - 1
        try:
            result = self._work(count)
        except Exception:
            self._failed(Failure())
            return None
        if isinstance(result, Deferred):
            return result.addCallbacks(self._well, self._failed)
        self.failing = False
        return None

    def _well(self, result: object) -> None:
        self.failing = False

    def _failed(self, failure: Failure) -> None:
        self.failures += 1
        self.failing = True
        self.log.failure("periodic work failed name={name}", failure=failure, name=self.name)
