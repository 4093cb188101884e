"""HTTP/1.1 as twisted.web reads it: bounded in size and time, a turn after the other.

What a request means is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http

from ..host.network import Losses
from .account import Account, held_by
from .crowd import Crowd
from .guard import Guard
from .head import Head
from .limits import Throttle
from .request import JSON, Request, Site
from .turns import Lane

#: Digits of a Content-Length; beyond, it is no number that Python reads.
MOST_DIGITS: Final = 18


class Answering(Site, Protocol):
    """What answers requests."""

    body_bytes: int
    guard: Guard

    def handle(self, request: Request) -> None:
        """Answer `request`, whatever it is."""


class Listener(Protocol):
    """What a connection needs of the listening side."""

    door: Answering
    crowd: Crowd
    losses: Losses
    request_timeout: float
    #: Connections that are still HTTP.
    channels: set[Channel]

    def opened(self, channel: Channel) -> None:
        """A connection that may send its first request."""

    def closed(self, address: IAddress) -> None:
        """A connection from `address` ended, as HTTP or as the WebSocket that it became."""

    def late(self, channel: Channel) -> None:
        """A request was not complete in time."""


class Exchange(http.Request):
    """Reads a request for the door, and is the way back for its answer.

    A body over the door's limit is answered 413 as soon as that is known; nothing of it is kept.
    """

    channel: Channel
    #: The client has hung up.
    _lost = False
    #: Bytes of the body.
    _received = 0

    def __init__(self, channel: Channel, queued: object = False) -> None:
        super().__init__(channel, queued, parsePOSTFormSubmission=False)

    def gotLength(self, length: int | None) -> None:
        if length is not None and length > self.channel.factory.door.body_bytes:
            self._too_large()
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self.channel.factory.door.body_bytes:
            self._too_large()
        else:
            super().handleContentChunk(data)

    def _too_large(self) -> None:
        limit = self.channel.factory.door.body_bytes
        self.channel.refuse(
            b"413 Content Too Large", f"Request body too large (limit {limit} bytes)", self.head()
        )

    def head(self) -> Head:
        """What has been read of it; the first line only when all has."""
        headers = {name.lower(): values for name, values in self.requestHeaders.getAllRawHeaders()}
        return Head(self.method, self.uri, self.clientproto, headers)

    def process(self) -> None:
        channel = self.channel
        if not channel.refused:
            channel.answering()
            assert self.content is not None
            door = channel.factory.door
            door.handle(Request(self.head(), self.content.read, channel, self, door))

    @property
    def gone(self) -> bool:
        """See `stream.Way`, with the next two."""
        return self._lost or bool(self.finished)

    def begin(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.setResponseCode(status)
        for name, value in headers:
            self.responseHeaders.addRawHeader(name, value)

    def progress(self, done: bool) -> None:
        self.channel.progress(done)

    def connectionLost(self, reason: Any) -> None:
        self._lost = True
        if self.producer is not None:
            self.producer.stopProducing()
            self.producer = None
        super().connectionLost(reason)


class Channel(http.HTTPChannel):
    """An HTTP connection on which each request must be complete within the factory's time."""

    factory: Listener
    transport: Any
    requestFactory = Exchange  # type: ignore[assignment]
    totalHeadersSize = 16_384
    maxHeaders = 100
    #: The last answer has been given; whatever still comes is thrown away.
    refused = False
    _deadline: IDelayedCall | None = None
    _answering = False

    throttle: Throttle
    #: What is in flight to it.
    account: Account
    #: Who asks has shown that he is an agent.
    agent = False
    #: Requests that wait for their turn, or until the client has taken the answers before.
    lane: Lane
    #: It takes no more just now.
    _clogged = False

    def connectionMade(self) -> None:
        super().connectionMade()
        guard = self.factory.door.guard
        self.throttle = guard.rates.throttle()
        self.account = guard.budget.open(self)
        self.lane = self._networkProducer = Lane(guard.turns, self._networkProducer, self._parse, self._ready)
        self.factory.opened(self)
        self._arm()

    def dataReceived(self, data: bytes) -> None:
        self.lane.take(data)

    def setLineMode(self, extra: bytes = b"") -> None:
        """`extra` was taken from the lane already."""
        self.line_mode = 1
        if extra:
            self._parse(extra)

    def _ready(self) -> bool:
        return self.refused or not (self._handlingRequest or self._clogged)

    @property
    def paused(self) -> bool:  # type: ignore[override]
        """Asked for after each line: whether the rest has to wait."""
        return self._clogged or self.lane.over

    def pauseProducing(self) -> None:
        """The client takes no more answers: no more are made, of what it has asked for already, either."""
        self._clogged = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self._clogged = False
        super().resumeProducing()
        self.lane.go_on()

    def _parse(self, data: bytes) -> None:
        self._read(data)
        if self._buffer and self.paused:
            self.lane.unread(self.clearLineBuffer())

    def _read(self, data: bytes) -> None:
        if self.refused:
            return
        if not self._answering:
            self._arm()
        super().dataReceived(data)
        if self.requests and not self._answering:  # the beginning of the next one came along
            self._arm()

    def headerReceived(self, line: bytes) -> bool:
        name, _, value = line.partition(b":")
        if self._ambiguous(name.lower(), value.strip()):
            self._respondToBadRequestAndDisconnect()
            return False
        good: bool = super().headerReceived(line)
        return good

    def _ambiguous(self, name: bytes, value: bytes) -> bool:
        """Whether a proxy before us may read this header in another way (RFC 9112, 3.2, 6.1 and 6.3)."""
        if name == b"content-length":
            return len(value) > MOST_DIGITS
        if name == b"transfer-encoding":
            return value.lower() != b"chunked"
        return name == b"host" and self.requests[-1].requestHeaders.hasHeader(b"host")

    def answering(self) -> None:
        """The request is complete: from now on the time is ours."""
        self._answering = True
        self.factory.crowd.busy(self)
        self._disarm()

    def requestDone(self, request: http.Request) -> None:
        self._answering = False
        self.factory.crowd.waits(self)
        super().requestDone(request)
        if not self.persistent:
            self._arm(self.timeOut)  # a reader that takes nothing keeps the connection from closing
        self.lane.go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._disarm()
        self.lane.forget()
        super().connectionLost(reason)
        self.leave()
        self.factory.losses.ended(reason, self.getPeer().host)
        self.factory.closed(self.getPeer())

    def leave(self) -> None:
        """From now on this is no HTTP connection any more."""
        self.account.close()
        self.factory.channels.discard(self)
        self.factory.crowd.busy(self)

    def progress(self, done: bool = False) -> None:
        """The client takes what it is sent, a piece at a time; it has the idle time for each."""
        self._disarm()
        if not done:
            self._arm(self.timeOut or self._savedTimeOut)

    def timeoutConnection(self) -> None:
        """Nothing has come for too long; Twisted would write two lines of log for each."""
        if self.in_transport():  # nor does the client take anything
            self._late()
        else:
            self.loseConnection()

    def finish(self) -> None:
        """Close once what was answered is sent."""
        if self._requestProducer is not None:
            self.persistent = False
        else:
            self.loseConnection()

    @property
    def address(self) -> Any:
        """See `request.Line`, with the next three."""
        return self.getPeer()

    @property
    def secure(self) -> bool:
        return bool(self.isSecure())

    def close_after(self) -> None:
        self.persistent = False

    def hand_over(self) -> Any:
        transport, lane = self.transport, self.lane
        self.leave()
        lane.unread(self.clearLineBuffer())  # what came with the handshake
        transport.unregisterProducer()
        self.requests.clear()  # the two hold each other
        self.transport = None
        return transport

    def speaks(self) -> bool:
        """See `account.Holder`, with the next two."""
        return self.agent

    def in_transport(self) -> int:
        return held_by(self.transport)

    def evict(self) -> None:
        self.transport.abortConnection()

    def give_way(self) -> None:
        """Somebody needs the place."""
        self.transport.abortConnection()

    def refuse(self, status: bytes, text: str, head: Head | None = None) -> None:
        """Answer what cannot be read to its end, and close.

        Closing at once would reset the connection under a client that is still sending, and
        take the answer away from it: only our side is closed, until the deadline.
        """
        if self.refused:
            return
        self.refused = True
        self.factory.door.guard.offences.note("http", "http", str(getattr(self.getPeer(), "host", "unix")))
        body = msgspec.json.encode({"error": text})
        headers = [
            (b"connection", b"close"), (b"content-type", JSON), (b"content-length", b"%d" % len(body)),
            *self.factory.door.headers(head or self._head(), self.secure),
        ]  # fmt: skip
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, lines, body))
        self.transport.loseWriteConnection()
        self._arm()

    def _head(self) -> Head | None:
        """What has been read of the newest request."""
        return self.requests[-1].head() if self.requests else None

    def lineLengthExceeded(self, line: bytes) -> None:
        """A header or the request line has no end."""
        self._respondToBadRequestAndDisconnect()

    def lineReceived(self, line: bytes) -> None:
        if line[:1] in (b" ", b"\t"):  # a folded header, which not everybody unfolds (RFC 9112, 5.2)
            self._respondToBadRequestAndDisconnect()
        if not self.refused:
            super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        if not self.refused:
            super().rawDataReceived(data)

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(b"400 Bad Request", "Malformed HTTP request")

    def _send100Continue(self) -> None:
        if not self.refused:
            super()._send100Continue()

    def _arm(self, after: float | None = None) -> None:
        if self._deadline is None:
            self._deadline = self.callLater(after or self.factory.request_timeout, self._late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            if self._deadline.active():
                self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._disarm()
        self.factory.late(self)
        self.transport.abortConnection()
