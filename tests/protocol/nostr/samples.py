"""Rooms, published events and hostile contents for the tests of what the realm says on relays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct

from realmd.nostr.events.draft import Draft, Unreadable
from realmd.primitives.errors import Fault
from realmd.protocol.views import Room

NOW = 1_790_000_000
REALM, AGENT, STRANGER = "a" * 64, "b" * 64, "c" * 64
CHANNEL = "d" * 64
RELAYS = ("wss://one.example", "wss://two.example")
ROOM = Room("cavern", "The Cavern", "Shalom's hall", "https://realm.example", RELAYS, CHANNEL)


class Published(Struct, frozen=True):
    """An event as a reader gets it."""

    id: str
    pubkey: str
    created_at: int
    kind: int
    tags: tuple[tuple[str, ...], ...]
    content: str


def published(draft: Draft, pubkey: str = REALM) -> Published:
    """`draft` with the id that NIP-01 gives it."""
    parts = (0, pubkey, draft.created_at, draft.kind, draft.tags, draft.content)
    data = json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    mark = hashlib.sha256(data).hexdigest()
    return Published(mark, pubkey, draft.created_at, draft.kind, draft.tags, draft.content)


#: Anything that JSON can say, lone surrogates and numbers without end among it.
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12)
    | st.sampled_from(["\ud800", "0" * 64, "cavern", 10**400, "openclaw-world"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


def hostile(*names: str) -> st.SearchStrategy[str]:
    """Contents that nobody should send: JSON objects with those fields, other JSON, and any text."""
    fields = st.dictionaries(st.sampled_from(names), ANYTHING, max_size=len(names))
    deep = st.sampled_from(["[" * 60_000, '{"a":' * 10_000, '{"v":1,"p":' + "[" * 40_000, "x" * 70_000])
    return st.one_of((fields | ANYTHING).map(json.dumps), st.text(), deep)


def outcome(read: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """What `read` gives, or the exception that a reader may raise; any other goes on its way."""
    try:
        return read(*args, **named)
    except (Unreadable, Fault) as error:
        return error


TAGS = st.lists(
    st.lists(
        st.sampled_from(["d", "e", "p", "t", "seq", "prev", "expiration", "1", "", REALM, CHANNEL, "cavern"])
        | st.text(max_size=6),
        max_size=4,
    ).map(tuple),
    max_size=5,
).map(tuple)
