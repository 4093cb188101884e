"""An HTTP service that takes what is posted to it, and answers as the test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from tests.realm import HANGS, reactor


class Receiver(Resource):
    """`taken` are path, headers and body of each POST; `status` is answered, None: nothing ever."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[str, dict[str, str], bytes]] = []
        self.status: int | None = 200
        self.url = ""
        self._waiting: list[tuple[int, Deferred[None]]] = []

    def render_POST(self, request: Any) -> Any:
        headers = {k.decode().lower(): v[0].decode() for k, v in request.requestHeaders.getAllRawHeaders()}
        self.taken.append((request.path.decode(), headers, request.content.read()))
        for count, waiting in self._waiting:
            if len(self.taken) >= count and not waiting.called:
                waiting.callback(None)
        if self.status is None:
            return NOT_DONE_YET
        request.setResponseCode(self.status)
        return b"x" * 100_000

    async def take(self, count: int) -> None:
        """Wait until so many came."""
        if len(self.taken) < count:
            waiting: Deferred[None] = Deferred()
            self._waiting.append((count, waiting))
            await waiting.addTimeout(HANGS, reactor)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """One on a free port, until the block ends."""
    made = Receiver()
    site = Site(made)
    site.noisy = False
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    made.url = f"http://127.0.0.1:{port.getHost().port}"
    try:
        yield made
    finally:
        await maybeDeferred(port.stopListening)
