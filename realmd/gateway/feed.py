"""A list of another site, passed on: the board, the catalogue; fetched once at a time, kept for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct
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
#: Entries of it that are passed on; the old page asked for 20.
SHOWN: Final = 50


class Unreachable(Exception):
    """The upstream gave no feed; the text says why."""


class Kind(Struct, frozen=True):
    """What is passed on: its name, what one entry is called, where the list is, and the answer made of it."""

    name: str
    entries: str
    lists: tuple[str, ...]
    shown: Callable[[list[Any]], dict[str, Any]]


POSTS: Final = Kind("board", "posts", ("posts",), lambda posts: {"posts": posts})


class Feed:
    """What `upstream` (http:// or https://) publishes: an object with the list in it, or a bare list."""

    log = Logger()

    def __init__(
        self, upstream: str, clock: IReactorTime, agent: IAgent | None = None, kind: Kind = POSTS
    ) -> None:
        self._kind = kind
        self._upstream = upstream.encode()
        self._clock = clock
        self._agent = agent or Agent(clock, connectTimeout=PATIENCE)
        self._answer: tuple[dict[str, Any], int] = ({}, 0)
        self._until = 0.0
        self._waiting: list[Request] = []

    def pages(self) -> dict[bytes, Callable[[Request], None]]:
        """Path → handler, for the HTTP door; nothing without an upstream."""
        return {b"/api/moltbook/feed": self.tell} if self._upstream else {}

    @property
    def asked(self) -> bool:
        """Whether somebody waits for it."""
        return bool(self._waiting)

    def tell(self, request: Request) -> None:
        """Answer `request` with what is kept, or when the upstream has answered."""
        if self._clock.seconds() < self._until:
            request.answer(*self._answer)
            return
        self._waiting.append(request)
        if len(self._waiting) == 1:
            Deferred.fromCoroutine(self._renew()).addErrback(
                lambda failure: self.log.failure(
                    "feed failed what={what}", what=self._kind.name, failure=failure
                )
            )

    async def _renew(self) -> None:
        fetching = Deferred.fromCoroutine(self._fetch())
        late = Failure(Unreachable("ETIMEDOUT: no answer in time"))
        fetching.addTimeout(PATIENCE, self._clock, lambda *_: late)
        try:
            entries = ((str(number), entry) for number, entry in enumerate(await fetching))
            self._answer = {"ok": True, **self._kind.shown(page("list", entries, SHOWN)["list"])}, 200
            kept = KEPT
        except Exception as error:
            cause = str(error) if isinstance(error, Unreachable) else name_of(error)
            self.log.warn("feed unavailable what={what} cause={cause}", what=self._kind.name, cause=cause)
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
        found = [feed.get(name) for name in self._kind.lists] if isinstance(feed, dict) else [feed]
        for entries in found:
            if isinstance(entries, list):
                return entries
        raise Unreachable(f"it answered no list of {self._kind.entries}")


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
