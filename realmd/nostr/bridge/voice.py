"""How the realm speaks: drafts are dated, kept to what relays take, signed and sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred

from ...identity.nostr_event import Event
from ..events.draft import Draft
from ..events.stamps import Stamps
from ..relay.pool import Pool
from ..relay.work import Mine
from .key import Key

#: Bytes of an event that every relay in use takes, and the least that we make ours fit: a relay
#: that takes less goes without the larger ones.
USUAL: Final = 60_000
LEAST: Final = 16_384
#: What a message has beyond its event: `["EVENT",…]`.
AROUND: Final = 16

_times: Final = msgspec.json.Decoder(dict[str, int])


class Voice:
    """Signs as `key` and sends to `relays`.  `wall` tells ms since the epoch."""

    def __init__(self, key: Key, relays: Pool, mine: Mine, wall: Callable[[], int]) -> None:
        self.key = key
        self.relays = relays
        self._mine = mine
        self.wall = wall
        self.stamps = Stamps()
        self._given: dict[str, int] = {}
        self._mining: Deferred[Event] | None = None

    def seconds(self) -> int:
        return self.wall() // 1000

    def max_bytes(self) -> int:
        """How large an event may be for the relays that are connected."""
        most = USUAL
        for url in self.relays.connected():
            limits = self.relays.clients[url].limits
            for limit in (limits.max_message_length, limits.max_content_length):
                if limit is not None and limit - AROUND >= LEAST:
                    most = min(most, limit - AROUND)
        return most

    def stamp(self, name: str) -> int:
        """The time (s) of the next event called `name`; each is later than the one before."""
        given = self._given[name] = self.stamps.next(name, self.seconds())
        return given

    def seen(self, times: dict[str, int]) -> None:
        """Events of these names were published with these times, in an earlier life perhaps."""
        for name, stamp in times.items():
            self.stamps.seen(name, stamp)
            self._given[name] = max(stamp, self._given.get(name, 0))

    def remember(self) -> str:
        """The times given, for `recall` in another life."""
        return msgspec.json.encode(self._given).decode()

    def recall(self, text: str) -> None:
        """ValueError for what `remember` did not write."""
        self.seen(_times.decode(text))

    async def sign_fixed(self, draft: Draft) -> Event:
        """`draft` signed for good: with the work in it that relays are known to want.

        CancelledError if `close` comes before the work is done.
        """
        bits = self.relays.work_wanted()
        if not bits:
            return self.key.sign(draft)
        unsigned = Event("", self.key.pubkey, draft.created_at, draft.kind, draft.tags, draft.content, "")
        self._mining = self._mine(unsigned, bits)
        try:
            return self.key.sign(await self._mining)
        finally:
            self._mining = None

    def close(self) -> None:
        """Give up work under way."""
        if self._mining is not None:
            self._mining.cancel()

    def send(self, draft: Draft) -> Deferred[Any]:
        """Sign `draft` and send it to all relays; see `Pool.publish`."""
        return self.relays.publish(self.key.sign(draft))
