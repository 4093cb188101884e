"""The channel's messages: each public durable event that old readers know, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from ...protocol.views import Room
from ...storage.publications import IPublications
from ..events import classic
from .outbox import Outbox
from .voice import Voice

#: The mark under which is kept how far they have come.
CURSOR: Final = "messages.seq"
#: Events signed in one go: 2 ms, so that no tick waits.
AT_ONCE: Final = 20


class _Head(Struct, rename="camel"):
    world_type: str
    timestamp: int
    by: str = ""


_head: Final = msgspec.json.Decoder(_Head)


class Messages:
    """Makes messages of what the journal has committed.  `cursor` is the seq up to which it has."""

    def __init__(
        self, room: Callable[[], Room], voice: Voice, outbox: Outbox, publications: IPublications
    ) -> None:
        self.cursor = 0
        self.committed = 0
        self._room = room
        self._voice = voice
        self._outbox = outbox
        self._publications = publications

    def recall(self, marks: dict[str, str], committed: int) -> None:
        """Go on where an earlier life ended; in a first life, with what happens from now on.

        ValueError if the mark is damaged.
        """
        self.committed = committed
        self.cursor = min(int(marks.get(CURSOR, committed)), committed)

    async def work(self, count: int = 1) -> None:
        """Hand a few to the outbox.  Raises `StorageError`; nothing is made twice, then."""
        room, up_to = self._room(), self.committed
        if room.channel_id is None or self.cursor >= up_to:
            return
        rows = await self._publications.public(self.cursor, up_to, AT_ONCE)
        covered = rows[-1][0] if len(rows) == AT_ONCE else up_to
        most = self._voice.max_bytes()
        drafts = []
        for _, body in rows:
            head = _head.decode(body)
            at = head.timestamp // 1000
            drafts.append(classic.message(room, head.world_type, body, at, most, by=head.by))
        events = [self._voice.key.sign(draft) for draft in drafts if draft is not None]
        if events:
            await self._outbox.add(events, {CURSOR: str(covered)})
        self.cursor = covered
