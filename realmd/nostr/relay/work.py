"""Proof of work (NIP-13): a nonce that gives an event's id leading zero bits."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ...identity.nostr_event import Event

#: Runs a function in a thread and fires with what it returned: `run(function, *args)`.
Run = Callable[..., "Deferred[Any]"]
#: Gives an unsigned event a nonce (NIP-13) for that many leading zero bits of its id.
Mine = Callable[[Event, int], "Deferred[Event]"]

#: Nonces tried in one go, and the pause (s) after them: a thread at work holds the interpreter's
#: lock, so one that went on and on would slow down every tick.
AT_ONCE: Final = 1000
PAUSE: Final = 0.01
_PLACE: Final = "\x00nonce\x00"


class NotFound(Exception):
    """No nonce was found in time."""


def difficulty(event_id: str) -> int:
    """Leading zero bits of an id in hex."""
    return len(event_id) * 4 - int(event_id, 16).bit_length()


def demanded(message: str) -> int:
    """The difficulty that a refusal asks for: the largest number in it, 0 if there is none."""
    # Numbers up to three digits: an id has 256 bits.
    return max(map(int, re.findall(r"(?<!\d)\d{1,3}(?!\d)", message)), default=0)


def draft_of(event: Event, bits: int, nonce: str) -> Event:
    """`event` with a nonce tag that commits to `bits`, neither id nor signature."""
    tags = (*(tag for tag in event.tags if tag[0] != "nonce"), ("nonce", nonce, str(bits)))
    return msgspec.structs.replace(event, id="", sig="", tags=tags)


def search(event: Event, bits: int, start: int) -> str | None:
    """A nonce among `AT_ONCE` from `start` that gives `bits` leading zero bits."""
    draft = draft_of(event, bits, _PLACE)
    parts = (0, draft.pubkey, draft.created_at, draft.kind, draft.tags, draft.content)
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    # The tag is the last but for the content, and what comes before it is hashed once.
    before, _, after = text.rpartition(json.dumps(_PLACE)[1:-1] + f'","{bits}"]]')
    base = hashlib.sha256(before.encode())
    tail = f'","{bits}"]]{after}'.encode()
    most = 1 << (256 - bits)
    for number in range(start, start + AT_ONCE):
        tried = base.copy()
        tried.update(str(number).encode() + tail)
        if int.from_bytes(tried.digest(), "big") < most:
            return str(number)
    return None


async def mine(event: Event, bits: int, patience: float, clock: IReactorTime, run: Run, rng: Random) -> Event:
    """A draft of `event` whose id will have `bits` leading zero bits; `NotFound` after `patience` s."""
    start = rng.getrandbits(48)
    end = clock.seconds() + patience
    while clock.seconds() < end:
        nonce = await run(search, event, bits, start)
        if nonce is not None:
            return draft_of(event, bits, nonce)
        start += AT_ONCE
        await deferLater(clock, PAUSE)
    raise NotFound
