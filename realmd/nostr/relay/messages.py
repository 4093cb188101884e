"""The messages of NIP-01 and NIP-42, as arrays of JSON: what relays say, and what we say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ...identity.errors import UNREADABLE
from ...identity.nostr_event import Event

#: A filter as in NIP-01: ``{"kinds": [42], "#e": ["…"], "since": 1700000000}``.
Filter = Mapping[str, Any]

_Id = Annotated[str, Meta(max_length=64)]
_Text = Annotated[str, Meta(max_length=65_536)]
#: As much of a relay's words as is kept.
MOST_TEXT = 300


class Stored(Struct, array_like=True, tag="EVENT", frozen=True, gc=False):
    """An event for a subscription, shape checked, id and signature not yet."""

    subscription: _Id
    event: Event


class Answered(Struct, array_like=True, tag="OK", frozen=True, gc=False):
    """What became of an event that we sent; some relays leave the id empty."""

    event_id: _Id
    accepted: bool
    message: _Text = ""


class Caught(Struct, array_like=True, tag="EOSE", frozen=True, gc=False):
    """All stored events of a subscription were sent; live ones follow."""

    subscription: _Id


class Closed(Struct, array_like=True, tag="CLOSED", frozen=True, gc=False):
    """The relay ended a subscription."""

    subscription: _Id
    message: _Text = ""


class Notice(Struct, array_like=True, tag="NOTICE", frozen=True, gc=False):
    """Something for people to read."""

    text: _Text = ""


class Challenge(Struct, array_like=True, tag="AUTH", frozen=True, gc=False):
    """Sign this, to show who you are (NIP-42)."""

    text: Annotated[str, Meta(min_length=1, max_length=1024)]


Message = Stored | Answered | Caught | Closed | Notice | Challenge
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


class Garbage(Exception):
    """A relay sent what is no message of the protocol."""


def parse(payload: bytes) -> Message:
    """One message of a relay; raises `Garbage`."""
    try:
        return _decoder.decode(payload)
    except UNREADABLE as error:
        raise Garbage(type(error).__name__) from None


def event_message(event: Event) -> bytes:
    """Publish `event`."""
    return msgspec.json.encode(("EVENT", event))


def auth_message(event: Event) -> bytes:
    """Answer a challenge with a signed event of kind 22242."""
    return msgspec.json.encode(("AUTH", event))


def request_message(subscription: str, filters: Iterable[Filter]) -> bytes:
    """Subscribe to what any of the filters matches."""
    return msgspec.json.encode(("REQ", subscription, *filters))


def close_message(subscription: str) -> bytes:
    """End a subscription."""
    return msgspec.json.encode(("CLOSE", subscription))


def matches(filter: Filter, event: Event) -> bool:
    """Whether `filter` asks for `event`, as NIP-01 has it; `search` and `limit` are the relay's affair."""
    for name, wanted in filter.items():
        if name in ("ids", "authors", "kinds"):
            if getattr(event, _FIELDS[name]) not in wanted:
                return False
        elif name == "since":
            if event.created_at < wanted:
                return False
        elif name == "until":
            if event.created_at > wanted:
                return False
        elif name.startswith("#") and not any(
            tag[0] == name[1:] and len(tag) > 1 and tag[1] in wanted for tag in event.tags
        ):
            return False
    return True


_FIELDS = {"ids": "id", "authors": "pubkey", "kinds": "kind"}
