"""The Nostr bridge: what the realm publishes on its relays, from its start to its stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as Late
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ...identity import nostr_event
from ...identity.errors import BadEvent
from ...identity.nostr_event import Event
from ...primitives.figures import Figures
from ...protocol.views import Room
from ...runtime.journal import Committed, Journal
from ...runtime.periodic import Periodic
from ...runtime.realm import Realm
from ...settings.nostr import Nostr
from ...storage.interface import StorageError
from ...storage.publications import IPublications
from ..events import classic
from ..events.draft import Draft
from ..events.echoes import Echoes
from ..relay.pool import Pool
from ..relay.sending import Outcome
from ..relay.work import Mine
from .announcer import Announcer
from .key import Key
from .logbook import STAMPS, Logbook
from .messages import Messages
from .outbox import Outbox
from .survey import Survey, survey
from .voice import Voice

#: The mark under which the channel is kept: the event (JSON) that made it.
CHANNEL: Final = "channel"
#: How long (s) relays are given to take what is said last, and how long a first life looks for what
#: an earlier one left at relays that are away, once another has answered.
FAREWELL: Final = 0.8
SEARCH: Final = 60.0
#: How long (s) relays have to take what somebody waits for.
HAND_OVER: Final = 15.0


class Bridge(MultiService):
    """Publishes `realm` on the relays of `pool`; without relays it only holds the key.

    `start` once the store is open, `ready` once the doors are, `stop` after the last commit.  `wall`
    tells ms since the epoch.  For what reads relays there are `pool`, `key`, `room` and `publish_now`.
    """

    log = Logger()

    def __init__(
        self,
        realm: Realm,
        journal: Journal,
        key: Key,
        pool: Pool,
        publications: IPublications,
        settings: Nostr,
        clock: IReactorTime,
        wall: Callable[[], int],
        mine: Mine,
    ) -> None:
        super().__init__()
        self.key = key
        self.pool = pool
        self.enabled = settings.enabled and bool(pool.clients)
        self._realm = realm
        self._clock = clock
        self._publications = publications
        self._settings = settings
        self.voice = Voice(key, pool, mine, wall)
        self.outbox = Outbox(pool, publications, clock)
        room_id = realm.room.room_id
        self.logbook = Logbook(room_id, self.voice, self.outbox, publications)
        #: What was said in the channel lately, by us and by others.
        self.echoes = Echoes()
        self.messages = Messages(lambda: self.room, self.voice, self.outbox, publications, self.echoes, clock)
        self.announcer = Announcer(
            realm.world, lambda: self.room, journal.unannounced, lambda: self.logbook.committed, self.voice,
            settings.nip05, settings.snapshot_interval_s,
        )  # fmt: skip
        self._doors_open = False
        self._surveyed = False
        self._since = 0.0
        self._channel: Event | None = None
        self._looking: Deferred[None] | None = None

    @property
    def room(self) -> Room:
        """The room as it is told now: where its page is, its channel, the realm's key."""
        return self._realm.room

    # -- for what reads relays -----------------------------------------------------------

    def publish_now(self, draft: Draft) -> Deferred[Any]:
        """Sign `draft` and send it to all relays; fires with what became of it at each.  Nothing is kept."""
        return self.voice.send(draft)

    def publish_signed(self, event: Event) -> Deferred[Any]:
        """As `publish_now`, of an event that is signed already: a gift wrap."""
        return self.pool.publish(event)

    async def keep_signed(self, event: Event) -> None:
        """As `publish_signed`, but it waits in the outbox until relays have it.  Raises `StorageError`."""
        await self.outbox.add([event], {})

    async def hand_over(self, event: Event) -> str:
        """As `publish_signed`, until the first relay has it; why none has, or ""."""
        if not self.pool.connected():
            return "no relay is connected"
        refused: list[str] = []
        first: Deferred[str] = Deferred()

        def heard(outcome: Outcome) -> None:
            refused.append(f"{outcome.relay}: {outcome.reason}")
            if not first.called and (outcome.accepted or len(refused) == len(self.pool.clients)):
                first.callback("" if outcome.accepted else ", ".join(refused))

        sending = self.pool.publish(event, heard)
        sending.addErrback(lambda failure: failure.trap(CancelledError))
        try:
            return await first.addTimeout(HAND_OVER, self._clock)
        except Late:
            sending.cancel()
            return ", ".join((*refused, f"no relay took it within {HAND_OVER:g} s"))

    # -- its life ------------------------------------------------------------------------

    def open_key(self) -> None:
        """Read or make the key, and tell the room of it; see `Key.open`."""
        self.key.open()
        self._realm.learn(pubkey=self.key.pubkey)

    async def start(self, committed: int) -> None:
        """Take up what an earlier life left.  Raises `StorageError`, or ValueError for damaged marks."""
        if not self.enabled:
            return
        marks = await self.outbox.open()
        self.voice.recall(marks.get(STAMPS, "{}"))
        self.logbook.committed = committed
        if self._settings.publish_log:
            self.logbook.recall(marks)
        self.messages.recall(marks, committed)
        if CHANNEL in marks:
            self._adopt_channel(_stored(marks[CHANNEL]))
        self._since = self._clock.seconds()
        given, clock, tell = self._settings, self._clock, self.announcer
        for periodic in (
            Periodic("relay-survey", 2.0, self._look_around, clock),
            Periodic("relay-outbox", 1.0, self._each_second, clock),
            Periodic("relay-log", given.log_interval_s, lambda _: self._run(self._extend_log()), clock),
            Periodic("relay-sync", given.sync_interval_s, self._when_ready(tell.sync), clock),
            Periodic("relay-snapshot", given.snapshot_interval_s, self._when_ready(self._snapshot), clock),
            Periodic("relay-discovery", given.discovery_interval_s, self._when_ready(tell.announce), clock),
        ):
            periodic.setServiceParent(self)
        self.startService()

    def hear(self, committed: list[Committed]) -> None:
        """These were committed."""
        if committed:
            self.logbook.committed = self.messages.committed = committed[-1].entry.seq

    def ready(self) -> None:
        """The doors are open, so that `room` tells the right address."""
        self._doors_open = True
        if self.enabled:
            self.announcer.warn()

    async def stop(self) -> None:
        """Say the last things, as far as relays take them at once; the rest is kept."""
        if not self.running:
            return
        ended = self.stopService()
        self.voice.close()
        if self._looking is not None:
            self._looking.cancel()
        await ended
        try:
            if self._settings.publish_log and not self.pool.work_wanted():
                await self.logbook.work(last=True)
            if self._settings.publish_messages:
                await self.messages.work()
            if self.pool.connected() and self._doors_open:
                self.logbook.checkpoint()
                # Sent after all the others, so that its answer tells of them, too.
                await self.announcer.space(is_open=False).addTimeout(FAREWELL, self._clock)
        except Late:
            self.log.debug("relays were too slow for the farewell")
        except StorageError as error:
            self.log.warn("log: its last events were not published cause={cause}", cause=str(error))
        self.outbox.close()
        await self._storage_permitting(self._keep_last())

    async def _keep_last(self) -> None:
        await self._publications.keep([], [], {STAMPS: self.voice.remember()})
        await self.outbox.flush()

    # -- what is done again and again ------------------------------------------------------

    def _run(self, work: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(self._storage_permitting(work))

    async def _storage_permitting(self, work: Any) -> None:
        """Do `work`; while the store is away, which others tell of, it is done at a later turn."""
        try:
            await work
        except StorageError as error:
            self.log.debug("relays have to wait for the store cause={cause}", cause=str(error))

    def _when_ready(self, work: Callable[[int], None]) -> Callable[[int], None]:
        def maybe(count: int) -> None:
            if self._surveyed and self._doors_open:
                work(count)

        return maybe

    def _snapshot(self, count: int) -> None:
        self.announcer.snapshot(count)
        self.logbook.checkpoint()

    def _each_second(self, count: int) -> Deferred[None]:
        return self._run(self._attend())

    async def _attend(self) -> None:
        if self._settings.publish_messages:
            await self.messages.work()
        await self.outbox.work()

    async def _extend_log(self) -> None:
        if self._settings.publish_log:
            try:
                await self.logbook.work()
            except CancelledError:  # the realm stops while it works for a relay that wants that
                self.log.debug("log: a batch was not finished")

    def _look_around(self, count: int) -> Deferred[None] | None:
        if self._surveyed or not self.pool.connected():
            return None
        self._looking = self._run(self._survey())
        return self._looking

    async def _survey(self) -> None:
        """Learn what relays know of an earlier life; only then is anything told for good."""
        found = await survey(self.pool, self.room.room_id, self.key.pubkey)
        patient = self._clock.seconds() - self._since < SEARCH
        known = self._channel is not None and (
            self.logbook.head is not None or not self._settings.publish_log
        )
        if not found.answered or (patient and not known and found.answered < len(self.pool.clients)):
            return
        self.voice.seen(found.stamps)
        if self._settings.publish_log:
            await self.logbook.begin(found.has_log)
        await self._settle_channel(found)
        self._surveyed = True
        if self._doors_open:
            self.announcer.announce()

    async def _settle_channel(self, found: Survey) -> None:
        """The room's channel: the one kept, else the one found, else a new one."""
        event = self._channel or found.channel
        if event is None:
            event = await self.voice.sign_fixed(classic.channel(self.room, self.voice.seconds()))
            self.log.info("nostr channel made id={id}", id=event.id)
        elif self._channel is None:
            self.log.info("nostr channel found again id={id}", id=event.id)
        if found.channel is None or self._channel is None:  # new, or some relay may have lost it
            await self.outbox.add([event], {CHANNEL: msgspec.json.encode(event).decode()})
        self._adopt_channel(event)

    def _adopt_channel(self, event: Event) -> None:
        self._channel = event
        self._realm.learn(channel_id=event.id)

    # -- for metrics and health ------------------------------------------------------------

    def figures(self) -> Figures:
        """For the metrics."""
        outbox, book = self.outbox, self.logbook
        return [
            ("realmd_nostr_outbox", "Events that wait for relays.", lambda: len(outbox)),
            ("realmd_nostr_given_up_total", "Events that a relay would not have.", lambda: outbox.given_up),
            ("realmd_nostr_dropped_total", "Channel messages dropped.", lambda: outbox.dropped),
            (
                "realmd_nostr_log_seq",
                "Last event number in the log.",
                lambda: book.head.to_seq if book.head else 0,
            ),
            ("realmd_nostr_log_lag", "Committed event numbers not yet in the log.", lambda: book.lag),
            ("realmd_nostr_log_lost_total", "Events pruned before they were in the log.", lambda: book.lost),
            ("realmd_nostr_syncs_total", "Events that told all positions.", lambda: self.announcer.syncs),
        ]

    def trouble(self) -> str:
        """What the operator should know of, for /health; empty if all is well."""
        if not self.enabled:
            return ""
        if not self.pool.connected():
            return "no relay is connected"
        return "relays hold a log of this realm that its disk does not know" if self.logbook.foreign else ""


def _stored(text: str) -> Event:
    try:
        return nostr_event.decode(text.encode())
    except BadEvent as error:
        raise ValueError(f"the kept channel is damaged: {error}") from None
