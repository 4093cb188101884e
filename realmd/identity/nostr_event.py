"""Nostr events (NIP-01): their shape, their id and their signature."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct

from . import schnorr
from .errors import UNREADABLE, BadEvent

#: Bytes of an event's JSON, and of its content in UTF-8.
MOST_BYTES = 256 * 1024
MOST_CONTENT = 64 * 1024
MOST_TAGS = 2000

Hex32 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
Hex64 = Annotated[str, Meta(pattern="^[0-9a-f]{128}$", max_length=128)]
Tag = Annotated[tuple[Annotated[str, Meta(max_length=8192)], ...], Meta(min_length=1, max_length=64)]


class Event(Struct, frozen=True, gc=False):
    """A signed event, fields as on the wire.  `created_at` is in seconds since the epoch.

    Fields that NIP-01 does not know are ignored: the id does not cover them.
    """

    id: Hex32
    pubkey: Hex32
    created_at: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    kind: Annotated[int, Meta(ge=0, le=65535)]
    tags: Annotated[tuple[Tag, ...], Meta(max_length=MOST_TAGS)]
    content: Annotated[str, Meta(max_length=MOST_CONTENT)]
    sig: Hex64


class Unsigned(Protocol):
    """What an event says before anybody signs it; `created_at` in seconds since the epoch."""

    @property
    def kind(self) -> int: ...
    @property
    def created_at(self) -> int: ...
    @property
    def tags(self) -> Sequence[Sequence[str]]: ...
    @property
    def content(self) -> str: ...


_decoder = msgspec.json.Decoder(Event)


def decode(data: bytes) -> Event:
    """The event in `data` (JSON), within bounds and not yet checked; raises `BadEvent`."""
    if len(data) > MOST_BYTES:
        raise BadEvent("shape")
    try:
        return _decoder.decode(data)
    except UNREADABLE:
        raise BadEvent("shape") from None


def event_id(event: Event) -> str:
    """The id that `event` must have, in hex; raises `BadEvent` if it is too large or has lone surrogates."""
    parts = (0, event.pubkey, event.created_at, event.kind, event.tags, event.content)
    try:
        # Python's own encoder escapes exactly what NIP-01 wants escaped.
        data = json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()
    except UNREADABLE:
        raise BadEvent("shape") from None
    if len(data) > MOST_BYTES:
        raise BadEvent("shape")
    return hashlib.sha256(data).hexdigest()


def check(event: Event) -> None:
    """Raise `BadEvent` unless the event is well shaped, has its id and is signed by its pubkey.

    The shape is looked at again: an event that was made rather than decoded has not been validated.
    """
    try:
        decode(msgspec.json.encode(event))
        too_long = len(event.content.encode()) > MOST_CONTENT
    except (*UNREADABLE, OverflowError):
        raise BadEvent("shape") from None
    if too_long:
        raise BadEvent("shape")
    if event_id(event) != event.id:
        raise BadEvent("id")
    if not schnorr.verify(*map(bytes.fromhex, (event.sig, event.id, event.pubkey))):
        raise BadEvent("signature")


def sign(
    secret: bytes,
    aux: bytes,
    *,
    kind: int,
    created_at: int,
    tags: Sequence[Sequence[str]] = (),
    content: str = "",
) -> Event:
    """A new event signed with `secret` (32 bytes); `aux` is 32 fresh random bytes."""
    pubkey = schnorr.public_key(secret).hex()
    draft = Event("", pubkey, created_at, kind, tuple(map(tuple, tags)), content, "")
    mark = event_id(draft)
    signature = schnorr.sign(bytes.fromhex(mark), secret, aux)
    return msgspec.structs.replace(draft, id=mark, sig=signature.hex())


def sign_draft(draft: Unsigned, secret: bytes, aux: bytes) -> Event:
    """`draft` signed as by `sign`."""
    return sign(
        secret, aux, kind=draft.kind, created_at=draft.created_at, tags=draft.tags, content=draft.content
    )
