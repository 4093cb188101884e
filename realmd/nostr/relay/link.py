"""One WebSocket link to a relay: frames in and out, within bounds.  It knows no event and no policy.

Autobahn's own timers, size limits and UTF-8 check are switched off: a stored event that is too
large or malformed would break the link each time it is sent, so it is passed over here instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final
from typing import Protocol as Interface

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ...host.network import cause_of
from ...primitives.bucket import Bucket, Rate
from .bounds import Bounds
from .messages import Garbage, Message, parse

#: Bytes of an HTTP answer to the handshake.
MOST_HEADER: Final = 16_384
#: Frames handled before others get their turn of the reactor.
AT_ONCE: Final = 64
#: Bytes of traffic that cost as much as a frame.
PER_FRAME: Final = 4096
MOST_CAUSE: Final = 200
#: While messages wait for their check, look again after (s).
RECHECK: Final = 0.02


class Ended(Exception):
    """The link is gone; the text says why."""


class Reader(Interface):
    """Who is told what comes over a link."""

    def message(self, link: Link, message: Message, size: int) -> None: ...
    def discarded(self, kind: str) -> None: ...
    def ping_took(self, seconds: float) -> None: ...
    def writable(self, link: Link) -> None: ...
    def full(self) -> bool: ...


class _Silence:
    """Autobahn's logger: of a link that failed, the client writes one line, and knows the cause."""

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


@implementer(IPushProducer)
class Link(WebSocketClientProtocol):
    """A connection from its first byte to its last.  `behind`: the relay does not read what we write."""

    log = _Silence()
    factory: LinkFactory
    transport: Any
    data: bytes
    state: int

    def __init__(self) -> None:
        super().__init__()
        self.up = self.gone = self.behind = False
        self.cause = ""
        self._open_waits: list[Deferred[None]] = []
        self._end_waits: list[Deferred[str]] = []
        self._too_long = False
        self._held: IDelayedCall | None = None
        self._timer: IDelayedCall | None = None
        self._pinged: float | None = None

    # -- for the client ------------------------------------------------------------------

    def when_open(self) -> Deferred[None]:
        """Fires when messages may be sent; fails with `Ended`."""
        waiting: Deferred[None] = Deferred()
        if self.up:
            waiting.callback(None)
        elif self.gone:
            waiting.errback(Ended(self.cause))
        else:
            self._open_waits.append(waiting)
        return waiting

    def when_ended(self) -> Deferred[str]:
        """Fires with the cause when the connection is gone."""
        waiting: Deferred[str] = Deferred()
        if self.gone:
            waiting.callback(self.cause)
        else:
            self._end_waits.append(waiting)
        return waiting

    def say(self, message: bytes) -> None:
        """Send one message; nothing once the link is closing."""
        if self.up:
            self.sendMessage(message)

    def close(self, patience: float) -> Deferred[str]:
        """Say goodbye, and hang up after `patience` s; fires as `when_ended`."""
        if not self.gone:
            if self.up:
                self.up = False
                self._clear_timer()
                self.sendClose(1000)
                self._timer = self.factory.clock.callLater(patience, self.drop, "no goodbye in time")
            else:
                self.drop("not needed any more")
        return self.when_ended()

    def drop(self, cause: str) -> None:
        """Hang up."""
        self.up = False
        self.cause = self.cause or cause
        self.transport.unregisterProducer()
        self.transport.abortConnection()

    # -- its life ------------------------------------------------------------------------

    def processHandshake(self) -> None:
        try:
            super().processHandshake()
        except (ValueError, LookupError, TypeError, AttributeError):  # what its parser leaves uncaught
            self.drop("unreadable handshake")

    def onOpen(self) -> None:
        self.up = True
        self.transport.registerProducer(self, True)
        self._timer = self.factory.clock.callLater(self.factory.bounds.ping_interval, self._ping)
        waits, self._open_waits = self._open_waits, []
        for waiting in waits:
            waiting.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.up = False
        self.gone = True
        self._clear_timer()
        if self._held is not None:
            self._held.cancel()
            self._held = None
        super().connectionLost(reason)
        self.cause = (self.cause or self._cause_of(reason))[:MOST_CAUSE]
        # They hold this link as their result.
        self.is_open = self.is_closed = None
        opening, self._open_waits = self._open_waits, []
        for open_wait in opening:
            open_wait.errback(Ended(self.cause))
        ending, self._end_waits = self._end_waits, []
        for end_wait in ending:
            end_wait.callback(self.cause)

    def onCloseFrame(self, code: Any, reasonRaw: Any) -> bool | None:
        refused: bool | None = super().onCloseFrame(code, reasonRaw)
        if self.up:  # it is the relay that hangs up; it has so long
            self.up = False
            self._clear_timer()
            self._timer = self.factory.clock.callLater(
                self.factory.bounds.closing, self.drop, "closed, and did not hang up"
            )
        return refused

    def _cause_of(self, reason: Failure) -> str:
        value = reason.value
        if value is not None and not isinstance(value, ConnectionDone | ConnectionLost | ConnectionAborted):
            return tls_cause(value)
        if self.remoteCloseCode is not None:
            return f"closed {self.remoteCloseCode} {self.remoteCloseReason or ''}".strip()
        return str(self.wasNotCleanReason or "hung up")

    def _clear_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    # -- pings ---------------------------------------------------------------------------

    def _ping(self) -> None:
        self._pinged = self.factory.clock.seconds()
        self.sendPing(b"realmd")
        self._timer = self.factory.clock.callLater(
            self.factory.bounds.ping_patience, self.drop, "ping not answered"
        )

    def onPong(self, payload: bytes) -> None:
        if self._pinged is None or not self.up:
            return
        self.factory.reader.ping_took(self.factory.clock.seconds() - self._pinged)
        self._pinged = None
        self._clear_timer()
        self._timer = self.factory.clock.callLater(self.factory.bounds.ping_interval, self._ping)

    def onPing(self, payload: bytes) -> None:
        """Who pings and does not read gets no pong: it would wait where nothing bounds it."""
        if not self.behind:
            super().onPing(payload)

    # -- as the producer of what we send -------------------------------------------------

    def pauseProducing(self) -> None:
        self.behind = True

    def resumeProducing(self) -> None:
        self.behind = False
        self.factory.reader.writable(self)

    def stopProducing(self) -> None:
        self.behind = True

    # -- what comes in -------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        self.factory.spend(len(data) / PER_FRAME)
        super().dataReceived(data)
        if self.state == self.STATE_CONNECTING and len(self.data) > MOST_HEADER:
            self.drop("handshake too long")

    def consumeData(self) -> None:
        """Read frames as fast as the relay is allowed to send them; the rest waits in the network."""
        if self.state not in (self.STATE_OPEN, self.STATE_CLOSING):
            super().consumeData()
            return
        if self._held is not None:
            return
        if self.factory.reader.full():
            self._hold(RECHECK)
            return
        more = True
        for _ in range(AT_ONCE):
            more = self.processData() and self.state != self.STATE_CLOSED
            if not more:
                break
            self.factory.spend(1)
        wait = self.factory.spend(1)
        if (more or wait) and self.state != self.STATE_CLOSED:
            self._hold(wait)

    def _hold(self, seconds: float) -> None:
        self.transport.pauseProducing()
        self._held = self.factory.clock.callLater(seconds, self._go_on)

    def _go_on(self) -> None:
        self._held = None
        self.transport.resumeProducing()
        self.consumeData()

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        if self.message_data_total_length > self.factory.bounds.message_bytes:
            self._too_long = True
            self.message_data.clear()

    def onMessageFrameData(self, payload: bytes) -> None:
        """Keep nothing of a message that is too long, however long it goes on, and no empty pieces."""
        if payload and not self._too_long:
            super().onMessageFrameData(payload)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if not self.up:
            return
        if self._too_long:
            self._too_long = False
            self.factory.reader.discarded("too_large")
            return
        try:
            if isBinary:
                raise Garbage("binary")
            message = parse(payload)
        except Garbage:
            self.factory.reader.discarded("garbage")
            return
        self.factory.reader.message(self, message, len(payload))


def tls_cause(error: BaseException) -> str:
    """What went wrong, in one line; OpenSSL's queue of faults by their last words."""
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        return "TLS: " + "; ".join(entry[-1] for entry in error.args[0])
    return cause_of(error)


class LinkFactory(WebSocketClientFactory):
    """Makes the one `Link` of one connection to `url`, and holds what it is bounded by."""

    protocol = Link  # type: ignore[assignment]
    noisy = False

    def __init__(self, clock: IReactorTime, url: str, bounds: Bounds, reader: Reader) -> None:
        super().__init__(url, useragent="realmd", reactor=clock)
        self.clock = clock
        self.bounds = bounds
        self.reader = reader
        #: What was read is paid for to the end: the relay waits that long.
        self._rate = Rate(bounds.frames, bounds.frames_burst, longest_debt=math.inf)
        self._allowance = Bucket(self._rate, clock.seconds())
        self.setProtocolOptions(
            utf8validateIncoming=False,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            serverConnectionDropTimeout=0,
            tcpNoDelay=True,
            failByDrop=True,
        )

    def spend(self, frames: float) -> float:
        """So many frames' worth has come; how long (s) until more may."""
        now = self.clock.seconds()
        self._allowance.owe(self._rate, frames, now)
        return self._allowance.debt(self._rate, now)
