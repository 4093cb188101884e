"""How a viewer is told what happened: one message an event, or one a tick; plain or deflated.

The classic dialect sends each event as a message of its own.  A client that offers the
sub-protocol `BATCH` gets one message a tick, ``{"type": "tick", "messages": [...]}``, with
the same events in it (a private one is told by its ``toAgentId``), which is what makes
permessage-deflate worth while.  Nothing here keeps a compression context from one message
to the next (RFC 7692, 7.1.1), so that one message serves every viewer of a group.
"""

from __future__ import annotations

import zlib
from typing import Final

from msgspec import Struct

from .frames import deflated_frame, text_frame

BATCH: Final = "realm.batch.1"
#: Smaller messages gain less than the header of a deflate block costs.
WORTH_DEFLATING: Final = 256
LEVEL: Final = 3
#: A 4 KiB window: what most of a tick's repetition lies within, at an eighth of the memory.
WINDOW_BITS: Final = 12


class Item(Struct, frozen=True, gc=False):
    """An encoded event, and whether it is private to its two agents."""

    body: bytes
    private: bool = False


class Dialect(Struct, frozen=True, gc=False):
    """One way to be told; `batch` and `deflate` are what the client negotiated."""

    batch: bool = False
    deflate: bool = False

    def part(self, items: list[Item]) -> bytes:
        """Some events, ready to stand among others in `whole`."""
        if self.batch:
            return b",".join([item.body for item in items])
        return b"".join([_classic(item) for item in items])

    def whole(self, parts: list[bytes]) -> bytes:
        """What is written for the `parts` of one tick; nothing if they are empty."""
        if not self.batch:
            return b"".join(parts)
        filled = b",".join([part for part in parts if part])
        return self.frame(b'{"type":"tick","messages":[%b]}' % filled) if filled else b""

    def snapshot(self, agents: list[bytes]) -> bytes:
        """A ``snapshot`` of encoded agents."""
        return self.frame(b'{"type":"snapshot","agents":[%b]}' % b",".join(agents))

    def frame(self, payload: bytes) -> bytes:
        """One message, deflated if that was negotiated and is worth while."""
        if not self.deflate or len(payload) < WORTH_DEFLATING:
            return text_frame(payload)
        compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS)
        body = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
        return deflated_frame(body[:-4])  # RFC 7692, 7.2.1: without the empty block's tail


#: (batch, deflate) → the one object, so that viewers group by it.
DIALECTS: Final = {(b, d): Dialect(b, d) for b in (False, True) for d in (False, True)}
CLASSIC: Final = DIALECTS[False, False]


def _classic(item: Item) -> bytes:
    if item.private:
        return text_frame(b'{"type":"private","message":%b}' % item.body)
    return text_frame(b'{"type":"world","message":%b}' % item.body)
