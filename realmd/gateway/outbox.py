"""One client's way out: bounded by bytes, with patience for a slow reader that ends.

While the transport takes no more, positions and area snapshots are dropped (the next
ones replace them) and durable frames wait.  A client whose outbox overflows, or that stays
behind too long, is closed with 1013 (RFC 6455 registry: try again later).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPullProducer, IPushProducer, IReactorTime
from zope.interface import implementer

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
    """

    __slots__ = (
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
        "_transport",
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
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._limit = limit
        self._patience = patience
        self._overflow = overflow
        self._resumed = resumed
        self._waiting: list[bytes] = []
        self._size = 0
        self._closed = False
        self._missed = False
        self.dropped = 0
        #: Called whenever the reader has taken all that was sent.
        self.caught_up: Callable[[], None] = _nothing
        #: `writeSomeData` of a TCP transport.  What wraps one (TLS) hands it out too, but what is
        #: written there would pass by the wrapping: only a transport's own counts.
        own = hasattr(type(transport), "writeSomeData")
        self._direct: Callable[[bytes], int | Exception] | None = transport.writeSomeData if own else None
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
        return self._size >= LOADED

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
        elif self._transport is not None:
            self._transport.write(frame)

    def _send(self, data: bytes) -> None:
        if self._direct is None:
            self._transport.write(data)
            return
        taken = self._direct(data)
        if taken == len(data):
            return
        self._paused = self._clock.seconds()
        # After an error the transport finds it again by itself and closes.
        self._transport.write(data[taken:] if isinstance(taken, int) else data)

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

    def pauseProducing(self) -> None:
        if self._paused is None:
            self._paused = self._clock.seconds()

    def resumeProducing(self) -> None:
        """The transport has drained."""
        if self._paused is None or self._closed:
            return
        self._paused = None
        waiting, self._waiting, self._size = b"".join(self._waiting), [], 0
        if waiting:
            self._send(waiting)
        if self._missed and self._paused is None:
            self._missed = False
            self._resumed()
        if self._paused is None:
            self.caught_up()

    def stopProducing(self) -> None:
        """The connection is lost: nothing is sent any more."""
        self._closed = True
        self._paused = self._clock.seconds()
        self._waiting.clear()
        self._size = 0
        self.caught_up()  # what the client still says, its goodbye above all, is listened to

    def forget(self) -> None:
        """The connection is gone: let go of it, so that no cycle keeps it for the garbage collector."""
        self.stopProducing()
        self._overflow = self._resumed = self.caught_up = _nothing
        self._direct = self._transport = None

    def _end(self, reason: str) -> None:
        self._closed = True
        self._waiting.clear()
        self._overflow(reason)


def _nothing(*_: object) -> None:
    """What a connection that is gone wants done."""
