"""One event on its way to one relay, and what of it the relay or the calendar decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol as Interface

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from ...identity.nostr_event import Event, Unsigned
from .pace import Pauses


class Outcome(Struct, frozen=True):
    """What became of an event at `relay` (its URL).

    `event` is the event as the relay has it: with proof of work its id may be another than the one
    submitted.  `reason` is empty if accepted, else the relay's prefix or one of `bounds.OWN_REASONS`;
    `message` is what the relay said.
    """

    relay: str
    event: Event
    accepted: bool
    reason: str = ""
    message: str = ""


class ISigner(Interface):
    """Signs drafts with the key of `pubkey` (hex), at once and on the reactor's thread: 0.1 ms each.

    Before the key is open no relay is spoken to.
    """

    @property
    def pubkey(self) -> str: ...
    def sign(self, draft: Unsigned) -> Event: ...


class Signer(Struct, frozen=True):
    """One whose key is not the realm's: `sign` signs with the key of `pubkey`."""

    pubkey: str
    sign: Callable[[Unsigned], Event]


class Channel(Interface):
    """Where events go while the relay is connected."""

    @property
    def behind(self) -> bool: ...
    def say(self, message: bytes) -> None: ...


class Sending:
    """One event, from being submitted (as the `number`th) to being settled by `done`."""

    def __init__(
        self, number: int, event: Event, fixed: bool, done: Deferred[Outcome], pauses: Pauses
    ) -> None:
        self.number = number
        self.event = event
        self.key = event.id
        self.fixed = fixed
        self.ephemeral = is_ephemeral(event.kind)
        self.done = done
        #: How often it was sent; when (clock seconds) last.
        self.tries = 0
        self.pauses = pauses
        self.sent = 0.0
        #: Whether the relay knew who we are when it was sent.
        self.authenticated = False
        self.timer: IDelayedCall | None = None
        self.mining: Deferred[None] | None = None

    def __lt__(self, other: Sending) -> bool:
        return self.number < other.number


def is_ephemeral(kind: int) -> bool:
    """Relays pass these on and do not keep them (NIP-01)."""
    return 20_000 <= kind < 30_000


def address_of(event: Event) -> tuple[int, str, str] | None:
    """What a newer event replaces it by (NIP-01); None if it is not replaced."""
    kind = event.kind
    if kind in (0, 3) or 10_000 <= kind < 20_000:
        return kind, event.pubkey, ""
    if 30_000 <= kind < 40_000:
        name = next((tag[1] for tag in event.tags if tag[0] == "d" and len(tag) > 1), "")
        return kind, event.pubkey, name
    return None


def expires(event: Event) -> int | None:
    """When (s since the epoch) it expires (NIP-40)."""
    for tag in event.tags:
        if tag[0] == "expiration" and len(tag) > 1 and tag[1].isascii() and tag[1].isdigit():
            return int(tag[1][:16])
    return None
