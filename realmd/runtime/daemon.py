"""The daemon's life: stages that start in order and stop in reverse, each waited for."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from ..host.reactor import IReactor
from ..primitives.errors import BeyondRepair

#: How long (s) one stage may take to stop before the next one does.  Two that hang and a
#: client that does not answer still leave an end within 5 s.
STOP_PATIENCE: Final = 1.5


class Daemon(MultiService):
    """The root service.  Its children start one after another, in the order they were added.

    A child whose start fails ends the process with status 1, or 2 if no second start will mend that
    (as the unit's RestartPreventExitStatus has it).  `observer` becomes twistd's log;
    `hangup` is what SIGHUP does: without it, it ends the process, as ever.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactor,
        observer: ILogObserver | None = None,
        hangup: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._observer = observer
        self._begun: list[IService] = []
        self._starting: Deferred[None] | None = None
        self._stopping = self._halted = self._gave_up = False
        self.exit_status = 0
        self._hangup = hangup

    def setServiceParent(self, parent: Any) -> None:
        if self._observer is not None:
            parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Nothing here needs privileges."""

    def startService(self) -> None:
        self.running = 1
        self._reactor.callWhenRunning(self._catch_signals)
        # Before the triggers of whatever the stages start, which may wait for what hangs.
        self._reactor.addSystemEventTrigger("during", "shutdown", self._abandon)
        self._starting = Deferred.fromCoroutine(self._start())

    def stopService(self) -> Deferred[None]:
        self.running = 0
        self._stopping = True
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        for stage in list(self):
            if self._stopping:
                return
            try:
                self._begun.append(stage)
                await maybeDeferred(stage.startService)
            except Exception as error:
                if self._stopping:
                    self.log.warn("not started stage={stage}: {error}", stage=stage.name, error=error)
                    return
                self.log.critical("cannot start stage={stage}: {error}", stage=stage.name, error=error)
                self.log.debug("why", log_failure=Failure())
                self.exit_status = 2 if isinstance(error, BeyondRepair) else 1
                self._reactor.addSystemEventTrigger("after", "shutdown", self._exit)
                self._reactor.callWhenRunning(self._halt)
                return

    async def _stop(self) -> None:
        if self._starting is not None:
            await self._patiently(self._starting, "start")
        for stage in reversed(self._begun):
            await self._patiently(maybeDeferred(stage.stopService), str(stage.name))
        self._begun.clear()
        self.log.info("stopped")

    async def _patiently(self, work: Deferred[Any], stage: str) -> None:
        """Wait for `work`, but not for ever: given up, it is cancelled, whatever it makes of that."""
        late = False

        def failed(failure: Failure) -> None:
            if not late:
                self.log.failure("stage did not stop cleanly stage={stage}", failure, stage=stage)

        work.addErrback(failed)
        timer: Deferred[Any] = deferLater(self._reactor, STOP_PATIENCE)
        _, first = await DeferredList([work, timer], fireOnOneCallback=True, consumeErrors=True)
        if first == 1:
            late = self._gave_up = True
            self.log.warn("stage takes too long to stop stage={stage}", stage=stage)
        timer.cancel()
        work.cancel()

    def _catch_signals(self) -> None:
        """End with status 0: twistd itself would end by the signal."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._signalled)
        if (reload := self._hangup) is not None:
            signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(reload))

    def _signalled(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(self._end, signal.Signals(number).name)

    def _end(self, name: str) -> None:
        if not (self._stopping or self._halted):
            self.log.info("stopping signal={name}", name=name)
            self._halt()

    def end(self, cause: str) -> None:
        """Stop, in order, as by a signal."""
        self.log.info("stopping cause={cause}", cause=cause)
        self._halt()

    def _halt(self) -> None:
        """Stop the reactor, which takes that only once."""
        if not (self._stopping or self._halted):
            self._halted = True
            self._reactor.stop()

    def _abandon(self) -> None:
        """Leave at once if something hangs: a thread stuck in it would be waited for without end."""
        if self._gave_up:
            self._exit()

    def _exit(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self.exit_status)


class Stage(MultiService):
    """One step of the daemon's life: `start` and `stop` may return Deferreds."""

    def __init__(
        self,
        name: str,
        start: Callable[[], Any] = lambda: None,
        stop: Callable[[], Any] = lambda: None,
    ) -> None:
        super().__init__()
        self.setName(name)
        self._start = start
        self._stop = stop

    @classmethod
    def of(cls, name: str, *services: IService, stop: Callable[[], Any] = lambda: None) -> Stage:
        """A stage in which these run."""
        stage = cls(name, stop=stop)
        for service in services:
            service.setServiceParent(stage)
        return stage

    def startService(self) -> Deferred[Any]:
        super().startService()
        return maybeDeferred(self._start)

    def stopService(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._end())

    async def _end(self) -> None:
        await maybeDeferred(super().stopService)
        await maybeDeferred(self._stop)
