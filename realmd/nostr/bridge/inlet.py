"""What relays bring for the realm, until it is known to be a command that was not obeyed before.

Whatever is not meant for this realm or is not fresh costs its sender nothing, so that nobody uses up
the share of another by repeating what that one signed.  The rest is charged to the key that signed it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...identity.errors import BadProof, NotProven
from ...identity.gift_wrap import Rumor, unwrap
from ...identity.nostr_event import Event
from ...identity.proof import Proof
from ...identity.replays import Replays
from ...primitives.errors import Fault
from ...protocol.classic import Ask
from ...protocol.views import Room
from ...storage.asks import IAsks
from ...storage.interface import StorageError
from ..events import asks, classic
from ..events.draft import Published, Unreadable
from ..relay.work import Run
from .key import Key

#: Asks remembered: twice what all shares together let in within two minutes.
REMEMBERED: Final = 8192
#: Wraps that wait to be opened, and how many are opened in one go (some 0.5 ms each, in a thread).
MOST_WRAPPED: Final = 64
AT_ONCE: Final = 8
#: Commands that wait to be written down.
MOST_WAITING: Final = 256


class Share(Protocol):
    """What each key may: 0 if `cost` was there, and is gone now, else how long (s) until it will be."""

    def take(self, key: str, cost: float, now: float) -> float: ...


class Shares(Struct, frozen=True):
    """The bounds of what comes by relay.

    `keys`: commands of each pubkey.  `all`: commands of all whose agents are known, and of all
    strangers, apart; so no flood of new keys shuts out who is here.  `wraps`: gift wraps opened; who is
    behind one shows only then.
    """

    keys: Share
    all: Share
    wraps: Share


class Taken(Struct, frozen=True):
    """A command by relay that is to be obeyed, or a mistake that is to be told.

    `event_id` and `pubkey` in hex; `relay` is the URL that it came by first, `wrap` the kind of gift wrap
    that it came in, or asks for.  `heard` is what a message of the channel said (JSON), which is not
    answered; `ask` is None for a mistake, which `fault` tells.
    """

    event_id: str
    pubkey: str
    relay: str
    ask: Ask | None
    until: int
    wrap: int | None = None
    secret: bool = False
    heard: str = ""
    fault: str = ""


class Inlet:
    """Hands each command to `obey` once, in this life of the daemon and the next.

    `obey(taken, remembered)` is called with False for those that could not be written down.  `known`
    tells whether an agent speaks with a key; `wall` tells ms since the epoch.
    """

    log = Logger()

    def __init__(
        self,
        key: Key,
        room: Callable[[], Room],
        store: IAsks,
        shares: Shares,
        known: Callable[[str], bool],
        obey: Callable[[Taken, bool], None],
        run: Run,
        clock: IReactorTime,
        wall: Callable[[], int],
    ) -> None:
        #: What was not obeyed, by why.
        self.passed_over: Counter[str] = Counter()
        self._key = key
        self._room = room
        self._store = store
        self._shares = shares
        self._known = known
        self._obey = obey
        self._run = run
        self._clock = clock
        self._wall = wall
        self._replays = Replays(REMEMBERED)
        self._wrapped: deque[tuple[Event, str]] = deque()
        self._waiting: list[Taken] = []
        self._opening = self._writing = self._closed = False

    async def open(self) -> None:
        """Take up what an earlier life obeyed.  Raises `StorageError`."""
        kept = await self._store.load()
        now = self._wall()
        # The newest was taken before this: if the clock was set back since, nothing from then is new.
        floor = max([now, *(until - 2 * asks.WINDOW for until in kept.values())])
        if floor > now:
            self.log.warn("the clock was set back: no commands by relay for {s} s", s=(floor - now) // 1000)
            self._replays.forget(0, floor - asks.WINDOW - 1)
        passed = int(self._clock.seconds() * 1000)
        for event_id, until in kept.items():
            if until >= floor:
                self._replays.admit(Proof("", event_id, until - asks.WINDOW, until), passed)

    def close(self) -> None:
        """Take nothing more."""
        self._closed = True
        self._wrapped.clear()
        self._waiting.clear()

    # -- what relays bring -----------------------------------------------------------------

    def asked(self, event: Event, relay: str) -> None:
        """A command for all to read (kind 20043), its signature checked."""
        self._sort(event, relay, None)

    def wrapped(self, event: Event, relay: str) -> None:
        """A gift wrap (kind 1059 or 21059)."""
        if len(self._wrapped) >= MOST_WRAPPED or self._shares.wraps.take("", 1.0, self._clock.seconds()):
            self.passed_over["limited"] += 1
            return
        self._wrapped.append((event, relay))
        self._open_some()

    def heard(self, event: Event, relay: str) -> None:
        """A message of the room's channel (kind 42).

        What repeats something is not charged to who signed it: an old server repeats all that it reads,
        and has agents of its own to speak for.
        """
        channel = self._room().channel_id
        if channel is None or not self._fresh(event):
            return
        try:
            ask = classic.read_message(event, channel)
        except (Unreadable, Fault) as error:
            mirror = isinstance(error, Unreadable) and error.code == "mirror"
            if mirror or self._allowed(event):
                self.passed_over["mirror" if mirror else "unreadable"] += 1
            return
        if not self._allowed(event):
            return
        until = event.created_at * 1000 + asks.WINDOW
        self._take(Taken(event.id, event.pubkey, relay, ask, until, heard=event.content))

    # -- gift wraps ------------------------------------------------------------------------

    def _open_some(self) -> None:
        if self._opening or not self._wrapped:
            return
        some = [self._wrapped.popleft() for _ in range(min(AT_ONCE, len(self._wrapped)))]
        self._opening = True
        opening: Deferred[list[Rumor | None]] = self._run(opened, [one for one, _ in some], self._key.secret)
        opening.addCallback(self._were_opened, some).addErrback(self._failed).addBoth(self._open_more)

    def _were_opened(self, rumors: Sequence[Rumor | None], some: Sequence[tuple[Event, str]]) -> None:
        for rumor, (event, relay) in zip(rumors, some, strict=True):
            if rumor is None:
                self.passed_over["unreadable"] += 1
            elif not self._closed:
                self._sort(rumor, relay, event.kind)

    def _open_more(self, _: object) -> None:
        self._opening = False
        self._open_some()

    def _failed(self, failure: Failure) -> None:
        if not self._closed:
            self.log.failure("commands by relay failed", failure=failure)

    # -- sorting -----------------------------------------------------------------------------

    def _fresh(self, event: Published) -> bool:
        """Whether it is of now, not ours, and not known."""
        if abs(event.created_at * 1000 - self._wall()) > asks.WINDOW:
            reason = "stale"
        elif event.pubkey == self._key.pubkey:
            reason = "own"
        elif event.id in self._replays:
            reason = "replayed"
        else:
            return True
        self.passed_over[reason] += 1
        return False

    def _allowed(self, event: Published) -> bool:
        """Whether it is within the shares of who signed it."""
        seconds = self._clock.seconds()
        if self._shares.keys.take(event.pubkey, 1.0, seconds) or self._shares.all.take(
            "known" if self._known(event.pubkey) else "strangers", 1.0, seconds
        ):
            self.passed_over["limited"] += 1
            return False
        return True

    def _sort(self, event: Published, relay: str, wrap: int | None) -> None:
        if not (self._fresh(event) and self._allowed(event)):
            return
        until = event.created_at * 1000 + asks.WINDOW
        private = wrap is not None
        try:
            found = asks.read_ask(
                event, self._key.pubkey, self._room().room_id, self._wall(), private=private
            )
        except Unreadable as error:
            self.passed_over["stale" if error.code in ("stale", "early") else "unreadable"] += 1
            return
        except Fault as fault:
            taken = Taken(event.id, event.pubkey, relay, None, until, wrap, private, fault=str(fault))
        else:
            secret = found.answer_privately
            answer_in = wrap if found.wrap is None else found.wrap
            taken = Taken(found.id, found.pubkey, relay, found.ask, found.until, answer_in, secret)
        self._take(taken)

    def _take(self, taken: Taken) -> None:
        """Remember it, here at once and then on the disk, before anything is done."""
        proof = Proof(taken.pubkey, taken.event_id, taken.until - asks.WINDOW, taken.until)
        try:
            if len(self._waiting) >= MOST_WAITING:
                raise BadProof("busy")
            self._replays.admit(proof, int(self._clock.seconds() * 1000))
        except BadProof as error:
            self.passed_over[error.code] += 1
            return
        self._waiting.append(taken)
        if not self._writing:
            self._writing = True
            Deferred.fromCoroutine(self._write()).addErrback(self._failed)

    async def _write(self) -> None:
        try:
            while self._waiting and not self._closed:
                batch, self._waiting = self._waiting, []
                try:
                    await self._store.take({one.event_id: one.until for one in batch}, self._wall())
                    remembered = True
                except StorageError as error:
                    remembered = False
                    self.log.warn("commands by relay refused cause={cause}", cause=str(error))
                for one in batch:
                    self._hand_on(one, remembered)
        finally:
            self._writing = False

    def _hand_on(self, taken: Taken, remembered: bool) -> None:
        """One command that fails must not keep the others from being obeyed."""
        if self._closed:
            return
        try:
            self._obey(taken, remembered)
        except Exception:
            self.log.failure("a command by relay failed")


def opened(events: Sequence[Event], secret: bytes) -> list[Rumor | None]:
    """What each wrap holds for the holder of `secret`; None for one that shows nothing."""
    found: list[Rumor | None] = []
    for event in events:
        try:
            found.append(unwrap(event, secret))
        except NotProven:
            found.append(None)
    return found
