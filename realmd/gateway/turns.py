"""Whose turn it is: what clients send is worked off a slice at a time, and who sends little goes first.

One read of a socket may bring a thousand requests, and a thousand sockets may be ready at once;
by itself, the reactor would work all of that off before the next tick.  Here it does a
little in each of its turns, and what is left waits in the connection's lane, from whose
socket nothing more is read meanwhile.  So who floods waits for itself, and TCP tells it so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from ..primitives.figures import Figures

#: What a protocol is given at once (bytes).
PIECE: Final = 4096
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
#: What the kernel may keep (bytes; it takes twice as much) of what a client sent and we do not read, and
#: of what it does not take; by itself it keeps megabytes.
BUFFER: Final = 131_072

Work = Callable[[bytes], Any]


@implementer(IPushProducer)
class Lane:
    """What one connection has sent and is not worked off, at most what one read of its socket brings.

    `work` is given the bytes in order, while `ready()`; when its time is `over`, it gives back
    (`unread`) what it has not begun.  To the protocol, a lane stands for the `source` that it may
    pause and resume.
    """

    __slots__ = (
        "_backlog", "_held", "_reading", "_seen", "_source", "_turns", "_until", "_used", "_work", "queued",
        "ready",
    )  # fmt: skip

    def __init__(self, turns: Turns, source: Any, work: Work, ready: Callable[[], bool]) -> None:
        self._turns = turns
        self._source = source
        self._work = work
        self.ready = ready
        self._backlog = bytearray()
        self._held = False
        self._reading = True
        #: It is in the queue, or being served.
        self.queued = False
        self._used = NEWCOMER
        self._seen = self._until = turns.clock.seconds()

    @property
    def over(self) -> bool:
        """Whether its slice has ended."""
        return self._turns.clock.seconds() >= self._until

    def take(self, data: bytes) -> None:
        """This has been read."""
        turns, fresh = self._turns, not self._backlog
        self._backlog += data
        if fresh and turns.free and self.ready():
            turns.serve(self)
        else:
            self._stop_reading()
            turns.ask(self, fresh)

    def work_off(self, until: float) -> None:
        """Go on until that time, or until it cannot."""
        self._until = until
        while self._backlog and self.ready():
            piece = bytes(self._backlog[:PIECE])
            del self._backlog[:PIECE]
            self._work(piece)
            if self._backlog and self.over:
                break

    def go_on(self) -> None:
        """It may be ready again."""
        if self._backlog:
            self._turns.ask(self, fresh=False)

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
        if self.queued:
            self.queued = False
            self._turns.gone()
        self._source = NOBODY
        self._work, self.ready = _nothing, _never

    def settle(self) -> None:
        """A slice has ended: read on, or do not."""
        if self._backlog:
            self._stop_reading()
        elif not (self._held or self._reading):
            self._reading = True
            self._source.resumeProducing()

    def give_up(self) -> None:
        """The protocol has failed over what came."""
        source = self._source
        self.forget()
        source.abortConnection()

    def _stop_reading(self) -> None:
        self._reading = False
        self._source.pauseProducing()

    def used(self, now: float, more: float = 0.0) -> float:
        """Seconds that were spent on it, the older the less."""
        self._used = self._used * 0.5 ** ((now - self._seen) / HALF) + more
        self._seen = now
        return self._used

    # -- for a protocol that wants to pause its source ---------------------------------------

    def pauseProducing(self) -> None:
        self._held = True
        self._stop_reading()

    def resumeProducing(self) -> None:
        self._held = False
        self.settle()

    def stopProducing(self) -> None:
        self._source.stopProducing()

    def unregisterProducer(self) -> None:
        self._source.unregisterProducer()


class Turns:
    """All lanes: who is served when, and for how long in a row."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.deferred = 0
        #: Those who have sent something new before those with a backlog; then by what they have used.
        self._queue: list[tuple[bool, float, int, Lane]] = []
        #: Answers that are to be given; the door bounds how many there can be.
        self._answers: deque[Callable[[], None]] = deque()
        self._gone = 0
        self._serving = False
        self._spent = 0.0
        self._next: IDelayedCall | None = None

    @property
    def free(self) -> bool:
        """Whether nobody waits, and there is time left in this turn."""
        return not self._queue and self._spent < TURN

    def ask(self, lane: Lane, fresh: bool) -> None:
        """`lane` waits for its turn, if it can go on at all; `fresh`: it was empty before."""
        if lane.queued or not lane.ready():
            return
        lane.queued = True
        self.deferred += 1
        heappush(self._queue, (not fresh, lane.used(self.clock.seconds()), self.deferred, lane))
        self._wake()

    def serve(self, lane: Lane) -> None:
        """Work off a slice."""
        began = self.clock.seconds()
        lane.queued = self._serving = True
        try:
            lane.work_off(began + SLICE)
        except Exception:
            self.log.failure("what a client sent could not be worked off")
            lane.give_up()
        lane.queued = self._serving = False
        now = self.clock.seconds()
        lane.used(now, now - began)
        self._spent += now - began
        if self._spent >= LITTLE:
            self._wake()
        lane.settle()
        lane.go_on()

    def gone(self) -> None:
        """A lane that waits wants no turn any more; the queue is cleared of many at once."""
        self._gone += 1
        if self._gone * 2 > len(self._queue):
            self._queue = [entry for entry in self._queue if entry[3].queued]
            heapify(self._queue)
            self._gone = 0

    def do(self, answer: Callable[[], None]) -> None:
        """Give an answer now, if there is time left in this turn, or in its turn."""
        if self._answers or self._spent >= TURN:
            self._answers.append(answer)
            self._wake()
        elif self._serving:  # in the time of the lane that asked
            answer()
        else:
            self._give(answer)

    def _give(self, answer: Callable[[], None]) -> None:
        began = self.clock.seconds()
        try:
            answer()
        except Exception:
            self.log.failure("an answer could not be given")
        self._spent += self.clock.seconds() - began
        if self._spent >= LITTLE:
            self._wake()

    def _wake(self) -> None:
        if self._next is None:
            self._next = self.clock.callLater(0, self._turn)

    def _turn(self) -> None:
        """The reactor has gone round once."""
        self._next = None
        self._spent = 0.0
        while self._answers and self._spent < TURN:
            self._give(self._answers.popleft())
        while self._queue and self._spent < TURN:
            self.serve(heappop(self._queue)[3])
        if self._queue or self._answers:
            self._wake()

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            ("realmd_turns_waiting", "Connections that wait for their turn.", lambda: len(self._queue)),
            ("realmd_turns_deferred_total", "Times that one had to wait.", lambda: self.deferred),
        ]


def bound(port: Any) -> None:
    """Let `port`, which listens, accept no more than `ACCEPTED` connections in one turn of the reactor.

    And let the kernel keep no more than `BUFFER` bytes, twice, each way for each of them.
    """
    for option in (SO_RCVBUF, SO_SNDBUF):
        port.socket.setsockopt(SOL_SOCKET, option, BUFFER)
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
    def abortConnection(self) -> None: ...


NOBODY: Final = Nobody()


def _always() -> bool:
    return True


def _never() -> bool:
    return False


def _nothing(piece: bytes) -> None:
    """What a closed lane does with what comes."""
