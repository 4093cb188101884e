"""What a relay says of itself (NIP-11), fetched over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from ...gateway.feed import Body
from .bounds import Bounds
from .limits import Limits, limits_in

log = Logger()


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
