"""GET /api/moltbook/feed from another site: fetched at most once at a time, and kept for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from ..host.network import name_of
from ..protocol.paging import page
from .request import Request

#: How long (s) the upstream may take, and how long its answer, or its failure, is passed on.
PATIENCE: Final = 5.0
KEPT: Final = 30.0
KEPT_FAILURE: Final = 5.0
MOST_BYTES: Final = 1_048_576
#: Posts of it that are passed on; the old page asked for 20.
SHOWN: Final = 50


class Unreachable(Exception):
    """The upstream gave no feed; the text says why."""


class Feed:
    """The posts that `upstream` (http:// or https://) publishes: ``{"posts": […]}`` or a bare list."""

    log = Logger()

    def __init__(self, upstream: str, clock: IReactorTime, agent: IAgent | None = None) -> None:
        self._upstream = upstream.encode()
        self._clock = clock
        self._agent = agent or Agent(clock, connectTimeout=PATIENCE)
        self._answer: tuple[dict[str, Any], int] = ({}, 0)
        self._until = 0.0
        self._waiting: list[Request] = []

    def pages(self) -> dict[bytes, Callable[[Request], None]]:
        """Path → handler, for the HTTP door; nothing without an upstream."""
        return {b"/api/moltbook/feed": self._feed} if self._upstream else {}

    def _feed(self, request: Request) -> None:
        if self._clock.seconds() < self._until:
            request.answer(*self._answer)
            return
        self._waiting.append(request)
        if len(self._waiting) == 1:
            Deferred.fromCoroutine(self._renew()).addErrback(
                lambda failure: self.log.failure("board feed failed", failure=failure)
            )

    async def _renew(self) -> None:
        fetching = Deferred.fromCoroutine(self._fetch())
        late = Failure(Unreachable("ETIMEDOUT: no answer in time"))
        fetching.addTimeout(PATIENCE, self._clock, lambda *_: late)
        try:
            posts = ((str(number), post) for number, post in enumerate(await fetching))
            self._answer = {"ok": True, "posts": page("posts", posts, SHOWN)["posts"]}, 200
            kept = KEPT
        except Exception as error:
            cause = str(error) if isinstance(error, Unreachable) else name_of(error)
            self.log.warn("board feed unavailable cause={cause}", cause=cause)
            self._answer = {"ok": False, "error": f"Upstream feed unavailable: {cause}"}, 502
            kept = KEPT_FAILURE
        self._until = self._clock.seconds() + kept
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            request.answer(*self._answer)

    async def _fetch(self) -> list[Any]:
        headers = Headers({b"accept": [b"application/json"], b"user-agent": [b"realmd"]})
        response: IResponse = await self._agent.request(b"GET", self._upstream, headers)
        body = Body()
        response.deliverBody(body)
        text = await body.whole
        if response.code != 200:
            raise Unreachable(f"it answered {response.code}")
        try:
            feed = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise Unreachable("it answered no JSON") from None
        posts = feed.get("posts") if isinstance(feed, dict) else feed
        if not isinstance(posts, list):
            raise Unreachable("it answered no list of posts")
        return posts


class Body(Protocol):
    """Collects a body of at most `MOST_BYTES`; `whole` fires with it."""

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self.drop())
        self._parts: list[bytes] = []
        self._room = MOST_BYTES

    def dataReceived(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room >= 0:
            self._parts.append(data)
        elif not self.whole.called:
            self._parts.clear()
            self.whole.errback(Unreachable(f"it answered more than {MOST_BYTES} bytes"))
            self.drop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.whole.called:
            if reason.check(ResponseDone):
                self.whole.callback(b"".join(self._parts))
            else:
                self.whole.errback(Unreachable("its answer broke off"))

    def drop(self) -> None:
        """Hang up."""
        assert self.transport is not None
        self.transport.loseConnection()
