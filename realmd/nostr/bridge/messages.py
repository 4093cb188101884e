"""The channel's messages: each public durable event that old readers know, in order.

What came from the channel is not told there again: so nothing can go round in it through the realm,
whatever others repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from ...protocol.views import Room
from ...storage.publications import IPublications
from ..events import classic
from ..events.echoes import Echoes
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
    via: str = ""


_head: Final = msgspec.json.Decoder(_Head)


class Messages:
    """Makes messages of what the journal has committed.  `cursor` is the seq up to which it has.

    `echoes` remembers them.
    """

    def __init__(
        self,
        room: Callable[[], Room],
        voice: Voice,
        outbox: Outbox,
        publications: IPublications,
        echoes: Echoes,
        clock: IReactorTime,
    ) -> None:
        self.cursor = 0
        self.committed = 0
        self._room = room
        self._voice = voice
        self._outbox = outbox
        self._publications = publications
        self._echoes = echoes
        self._clock = clock

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
            if head.via:
                continue
            at = head.timestamp // 1000
            drafts.append(classic.message(room, head.world_type, body, at, most, by=head.by))
        events = [self._voice.key.sign(draft) for draft in drafts if draft is not None]
        now = int(self._clock.seconds() * 1000)
        for event in events:
            self._echoes.note(event.content, now)
        if events:
            await self._outbox.add(events, {CURSOR: str(covered)})
        self.cursor = covered
