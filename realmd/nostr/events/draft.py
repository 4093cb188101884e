"""Drafts of Nostr events (NIP-01), how large they get, and what every reader of events needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Final, Protocol

import msgspec
from msgspec import Struct

#: Characters of content that are looked at.
MOST_CONTENT: Final = 64 * 1024
#: The least a relay must take for anything to be said; NIP-11's defaults are far above.
LEAST_BYTES: Final = 4096
#: All that a decoder raises over content that is not what it should be.
_BROKEN: Final = (ValueError, msgspec.MsgspecError, RecursionError)

encode: Final = msgspec.json.Encoder().encode


class Draft(Struct, frozen=True, gc=False):
    """An event that nobody has signed yet; `created_at` in seconds since the epoch."""

    kind: int
    created_at: int
    tags: tuple[tuple[str, ...], ...] = ()
    content: str = ""


class Published(Protocol):
    """An event somebody signed (ids and keys in hex, `created_at` in seconds), or showed to be theirs."""

    @property
    def id(self) -> str: ...
    @property
    def pubkey(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    @property
    def kind(self) -> int: ...
    @property
    def tags(self) -> Sequence[Sequence[str]]: ...
    @property
    def content(self) -> str: ...


class Unreadable(ValueError):
    """An event that is not what its reader is for.  `code` is a key of `SENTENCES`, `str()` its sentence."""

    SENTENCES: ClassVar[dict[str, str]] = {
        "kind": "The event is of another kind.",
        "author": "The event is by another author than the one who may say this.",
        "tags": "A tag that must be there once is missing, double or wrong.",
        "mirror": "The event repeats what was said before, by whoever said it.",
        "room": "The event belongs to another room or channel.",
        "content": "The content is not what this kind of event holds, or too long.",
        "order": "The event numbers in a batch do not rise within the range that it covers.",
        "private": "A batch of public events holds a private one.",
        "hash": "The running hash of a batch is not that of its events.",
        "stale": "The event is too old.",
        "early": "The event is dated in the future.",
        "full": "No more can be remembered.",
    }

    def __init__(self, code: str) -> None:
        super().__init__(self.SENTENCES[code])
        self.code = code


class _Signed(Struct):
    """An event as it is published, for its size."""

    created_at: int
    kind: int
    tags: tuple[tuple[str, ...], ...]
    content: str
    id: str = "0" * 64
    pubkey: str = "0" * 64
    sig: str = "0" * 128


def size(draft: Draft) -> int:
    """Bytes of the JSON of `draft` once it is signed."""
    return len(encode(_Signed(draft.created_at, draft.kind, draft.tags, draft.content)))


def cost(text: str) -> int:
    """Bytes that `text` adds to an event when it stands in its content, escaped."""
    return len(encode(text)) - 2


def packs(pieces: Iterable[str], room: int) -> Iterator[list[str]]:
    """`pieces` of content, each followed by a comma, in groups of at most `room` bytes, in order.

    ValueError if one alone is larger.  There is always one group, if an empty one.
    """
    group: list[str] = []
    left = room
    for piece in pieces:
        need = cost(piece) + 1
        if need > room:
            raise ValueError(f"a piece of {need} bytes does not fit an event")
        if need > left:
            yield group
            group, left = [], room
        group.append(piece)
        left -= need
    yield group


def values(event: Published, name: str) -> list[Sequence[str]]:
    """What follows the name in each tag called `name`."""
    return [tag[1:] for tag in event.tags if len(tag) > 0 and tag[0] == name]


def only(event: Published, name: str, code: str = "tags") -> str:
    """The value of the one tag called `name`; Unreadable(code) if there is none, or more than one."""
    found = values(event, name)
    if len(found) != 1 or not found[0]:
        raise Unreadable(code)
    return found[0][0]


def number(event: Published, name: str) -> int:
    """The one tag called `name` as a whole number from 1 on, written as JSON would; raises `Unreadable`."""
    text = only(event, name)
    if not (len(text) <= 15 and text.isascii() and text.isdigit() and text[0] != "0"):
        raise Unreadable("tags")
    return int(text)


def content(event: Published, decoder: msgspec.json.Decoder[Any], code: str = "content") -> Any:
    """The content as `decoder` reads it; Unreadable(code) for whatever it cannot be."""
    if len(event.content) > MOST_CONTENT:
        raise Unreadable(code)
    try:
        return decoder.decode(event.content)
    except _BROKEN:
        raise Unreadable(code) from None


def expect(event: Published, kind: int, author: str | None = None) -> None:
    """Raise `Unreadable` unless the event is of `kind`, and by `author` (pubkey, hex) if one is given."""
    if event.kind != kind:
        raise Unreadable("kind")
    if author is not None and event.pubkey != author:
        raise Unreadable("author")
