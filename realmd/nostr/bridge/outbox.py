"""The durable outbox: what relays must have, kept in the store until each has taken it.

Each relay gets it in order, a few at a time: how fast, its client decides.  What was refused for
reasons that may pass is offered again later, a few times; then it is given up, counted and logged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ...identity import nostr_event
from ...identity.errors import BadEvent
from ...identity.nostr_event import Event
from ...storage.publications import IPublications, Publication
from ..events import classic, log
from ..relay.pool import Pool
from ..relay.sending import Outcome

#: Events handed to one relay's client at once.
WINDOW: Final = 16
#: Messages of the channel that may wait.  Beyond it the oldest go: the log has them.
MOST_MESSAGES: Final = 300
#: Batches of the log that may wait.  Beyond it none are cut: the journal has what would be in them.
MOST_BATCHES: Final = 500
#: After how long (s) a relay is offered again what it would not take, and how often.
REST: Final = 300.0
ROUNDS: Final = 3
#: Events whose id other events refer to: no proof of work may change it.
FIXED: Final = frozenset({classic.CHANNEL, log.KIND})
#: Reasons of outcomes (see docs/nostr.rst) that may pass.
PASSING: Final = frozenset({"rate-limited", "error", "other", "unanswered", "auth-required", "full"})


class Waiting:
    """An event, and the relays that have not settled it."""

    def __init__(self, number: int, event: Event, relays: Sequence[str]) -> None:
        self.number = number
        self.event = event
        self.pending = dict.fromkeys(relays)
        self.flying: set[str] = set()
        #: Relay → when (clock seconds) it is offered the event again; how often it was.
        self.resting: dict[str, float] = {}
        self.rounds: Counter[str] = Counter()

    def kept(self) -> Publication:
        return Publication(self.number, msgspec.json.encode(self.event), tuple(self.pending))


class Outbox:
    """What waits for relays.  `open` first; `work` is called each second."""

    log = Logger()

    def __init__(self, relays: Pool, publications: IPublications, clock: IReactorTime) -> None:
        self._relays = relays
        self._publications = publications
        self._clock = clock
        self._items: dict[int, Waiting] = {}
        self._number = 0
        self._changed: set[int] = set()
        self._open = False
        #: Events published, by kind; given up by a relay; dropped before any relay had a say.
        self.published: Counter[str] = Counter()
        self.given_up = self.dropped = 0

    async def open(self) -> dict[str, str]:
        """Take up what an earlier life left; the marks that it kept.  Raises `StorageError`."""
        kept = await self._publications.load()
        for one in kept.publications:
            self._number = max(self._number, one.number)
            relays = [url for url in one.pending if url in self._relays.clients]
            try:
                event = nostr_event.decode(one.event)
            except BadEvent as error:
                self.log.error("outbox: an event is damaged number={n}: {error}", n=one.number, error=error)
                relays = []
            else:
                self._items[one.number] = Waiting(one.number, event, relays)
            if not relays:
                self._changed.add(one.number)
                self._items.pop(one.number, None)
        self._open = True
        if self._items:
            self.log.info("outbox: events wait from before n={n}", n=len(self._items))
        return kept.marks

    def __len__(self) -> int:
        return len(self._items)

    def waiting(self, kind: int) -> int:
        """Events of `kind` that wait."""
        return sum(item.event.kind == kind for item in self._items.values())

    async def add(self, events: Sequence[Event], marks: Mapping[str, str]) -> None:
        """Keep `events` and `marks` in one transaction, then send them.  Raises `StorageError`."""
        made = []
        for event in events:
            self._number += 1
            made.append(Waiting(self._number, event, list(self._relays.clients)))
        messages = [w for w in self._items.values() if w.event.kind == classic.MESSAGE]
        spare = sum(event.kind == classic.MESSAGE for event in events) + len(messages) - MOST_MESSAGES
        over = [w.number for w in messages if not w.flying][: max(spare, 0)]
        await self._publications.keep([item.kept() for item in made], over, dict(marks))
        for number in over:
            self._items.pop(number, None)
            self._changed.discard(number)
        self.dropped += len(over)
        if over:
            self.log.warn("outbox: channel messages dropped n={n}", n=len(over))
        self._items.update((item.number, item) for item in made)
        for event in events:
            self.published[str(event.kind)] += 1
        self._feed_all()

    async def work(self, count: int = 1) -> None:
        """Offer what may be offered, and keep what changed.  Raises `StorageError`."""
        self._feed_all()
        await self.flush()

    async def flush(self) -> None:
        """Keep what relays have settled."""
        numbers, self._changed = self._changed, set()
        if not numbers:
            return
        changed = [self._items[number].kept() for number in sorted(numbers) if number in self._items]
        gone = [number for number in sorted(numbers) if number not in self._items]
        try:
            await self._publications.keep(changed, gone, {})
        except Exception:
            self._changed |= numbers
            raise

    def close(self) -> None:
        """Hand out nothing more; what comes back now is learned again in the next life."""
        self._open = False

    # -- inside ------------------------------------------------------------------------

    def _feed_all(self) -> None:
        for url in self._relays.clients:
            self._feed(url)

    def _feed(self, url: str) -> None:
        """Hand the next events to the relay at `url`."""
        if not self._open:
            return
        now = self._clock.seconds()
        flying = sum(url in item.flying for item in self._items.values())
        for item in list(self._items.values()):
            if flying >= WINDOW:
                return
            if url in item.pending and url not in item.flying and item.resting.get(url, now) <= now:
                flying += 1
                item.flying.add(url)
                sending = self._relays.clients[url].publish(item.event, item.event.kind in FIXED)
                sending.addCallback(self._settled, item).addErrback(self._failed, item, url)

    def _settled(self, outcome: Outcome, item: Waiting) -> None:
        url, reason = outcome.relay, outcome.reason
        item.flying.discard(url)
        if not self._open or reason in ("withdrawn", "pending") or item.number not in self._items:
            return
        item.rounds[url] += 1
        if not outcome.accepted and reason in PASSING and item.rounds[url] < ROUNDS:
            item.resting[url] = self._clock.seconds() + REST
            return
        if not outcome.accepted:
            self.given_up += 1
            self.log.warn("relay will not have an event relay={relay} kind={kind} reason={reason}",
                          relay=url, kind=item.event.kind, reason=reason)  # fmt: skip
        item.pending.pop(url, None)
        self._changed.add(item.number)
        if not item.pending:
            del self._items[item.number]
        self._feed(url)

    def _failed(self, failure: Any, item: Waiting, url: str) -> None:
        item.flying.discard(url)
        self.log.failure("outbox: handing over failed relay={relay}", failure=failure, relay=url)
