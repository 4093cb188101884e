"""What a relay takes, as it says itself (NIP-11)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ...identity.errors import UNREADABLE
from ...identity.nostr_event import Event
from .messages import Filter, event_message

_Count = Annotated[int, Meta(ge=0, le=2**53)]


class Limits(Struct, frozen=True, kw_only=True):
    """The `limitation` of NIP-11; None or 0 for what the relay does not say.

    Sizes in bytes of a whole message, times in seconds before and after now.
    """

    max_message_length: _Count | None = None
    max_subscriptions: _Count | None = None
    max_limit: _Count | None = None
    max_event_tags: _Count | None = None
    max_content_length: _Count | None = None
    min_pow_difficulty: _Count = 0
    auth_required: bool = False
    created_at_lower_limit: _Count | None = None
    created_at_upper_limit: _Count | None = None

    def refusal(self, event: Event, now: int) -> str | None:
        """Why this relay would not take `event`: a reason for `Outcome`; `now` in s."""
        if self.max_message_length is not None and len(event_message(event)) > self.max_message_length:
            return "too_large"
        # NIP-11 counts characters.
        if self.max_content_length is not None and len(event.content) > self.max_content_length:
            return "too_large"
        if self.max_event_tags is not None and len(event.tags) > self.max_event_tags:
            return "too_large"
        if self.created_at_lower_limit is not None and event.created_at < now - self.created_at_lower_limit:
            return "too_old"
        if self.created_at_upper_limit is not None and event.created_at > now + self.created_at_upper_limit:
            return "too_new"
        return None

    def trim(self, filter: Filter) -> Filter:
        """`filter` with no higher `limit` than the relay grants."""
        limit = filter.get("limit")
        if limit is None or self.max_limit is None or limit <= self.max_limit:
            return filter
        return {**filter, "limit": self.max_limit}


def limits_in(document: bytes) -> Limits:
    """The limits in a relay's information document; a field that makes no sense counts as not there."""
    try:
        whole = msgspec.json.decode(document)
    except UNREADABLE:
        return Limits()
    found = whole.get("limitation") if isinstance(whole, dict) else None
    said: dict[str, Any] = found if isinstance(found, dict) else {}
    kept: dict[str, Any] = {}
    for name in Limits.__struct_fields__:
        try:
            kept[name] = getattr(msgspec.convert({name: said[name]}, Limits), name)
        except (KeyError, *UNREADABLE):
            continue
    return Limits(**kept)
