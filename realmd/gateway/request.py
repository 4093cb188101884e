"""One HTTP request: bounded body, bounded time, JSON answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http

if TYPE_CHECKING:
    from .http import Door, DoorFactory

JSON: Final = b"application/json; charset=utf-8"


class Request(http.Request):
    """A request that its site's `Door` answers.

    A body over the door's limit is answered 413 as soon as that is known, and the
    connection is closed; nothing of it is kept.
    """

    channel: Channel
    #: The client has hung up; nothing can be answered any more.
    gone = False
    _refused = False
    _received = 0

    def __init__(self, channel: Channel, queued: object = False) -> None:
        super().__init__(channel, queued, parsePOSTFormSubmission=False)

    @property
    def door(self) -> Door:
        door: Door = self.channel.factory.door
        return door

    def gotLength(self, length: int | None) -> None:
        if length is not None and length > self.door.body_bytes:
            self._refuse()
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self.door.body_bytes and not self._refused:
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def process(self) -> None:
        if not self._refused:
            self.channel.answering()
            self.door.handle(self)

    def connectionLost(self, reason: Any) -> None:
        self.gone = True
        super().connectionLost(reason)

    def body(self) -> bytes:
        """The whole body."""
        assert self.content is not None
        body: bytes = self.content.read()
        return body

    def answer(self, fields: Any, status: int = http.OK) -> None:
        """Answer with `fields` as JSON."""
        self.send(msgspec.json.encode(fields), JSON, status)

    def send(self, body: bytes, content_type: bytes, status: int = http.OK) -> None:
        """Answer with `body`; headers set before are kept."""
        if self.gone or self.finished:
            return
        self.setResponseCode(status)
        headers = self.responseHeaders
        headers.setRawHeaders(b"content-type", [content_type])
        headers.setRawHeaders(b"content-length", [b"%d" % len(body)])
        for name, value in self.door.headers(self):
            headers.setRawHeaders(name, [value])
        self.write(b"" if self.method == b"HEAD" else body)
        self.finish()

    def _refuse(self) -> None:
        self._refused = True
        text = msgspec.json.encode({"error": f"Request body too large (limit {self.door.body_bytes} bytes)"})
        self.channel.transport.writeSequence(
            [
                b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Type: ",
                JSON,
                b"\r\nContent-Length: %d\r\n\r\n" % len(text),
                text,
            ]
        )
        self.channel.loseConnection()


class Channel(http.HTTPChannel):
    """An HTTP connection on which each request must be complete within the factory's time."""

    factory: DoorFactory
    transport: Any
    requestFactory = Request  # type: ignore[assignment]
    totalHeadersSize = 16_384
    maxHeaders = 100
    _deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.opened()
        self._arm()

    def dataReceived(self, data: bytes) -> None:
        if self._deadline is None and not self.requests:
            self._arm()
        super().dataReceived(data)

    def answering(self) -> None:
        """The request is complete: from now on the time is ours."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.answering()
        super().connectionLost(reason)
        self.factory.closed()

    def _arm(self) -> None:
        self._deadline = self.callLater(self.factory.request_timeout, self._late)

    def _late(self) -> None:
        self._deadline = None
        self.factory.late(self)
        self.transport.abortConnection()
