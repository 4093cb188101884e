"""Long answers over HTTP, a piece at a time as the client takes them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from .account import PIECE, Account

#: What of a packed file is unpacked at once (bytes); what zlib leaves of it, it copies.
_PACKED: Final = 8192


class Way(Protocol):
    """The way back to who sent a request: the connection it came on, while this is the request it answers."""

    @property
    def gone(self) -> bool:
        """The answer was given, or the client has hung up: nothing can be answered any more."""

    def begin(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """The head of the answer."""

    def write(self, data: bytes) -> None:
        """More of its body."""

    def finish(self) -> None:
        """That was all of it."""

    def progress(self, done: bool) -> None:
        """The client has taken what it was sent; `done`: nothing more is to be taken."""

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """See `twisted.internet.interfaces.IConsumer`, also for the next."""

    def unregisterProducer(self) -> None: ...


@implementer(IPushProducer)
class Stream:
    """Writes `pieces` to `way`, and finishes; the transport says when it has room for the next.

    `whole` is what they are pieces of, if it is kept for that long.  What is in flight is in `account`.
    """

    def __init__(self, way: Way, account: Account, pieces: Iterator[bytes], whole: bytes = b"") -> None:
        self._way: Way | None = way
        self._account = account
        self._pieces = pieces
        self._whole = whole
        self._paused = False

    def begin(self) -> None:
        assert self._way is not None
        self._way.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        way = self._way
        while not (self._paused or way is None or way.gone):
            piece = next(self._pieces, None)
            way.progress(done=piece is None)
            if piece is None:
                way.unregisterProducer()
                self._account.release(self._whole)
                self.stopProducing()
                way.finish()
                return
            way.write(piece)
            self._account.copied(len(piece))

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        """The client is gone, or has all: let go, so that no cycle keeps what it did not take."""
        self._paused = True
        self._way, self._pieces, self._whole = None, iter(()), b""


def pieces(body: bytes) -> Iterator[bytes]:
    """`body`, which stays one and the same for all who get it, in pieces."""
    for at in range(0, len(body), PIECE):
        yield body[at : at + PIECE]


def unpacked(packed: bytes) -> Iterator[bytes]:
    """What is in the gzip file `packed`, which nobody keeps whole, in pieces."""
    unpacker = zlib.decompressobj(wbits=31)
    for at in range(0, len(packed), _PACKED):
        piece = unpacker.decompress(packed[at : at + _PACKED], PIECE)
        while piece:
            yield piece
            piece = unpacker.decompress(unpacker.unconsumed_tail, PIECE)
