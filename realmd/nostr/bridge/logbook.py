"""The durable log on relays: batches cut from what the journal has committed, one after the other."""

from __future__ import annotations

from typing import Final

import msgspec
from twisted.logger import Logger

from ...storage.publications import IPublications
from ..events import log as chain
from ..events.log import Head, Public
from .outbox import MOST_BATCHES, Outbox
from .voice import Voice

#: The mark under which the head is kept.
HEAD: Final = "log.head"
STAMPS: Final = "stamps"
#: While so many batches wait, only full ones are cut: an outage makes few large ones.
SPARING: Final = 20

_head: Final = msgspec.json.Decoder(Head)


class Logbook:
    """Writes the log of the room.  `committed` is the last seq that the journal has on the disk.

    Without a head (a first life) it waits for `begin`: nobody may start a second chain unasked.
    """

    log = Logger()

    def __init__(self, room_id: str, voice: Voice, outbox: Outbox, publications: IPublications) -> None:
        self.head: Head | None = None
        self.committed = 0
        #: Relays hold a log that this disk knows nothing of.
        self.foreign = False
        self.events = self.batches = 0
        #: Numbers whose events were pruned before they were published.
        self.lost = 0
        self._room_id = room_id
        self._voice = voice
        self._outbox = outbox
        self._publications = publications
        self._told = Head()

    def recall(self, marks: dict[str, str]) -> None:
        """Go on where an earlier life ended; ValueError if the mark is damaged."""
        if HEAD in marks:
            self.head = _head.decode(marks[HEAD])

    async def begin(self, has_log: bool) -> None:
        """Start the chain, unless relays have one."""
        if self.head is not None:
            return
        if has_log:
            if not self.foreign:
                self.log.error(
                    "relays hold a log of this realm that its disk does not know; nothing is added to it. "
                    "Stop the realm and use `realmctl rebuild`, or give the realm another key"
                )
            self.foreign = True
            return
        first = await self._publications.public(0, self.committed, 1)
        # What was pruned before the realm came to relays is no gap in what it published.
        self.head = Head(to_seq=first[0][0] - 1) if first else Head(to_seq=self.committed)

    @property
    def lag(self) -> int:
        """Numbers of events not yet in the log."""
        return max(0, self.committed - self.head.to_seq) if self.head is not None else 0

    async def work(self, last: bool = False) -> None:
        """Cut what the journal has committed; `last`: however little that is.  Raises `StorageError`."""
        while self.head is not None and self.lag and self._outbox.waiting(chain.KIND) < MOST_BATCHES:
            if self._voice.stamps.wait(chain.log_tag(self._room_id), self._voice.seconds()):
                return  # the clock was set back far: later
            if not await self._cut(self.head, last):
                return

    async def _cut(self, head: Head, last: bool) -> bool:
        """One batch; whether there may be more."""
        tag, most = chain.log_tag(self._room_id), chain.MOST_EVENTS
        up_to = self.committed  # what is committed while the store is read is for the next batch
        rows = await self._publications.public(head.to_seq, up_to, most)
        if not rows:
            return False
        full = len(rows) == most
        covered = rows[-1][0] if full else up_to
        lost = await self._publications.missing(head.to_seq, covered, most)
        if len(lost) == most:
            full, covered = True, lost[-1]
        entries = [Public(seq, body) for seq, body in rows if seq <= covered]
        cut = chain.cut(
            self._room_id, head, entries, covered, self._voice.stamp(tag), self._voice.max_bytes(), lost=lost
        )
        if not (cut.rest or full or last) and self._outbox.waiting(chain.KIND) >= SPARING:
            return False
        event = await self._voice.sign_fixed(cut.draft)
        head = cut.head(event.id)
        marks = {HEAD: msgspec.json.encode(head).decode(), STAMPS: self._voice.remember()}
        await self._outbox.add([event], marks)
        self.head = head
        self.batches += 1
        self.events += sum(entry.seq <= head.to_seq for entry in entries)
        if gone := sum(number <= head.to_seq for number in lost):
            self.lost += gone
            self.log.error("log: events were gone before they were published n={n}", n=gone)
        return True

    def checkpoint(self) -> None:
        """Say how far the log reaches, if it has got further."""
        if self.head is None or not self.head.batch or self.head == self._told:
            return
        self._told = self.head
        stamp = self._voice.stamp(chain.checkpoint_tag(self._room_id))
        self._voice.send(chain.checkpoint(self._room_id, self.head, stamp))
