"""Gift wraps (NIP-59): an event for one reader, which nobody else can tell the writer of.

    rumor   the event itself, unsigned
    seal    kind 13, signed by the rumor's author, the rumor encrypted for the reader (NIP-44)
    wrap    kind 1059, or 21059 which no relay stores; signed by a key used once, the seal encrypted

All of it is by `seal.pubkey`: a rumor that names another author than who signed its seal is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from . import nip44, nostr_event, schnorr
from .errors import UNREADABLE, BadEvent, BadPayload, BadWrap
from .keys import Entropy
from .nostr_event import MOST_CONTENT, MOST_TAGS, Event, Hex32, Tag, Unsigned, event_id

SEAL: Final = 13
STORED: Final = 1059
EPHEMERAL: Final = 21059
#: How far back (s) the times of a seal and a stored wrap are set, so that they tell nothing.
BACK: Final = 2 * 24 * 3600
#: Bytes of a rumor's JSON: what fits a seal whose own JSON fits `nip44.MOST_TEXT`.
MOST_RUMOR: Final = 20_480


class Rumor(Struct, frozen=True, gc=False):
    """An event that was not signed itself, but is shown to be by `pubkey` by the seal it came in."""

    id: Hex32
    pubkey: Hex32
    created_at: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    kind: Annotated[int, Meta(ge=0, le=65535)]
    tags: Annotated[tuple[Tag, ...], Meta(max_length=MOST_TAGS)]
    content: Annotated[str, Meta(max_length=MOST_CONTENT)]


class _Sent(Rumor, frozen=True, gc=False, kw_only=True):
    """A rumor as it comes: some programs leave the id out."""

    id: Hex32 | UnsetType = UNSET  # type: ignore[assignment]
    sig: Raw | UnsetType = UNSET


_rumor: Final = msgspec.json.Decoder(Rumor)
_sent: Final = msgspec.json.Decoder(_Sent)


def wrap(
    draft: Unsigned,
    secret: bytes,
    receiver: str,
    now: int,
    *,
    entropy: Entropy,
    rng: Random,
    ephemeral: bool = False,
) -> Event:
    """`draft` by the holder of `secret` (32 bytes) in a gift wrap for `receiver` (pubkey, hex).

    `now` in seconds since the epoch; `entropy` gives unpredictable bytes, as os.urandom does; `rng`
    rolls the times of the seal and of a stored wrap, which are up to two days back.  An ephemeral
    wrap is dated `now`, since relays drop ephemeral events that are not fresh.  Raises `BadWrap`
    (too_long, rumor) or `BadPayload` (key).
    """
    rumor = _draw(draft, schnorr.public_key(secret).hex())
    inner = msgspec.json.encode(rumor)
    if len(inner) > MOST_RUMOR:
        raise BadWrap("too_long")
    seal = _sealed(inner.decode(), SEAL, (), secret, receiver, now - rng.randint(0, BACK), entropy)
    kind, at = (EPHEMERAL, now) if ephemeral else (STORED, now - rng.randint(0, BACK))
    text, tags = msgspec.json.encode(seal).decode(), (("p", receiver),)
    return _sealed(text, kind, tags, _once(entropy), receiver, at, entropy)


def unwrap(event: Event, secret: bytes) -> Rumor:
    """What `event` holds for the holder of `secret` (32 bytes).

    Checks the wrap and the seal in it; raises `BadWrap`, `BadEvent` or `BadPayload`.  Whether the rumor is
    fresh, or was seen before, is for the caller to say: by the rumor's id and time, since the same
    seal can be wrapped again by anybody it was sent to.
    """
    if event.kind not in (STORED, EPHEMERAL):
        raise BadWrap("kind")
    receivers = [tag[1:2] for tag in event.tags if tag[:1] == ("p",)]
    if receivers != [(schnorr.public_key(secret).hex(),)]:
        raise BadWrap("receiver")
    nostr_event.check(event)
    seal = _read_seal(_opened(event, secret))
    return _read_rumor(_opened(seal, secret), seal.pubkey)


def _draw(draft: Unsigned, pubkey: str) -> Rumor:
    tags = tuple(map(tuple, draft.tags))
    event = Event("", pubkey, draft.created_at, draft.kind, tags, draft.content, "")
    try:
        rumor = Rumor(event_id(event), pubkey, event.created_at, event.kind, tags, event.content)
        _rumor.decode(msgspec.json.encode(rumor))
    except (BadEvent, *UNREADABLE, OverflowError):
        raise BadWrap("rumor") from None
    return rumor


def _sealed(
    text: str,
    kind: int,
    tags: Sequence[Sequence[str]],
    secret: bytes,
    receiver: str,
    at: int,
    entropy: Entropy,
) -> Event:
    """`text` encrypted for `receiver` as the content of an event signed with `secret`."""
    key = nip44.conversation_key(secret, _point(receiver))
    payload = nip44.encrypt(text, key, entropy(32))
    return nostr_event.sign(secret, entropy(32), kind=kind, created_at=max(at, 0), tags=tags, content=payload)


def _point(pubkey: str) -> bytes:
    try:
        return bytes.fromhex(pubkey)
    except ValueError:
        raise BadPayload("key") from None


def _once(entropy: Entropy) -> bytes:
    """A secret to be used once; all but 2**-128 of what 32 random bytes can be are secrets."""
    for _ in range(8):
        secret = entropy(32)
        try:
            schnorr.public_key(secret)
        except ValueError:
            continue
        return secret
    raise BadPayload("key")


def _opened(event: Event, secret: bytes) -> bytes:
    key = nip44.conversation_key(secret, _point(event.pubkey))
    return nip44.decrypt(event.content, key).encode()


def _read_seal(data: bytes) -> Event:
    try:
        seal = nostr_event.decode(data)
    except BadEvent:
        raise BadWrap("seal") from None
    if seal.kind != SEAL or seal.tags:
        raise BadWrap("seal")
    nostr_event.check(seal)
    return seal


def _read_rumor(data: bytes, author: str) -> Rumor:
    try:
        sent = _sent.decode(data)
        mark = event_id(Event("", sent.pubkey, sent.created_at, sent.kind, sent.tags, sent.content, ""))
    except (BadEvent, *UNREADABLE):
        raise BadWrap("rumor") from None
    if sent.pubkey != author:
        raise BadWrap("author")
    # Signed, it could be published by whoever reads it: that is not what a rumor is.
    if sent.sig is not UNSET or sent.id not in (UNSET, mark):
        raise BadWrap("rumor")
    return Rumor(mark, sent.pubkey, sent.created_at, sent.kind, sent.tags, sent.content)
