"""One client's way out: bounded by bytes, with patience for a slow reader that ends.

While the transport takes no more, positions and area snapshots are dropped (the next
ones replace them) and durable frames wait.  A client whose outbox overflows, or that stays
behind too long, is closed with 1013 (RFC 6455 registry: try again later).

What many viewers are sent is one object.  It stays so while it waits here: the transport,
which would keep a copy of its own, is given a piece at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPullProducer, IPushProducer, IReactorTime
from zope.interface import implementer

from .account import PIECE, Account

#: What waits (bytes) when a client's own questions have to wait, too: only news is added then.
LOADED: Final = 65_536


@implementer(IPullProducer, IPushProducer)
class Outbox:
    """Everything that is written to one client's `transport` goes through here.

    On a plain TCP transport, bytes go to the socket at once, which spares the reactor two
    system calls and a turn a write; only what the socket does not take is left to the
    transport, and nothing more is sent until it has drained.

    `limit` bounds what waits (bytes), `patience` how long (s).  `overflow(reason)` is
    called once, when the client is to be closed; `resumed` when it has caught up and missed something.
    What waits is in `account`.
    """

    __slots__ = (
        "_account",
        "_begun",
        "_clock",
        "_closed",
        "_direct",
        "_limit",
        "_missed",
        "_overflow",
        "_patience",
        "_paused",
        "_resumed",
        "_size",
        "_taken",
        "_transport",
        "_urgent",
        "_waiting",
        "caught_up",
        "dropped",
    )  # fmt: skip

    def __init__(
        self,
        transport: Any,
        clock: IReactorTime,
        limit: int,
        patience: float,
        overflow: Callable[[str], None],
        resumed: Callable[[], None],
        account: Account,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._limit = limit
        self._patience = patience
        self._overflow = overflow
        self._resumed = resumed
        self._account = account
        self._waiting: deque[bytes] = deque()
        self._size = 0
        #: What has been sent in part, how much of it, and frames of the protocol that go right after it.
        self._begun, self._taken, self._urgent = b"", 0, b""
        self._closed = False
        self._missed = False
        self.dropped = 0
        #: Called whenever the reader has taken all that was sent.
        self.caught_up: Callable[[], None] = _nothing
        #: `writeSomeData` of a TCP transport.  What wraps one (TLS) hands it out too, but what is
        #: written there would pass by the wrapping: only a transport's own counts.
        own = hasattr(type(transport), "writeSomeData")
        self._direct: Callable[[bytes | memoryview], int | Exception] | None = (
            transport.writeSomeData if own else None
        )
        # As a pull producer we are asked for more whenever the transport has drained, and
        # once when we register, which says nothing: the answer to the handshake still waits.
        self._paused: float | None = None
        transport.registerProducer(self, self._direct is None)
        if self._direct is not None:
            self._paused = clock.seconds()

    @property
    def behind(self) -> bool:
        """Whether the reader has yet to take what was sent."""
        return self._paused is not None

    @property
    def loaded(self) -> bool:
        """Whether so much waits that the reader should be asked for no more."""
        return self._size + len(self._begun) - self._taken >= LOADED

    def deliver(self, whole: bytes, durable: bytes) -> None:
        """Send `whole` now, or keep its `durable` part for when the reader has caught up."""
        if self._paused is None:
            self._send(whole)
        elif not self._closed:
            self._hold(whole, durable)

    def control(self, frame: bytes) -> None:
        """Send a frame of the protocol itself (ping, pong, close), in its turn."""
        if self._paused is None:
            self._send(frame)
        elif self._begun:
            self._urgent += frame
        elif self._transport is not None:
            self._write(frame)

    def _send(self, data: bytes) -> None:
        if self._direct is None:
            taken: int | Exception = 0
        else:
            taken = self._direct(data)
            if taken == len(data):
                return
            self._paused = self._clock.seconds()
        # After an error the transport finds it again by itself and closes.
        done = taken if isinstance(taken, int) else 0
        if len(data) - done <= PIECE:
            self._write(data[done:])
            return
        self._begun, self._taken = data, done
        self._account.hold(data)
        self._feed()

    def _write(self, data: bytes) -> None:
        """Leave it to the transport."""
        self._transport.write(data)
        self._account.copied(len(data))

    def _feed(self) -> None:
        """Give the transport the next pieces of what has been begun, while it takes them."""
        while self._begun:
            begun, start = self._begun, self._taken
            self._taken += PIECE
            if self._taken >= len(begun):
                self._let_go()
            self._write(begun[start : start + PIECE])
            if self._paused is not None:
                return

    def _let_go(self) -> None:
        begun, self._begun, self._taken = self._begun, b"", 0
        if begun:
            self._account.release(begun)

    def _go_on(self) -> None:
        """Send more of what has been begun."""
        if self._direct is not None:
            taken = self._direct(memoryview(self._begun)[self._taken :])
            self._taken += taken if isinstance(taken, int) else 0
            if self._taken == len(self._begun):
                self._let_go()
                return
            self._paused = self._clock.seconds()
        self._feed()

    def _hold(self, whole: bytes, durable: bytes) -> None:
        assert self._paused is not None
        if len(durable) < len(whole):
            self.dropped += 1
            self._missed = True
        if self._clock.seconds() - self._paused > self._patience:
            self._end("too slow")
        elif self._size + len(durable) > self._limit:
            self._end("outbox full")
        elif durable:
            self._waiting.append(durable)
            self._size += len(durable)
            self._account.hold(durable)

    def pauseProducing(self) -> None:
        if self._paused is None:
            self._paused = self._clock.seconds()

    def resumeProducing(self) -> None:
        """The transport has drained."""
        if self._paused is None or self._transport is None:
            return
        self._paused = None
        self._account.drained()
        if self._begun:
            self._go_on()
        if self._urgent and self._paused is None:
            urgent, self._urgent = self._urgent, b""
            self._send(urgent)
        if self._closed:
            self._paused = self._clock.seconds()
            return
        while self._waiting and self._paused is None:
            self._send(self._next())
        if self._missed and self._paused is None:
            self._missed = False
            self._resumed()
        if self._paused is None:
            self.caught_up()

    def _next(self) -> bytes:
        """What has waited longest; short frames together."""
        together: list[bytes] = []
        size = 0
        while self._waiting and (not together or size + len(self._waiting[0]) <= PIECE):
            data = self._waiting.popleft()
            self._account.release(data)
            size += len(data)
            together.append(data)
        self._size -= size
        return together[0] if len(together) == 1 else b"".join(together)

    def stopProducing(self) -> None:
        """Nothing more is sent, but for the rest of what has been begun if the connection still lives."""
        self._closed = True
        self._paused = self._clock.seconds()
        self._drop()
        self.caught_up()  # what the client still says, its goodbye above all, is listened to

    def forget(self) -> None:
        """The connection is gone: let go of it, so that no cycle keeps it for the garbage collector."""
        self.stopProducing()
        self._account.close()
        self._begun = self._urgent = b""
        self._overflow = self._resumed = self.caught_up = _nothing
        self._direct = self._transport = None

    def _drop(self) -> None:
        for data in self._waiting:
            self._account.release(data)
        self._waiting.clear()
        self._size = 0

    def _end(self, reason: str) -> None:
        self._closed = True
        self._drop()
        self._overflow(reason)


def _nothing(*_: object) -> None:
    """What a connection that is gone wants done."""
