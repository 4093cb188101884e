"""Whose turn it is: what clients send is worked off a slice at a time, of those first who used the least.

One read of a socket may bring a thousand requests, and a thousand sockets may be ready at once;
by itself, the reactor would work all of that off before the next tick.  Here it does a
little in each of its turns, and what is left waits in the connection's lane, from whose
socket nothing more is read meanwhile.  So who floods waits for itself, and TCP tells it so.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from ..figures import Figures

#: What a protocol is given at once (bytes): some requests at most.
PIECE: Final = 1024
#: How long (s) one connection is served in a row, and all of them in one turn of the reactor.
SLICE: Final = 0.002
TURN: Final = 0.01
#: A turn that took less (s) counts to the next.
LITTLE: Final = 0.002
#: What a connection has used counts half after so long (s); one that is new, as if it had used so much (s).
HALF: Final = 1.0
NEWCOMER: Final = 0.002
#: Connections that are accepted in a row; by itself, Twisted takes 20 more each time.
ACCEPTED: Final = 32

Work = Callable[[bytes], Any]


@implementer(IPushProducer)
class Lane:
    """What one connection has sent and is not worked off, at most what one read of its socket brings.

    `work` is given the bytes in order, while `ready()`.  To the protocol, it stands for the
    `source` that it may pause and resume.
    """

    __slots__ = ("_backlog", "_held", "_seen", "_source", "_turns", "_used", "_work", "queued", "ready")

    def __init__(self, turns: Turns, source: Any, work: Work, ready: Callable[[], bool]) -> None:
        self._turns = turns
        self._source = source
        self._work = work
        self.ready = ready
        self._backlog = bytearray()
        self._held = False
        #: It is in the queue.
        self.queued = False
        self._used = NEWCOMER
        self._seen = turns.clock.seconds()

    def take(self, data: bytes) -> None:
        """This has been read."""
        turns = self._turns
        if self._backlog or not turns.free or not self.ready():
            self._backlog += data
            self._source.pauseProducing()
            turns.ask(self)
        elif len(data) <= PIECE:
            began = turns.clock.seconds()
            self._work(data)
            turns.charge(self, began)
        else:
            self._backlog += data
            turns.serve(self)

    def work_off(self, until: float) -> None:
        """Go on until that time, or until it cannot."""
        while self._backlog and self.ready():
            piece = bytes(self._backlog[:PIECE])
            del self._backlog[:PIECE]
            self._work(piece)
            if self._turns.clock.seconds() >= until:
                break

    def go_on(self) -> None:
        """It may be ready again."""
        if self._backlog:
            self._turns.ask(self)

    def unread(self, rest: bytes) -> None:
        """The protocol was given this, and leaves it to the next one."""
        self._backlog[:0] = rest

    def hand_over(self, work: Work) -> None:
        """The connection speaks another protocol from now on."""
        self._work, self.ready = work, _always
        self.go_on()

    def close(self) -> None:
        """Of what has come, nothing is worked off, and nothing more is read."""
        self._source.pauseProducing()
        self.forget()

    def forget(self) -> None:
        """The connection is gone: let go of it, so that no cycle keeps it for the garbage collector."""
        self._backlog.clear()
        self._source = NOBODY
        self._work, self.ready = _nothing, _never

    def settle(self) -> None:
        """A slice has ended: read on, or do not."""
        if self._backlog:
            self._source.pauseProducing()
        elif not self._held:
            self._source.resumeProducing()

    def used(self, now: float, more: float = 0.0) -> float:
        """Seconds that were spent on it, the older the less."""
        self._used = self._used * 0.5 ** ((now - self._seen) / HALF) + more
        self._seen = now
        return self._used

    # -- for a protocol that wants to pause its source ---------------------------------------

    def pauseProducing(self) -> None:
        self._held = True
        self._source.pauseProducing()

    def resumeProducing(self) -> None:
        self._held = False
        if not self._backlog:
            self._source.resumeProducing()

    def stopProducing(self) -> None:
        self._source.stopProducing()

    def unregisterProducer(self) -> None:
        self._source.unregisterProducer()


class Turns:
    """All lanes: who is served when, and for how long in a row."""

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.deferred = 0
        self._queue: list[tuple[float, int, Lane]] = []
        self._spent = 0.0
        self._next: IDelayedCall | None = None

    @property
    def free(self) -> bool:
        """Whether nobody waits, and there is time left in this turn."""
        return not self._queue and self._spent < TURN

    def ask(self, lane: Lane) -> None:
        """`lane` waits for its turn, if it can go on at all."""
        if lane.queued or not lane.ready():  # or it is being served
            return
        lane.queued = True
        self.deferred += 1
        heappush(self._queue, (lane.used(self.clock.seconds()), self.deferred, lane))
        self._wake()

    def serve(self, lane: Lane) -> None:
        """Work off a slice."""
        began = self.clock.seconds()
        lane.queued = True
        try:
            lane.work_off(began + SLICE)
        finally:
            lane.queued = False
            self.charge(lane, began)
            lane.settle()
            lane.go_on()

    def charge(self, lane: Lane, began: float) -> None:
        """What was done since then was for `lane`."""
        now = self.clock.seconds()
        lane.used(now, now - began)
        self._spent += now - began
        if self._spent >= LITTLE:
            self._wake()

    def _wake(self) -> None:
        if self._next is None:
            self._next = self.clock.callLater(0, self._turn)

    def _turn(self) -> None:
        """The reactor has gone round once."""
        self._next = None
        self._spent = 0.0
        while self._queue and self._spent < TURN:
            self.serve(heappop(self._queue)[2])
        if self._queue:
            self._wake()

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            ("realmd_turns_waiting", "Connections that wait for their turn.", lambda: len(self._queue)),
            ("realmd_turns_deferred_total", "Times that one had to wait.", lambda: self.deferred),
        ]


def accept_in_groups(port: Any) -> None:
    """Let `port`, which listens, accept no more than `ACCEPTED` connections in one turn of the reactor."""
    accept = port.doRead

    def few() -> None:
        port.numberAccepts = min(port.numberAccepts, ACCEPTED)
        accept()

    port.doRead = few


class Nobody:
    """The source of a connection that is not read any more."""

    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def stopProducing(self) -> None: ...
    def unregisterProducer(self) -> None: ...


NOBODY: Final = Nobody()


def _always() -> bool:
    return True


def _never() -> bool:
    return False


def _nothing(piece: bytes) -> None:
    """What a closed lane does with what comes."""
