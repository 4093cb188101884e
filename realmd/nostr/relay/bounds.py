"""What bounds the links to relays, and what a relay's refusal means (NIP-01, NIP-42)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from msgspec import Struct


class Bounds(Struct, frozen=True, kw_only=True):
    """Times in seconds, sizes in bytes, rates per second; the defaults are polite to public relays."""

    #: First pause after a failed or lost link, doubled each time up to the longest, and back to the
    #: first only after a link that lived for `steady`.
    retry_first: float = 2.0
    retry_longest: float = 300.0
    steady: float = 60.0
    #: For TCP and TLS, and again for the WebSocket handshake; for the goodbye; for NIP-11.
    connecting: float = 15.0
    closing: float = 2.0
    describing: float = 5.0
    ping_interval: float = 30.0
    ping_patience: float = 20.0

    #: What a relay may send.  A longer message is passed over, not kept.  `frames` of them a second
    #: are read, 4 KiB of traffic counting as another, after a burst; the rest waits in the network.
    message_bytes: int = 1024 * 1024
    frames: float = 500.0
    frames_burst: float = 2000.0
    #: Bytes of messages that may wait for the check of signatures before reading pauses.
    unchecked_bytes: int = 2 * 1024 * 1024
    #: Challenges (NIP-42) answered on one link.
    challenges: int = 5

    #: Events that one relay may keep waiting; sent and not answered at once; ephemeral ones likewise.
    queued: int = 1000
    window: int = 8
    ephemeral_window: int = 4
    #: Events a second to one relay, after a burst; what of the burst only ephemeral events may use.
    rate: float = 0.8
    burst: float = 10.0
    ephemeral_reserve: float = 3.0
    #: Wait for an OK; sendings of one event; pauses between them; longest pause.
    answer: float = 10.0
    tries: int = 6
    pause_first: float = 5.0
    pause_longest: float = 300.0
    #: Leading zero bits of an id (NIP-13) that we are willing to find, and for how long.
    work_bits: int = 20
    work_patience: float = 120.0

    #: Subscriptions of one link, filters in each, event ids remembered by each; how far a renewed
    #: subscription reaches back before the newest event seen.
    subscriptions: int = 20
    filters: int = 10
    remembered: int = 10_000
    overlap: int = 120


class Answer(Enum):
    """What to do about an event or a subscription that a relay refused."""

    SUCCESS = "success"
    SLOW_DOWN = "pause all sending to this relay, then try again"
    LATER = "try this one again later"
    LOG_IN = "authenticate (NIP-42), then send again"
    WORK = "find a nonce (NIP-13), then send again"
    GIVE_UP = "give up"


#: Machine-readable prefix of an OK or CLOSED → what to do.  Whatever is not here may pass: `LATER`.
PREFIXES: Final = {
    "duplicate": Answer.SUCCESS,
    "rate-limited": Answer.SLOW_DOWN,
    "error": Answer.LATER,
    "auth-required": Answer.LOG_IN,
    "pow": Answer.WORK,
    "invalid": Answer.GIVE_UP,
    "blocked": Answer.GIVE_UP,
    "restricted": Answer.GIVE_UP,
    "mute": Answer.GIVE_UP,
    "unsupported": Answer.GIVE_UP,
}

#: Why an event was not accepted, when no relay said so.
OWN_REASONS: Final = (
    "expired", "full", "offline", "pending", "superseded", "too_large", "too_old", "too_new",
    "unanswered", "withdrawn", "congested", "other",
)  # fmt: skip


def prefix(message: str) -> str:
    """The known prefix of `message`, or ``other``: relays make up words, and labels must be few."""
    word, colon, _ = message.partition(":")
    return word if colon and word in PREFIXES else "other"
