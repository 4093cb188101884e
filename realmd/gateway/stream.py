"""Long answers over HTTP, a piece at a time as the client takes them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from .budget import PIECE

if TYPE_CHECKING:
    from .request import Request

#: What of a packed file is unpacked at once (bytes); what zlib leaves of it, it copies.
_PACKED: Final = 8192


@implementer(IPushProducer)
class Stream:
    """Writes `pieces` to `request`, and finishes it; the transport says when it has room for the next.

    `whole` is what they are pieces of, if it is kept for that long.
    """

    def __init__(self, request: Request, pieces: Iterator[bytes], whole: bytes = b"") -> None:
        self._request: Request | None = request
        self._pieces = pieces
        self._whole = whole
        self._paused = False

    def begin(self) -> None:
        assert self._request is not None
        self._request.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        request = self._request
        while not (self._paused or request is None or request.gone):
            piece = next(self._pieces, None)
            request.channel.progress(done=piece is None)
            if piece is None:
                request.unregisterProducer()
                request.channel.account.release(self._whole)
                self.stopProducing()
                request.finish()
                return
            request.write(piece)
            request.channel.account.copied(len(piece))

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        """The client is gone, or has all: let go, so that no cycle keeps what it did not take."""
        self._paused = True
        self._request, self._pieces, self._whole = None, iter(()), b""


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
