"""What a relay says of itself and what it takes (NIP-11), fetched over HTTP."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Meta, Struct
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from ...identity.errors import UNREADABLE
from ...identity.nostr_event import Event
from ..feed import Body
from .bounds import Bounds
from .messages import Filter, event_message

log = Logger()

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


async def fetch(reactor: IReactorTime, url: str, bounds: Bounds, trust: Any = None) -> Limits:
    """The limits of the relay at `url` (ws:// or wss://); `Limits()` if it says nothing within bounds.

    Raises nothing but CancelledError: that a relay has no such document is no fault.
    """
    parts = urlsplit(url)
    address = urlunsplit(
        (parts.scheme.replace("ws", "http", 1), parts.netloc, parts.path or "/", parts.query, "")
    )
    policy = BrowserLikePolicyForHTTPS(trust)
    agent = Agent(reactor, contextFactory=policy, connectTimeout=bounds.describing)
    asking = Deferred.fromCoroutine(_document(agent, address.encode()))
    asking.addTimeout(bounds.describing, reactor, lambda *_: b"")
    # Whatever goes wrong in there concerns HTTP alone: the link shows whether the relay is well.
    return limits_in(await asking)


async def _document(agent: Agent, address: bytes) -> bytes:
    headers = Headers({b"accept": [b"application/nostr+json"], b"user-agent": [b"realmd"]})
    try:
        response: IResponse = await agent.request(b"GET", address, headers)
        body = Body()
        response.deliverBody(body)
        text = await body.whole
    except CancelledError:
        raise
    except Exception as error:
        log.debug(
            "relay information unavailable address={address} cause={cause}", address=address, cause=error
        )
        return b""
    return text if response.code == 200 else b""
