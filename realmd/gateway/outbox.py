"""One client's way out: bounded by bytes, with patience for a slow reader that ends.

While the transport takes no more, positions and area snapshots are dropped (the next
ones replace them) and durable frames wait.  A client whose outbox overflows, or that stays
behind too long, is closed with 1013 (RFC 6455 registry: try again later).
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IPushProducer, IReactorTime
from zope.interface import implementer


@implementer(IPushProducer)
class Outbox:
    """Writes frames to `write` unless paused.

    `limit` bounds what waits (bytes), `patience` how long (s).  `overflow(reason)` is
    called once, when the client is to be closed; `resumed` when it has caught up.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        clock: IReactorTime,
        limit: int,
        patience: float,
        overflow: Callable[[str], None],
        resumed: Callable[[], None],
    ) -> None:
        self._write = write
        self._clock = clock
        self._limit = limit
        self._patience = patience
        self._overflow = overflow
        self._resumed = resumed
        self._waiting: list[bytes] = []
        self._size = 0
        self._paused: float | None = None
        self._closed = False
        self.dropped = 0

    def deliver(self, whole: bytes, durable: bytes) -> None:
        """Send `whole` now, or keep its `durable` part for when the reader has caught up."""
        if self._closed:
            return
        if self._paused is None:
            self._write(whole)
            return
        if len(durable) < len(whole):
            self.dropped += 1
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
        if self._paused is None or self._closed:
            return
        self._paused = None
        waiting, self._waiting, self._size = b"".join(self._waiting), [], 0
        if waiting:
            self._write(waiting)
        self._resumed()

    def stopProducing(self) -> None:
        self._closed = True
        self._waiting.clear()

    def _end(self, reason: str) -> None:
        self._closed = True
        self._waiting.clear()
        self._overflow(reason)
