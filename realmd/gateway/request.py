"""One HTTP request: bounded body, bounded time, JSON answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http

from ..primitives.errors import REFUSALS
from .budget import PIECE, Account, held_by
from .peers import Peer
from .stream import Stream, pieces
from .turns import Lane

if TYPE_CHECKING:
    from .http import Door, DoorFactory
    from .limits import Throttle

#: Before it is known who sends a request.
NOBODY: Final = Peer("", "")
#: Digits of a Content-Length; beyond, it is no number that Python reads.
MOST_DIGITS: Final = 18
JSON: Final = b"application/json; charset=utf-8"
#: About what the head of an answer takes (bytes).
HEAD: Final = 512


class Request(http.Request):
    """A request that its site's `Door` answers.

    A body over the door's limit is answered 413 as soon as that is known; nothing of it is kept.
    """

    channel: Channel
    #: The client has hung up; nothing can be answered any more.
    gone = False
    #: Bytes of the body.
    received = 0
    #: Who sends it, as the door found out.
    peer = NOBODY
    #: A proxy has said so: others may send their requests on the same connection.
    proxied = False

    def __init__(self, channel: Channel, queued: object = False) -> None:
        super().__init__(channel, queued, parsePOSTFormSubmission=False)

    @property
    def door(self) -> Door:
        door: Door = self.channel.factory.door
        return door

    def aim(self, target: bytes, host: bytes | None) -> None:
        """Let it be for `target` at `host`, as `head.resolve` has read them."""
        if target != self.uri:
            self.uri, self.path = target, target.partition(b"?")[0]
        if host is not None:
            self.requestHeaders.setRawHeaders(b"host", [host])

    def gotLength(self, length: int | None) -> None:
        if length is not None and length > self.door.body_bytes:
            self._too_large()
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        self.received += len(data)
        if self.received > self.door.body_bytes:
            self._too_large()
        else:
            super().handleContentChunk(data)

    def process(self) -> None:
        if not self.channel.refused:
            self.channel.answering()
            self.door.handle(self)

    def connectionLost(self, reason: Any) -> None:
        self.gone = True
        if self.producer is not None:
            self.producer.stopProducing()
            self.producer = None
        super().connectionLost(reason)

    def body(self) -> bytes:
        """The whole body."""
        assert self.content is not None
        body: bytes = self.content.read()
        return body

    def answer(self, fields: Any, status: int = http.OK) -> None:
        """Answer with `fields` as JSON, charged to the client if it is long; 503 if it is too long."""
        if self.gone:
            return
        body = msgspec.json.encode(fields)
        if self.peer is not NOBODY:
            self.channel.throttle.answered(self.peer, len(body), self.proxied)
        if len(body) > self.door.guard.budget.connection:
            code = "answer_too_long"
            body = msgspec.json.encode({"ok": False, "error": code, "code": code, "reason": REFUSALS[code]})
            status = http.SERVICE_UNAVAILABLE
        self.send(body, JSON, status)

    def send(self, body: bytes, content_type: bytes, status: int = http.OK) -> None:
        """Answer with `body`, in pieces if it is long; headers set before are kept."""
        if not self._head(len(body), content_type, status):
            return
        if len(body) > PIECE and self.method != b"HEAD":
            self.channel.account.hold(body)
            Stream(self, pieces(body), body).begin()
            return
        self.write(b"" if self.method == b"HEAD" else body)
        self.channel.account.copied(HEAD + len(body))
        self.finish()

    def stream(self, body: Iterator[bytes], size: int, content_type: bytes) -> None:
        """Answer with `size` bytes that are made as the client takes them."""
        if not self._head(size, content_type, http.OK):
            return
        if self.method == b"HEAD":
            self.write(b"")
            self.finish()
        else:
            Stream(self, body).begin()

    def _head(self, size: int, content_type: bytes, status: int) -> bool:
        """Set what stands above a body of `size` bytes; False if nothing can be answered any more."""
        if self.gone or self.finished:
            return False
        self.setResponseCode(status)
        headers = self.responseHeaders
        headers.setRawHeaders(b"content-type", [content_type])
        headers.setRawHeaders(b"content-length", [b"%d" % size])
        if status == 401:
            headers.setRawHeaders(b"www-authenticate", [b'Bearer realm="realmd"', b"Nostr"])
        for name, value in self.door.headers(self):
            headers.setRawHeaders(name, [value])
        return True

    def _too_large(self) -> None:
        limit = self.door.body_bytes
        self.channel.refuse(b"413 Content Too Large", f"Request body too large (limit {limit} bytes)", self)


class Channel(http.HTTPChannel):
    """An HTTP connection on which each request must be complete within the factory's time."""

    factory: DoorFactory
    transport: Any
    requestFactory = Request  # type: ignore[assignment]
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

    def speaks(self) -> bool:
        """See `budget.Holder`, with the next two."""
        return self.agent

    def in_transport(self) -> int:
        return held_by(self.transport)

    def evict(self) -> None:
        self.transport.abortConnection()

    def give_way(self) -> None:
        """Somebody needs the place."""
        self.transport.abortConnection()

    def refuse(self, status: bytes, text: str, request: http.Request | None = None) -> None:
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
            *self.factory.door.headers(request or next(iter(self.requests[-1:]), None)),
        ]  # fmt: skip
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, lines, body))
        self.transport.loseWriteConnection()
        self._arm()

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
