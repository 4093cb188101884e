"""One WebSocket connection below its messages: the outbox, pings, an orderly end; `frames` reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol

from msgspec import Struct
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.web.http import RESPONSES

from ..host.network import Losses, Sparing
from ..primitives.errors import REFUSALS
from ..protocol import encode
from ..world.caller import Caller
from .account import Account, held_by
from .frames import Frames, Reading
from .limits import Throttle
from .outbox import Outbox
from .peers import Peer
from .policy import every_answer
from .request import JSON
from .turns import Lane

TRY_AGAIN_LATER: Final = 1013


class Site(Reading, Protocol):
    """What a connection needs of the gateway beside that."""

    clock: IReactorTime
    #: What Autobahn is to know of each connection.
    options: dict[str, Any]
    losses: Losses
    overflows: Sparing
    overflowed: int

    def lost(self, address: IAddress) -> None:
        """A connection from `address` (of the transport) is gone."""

    def on_pong(self, seconds: float) -> None:
        """A client took so long to answer a ping."""


class Arrival(Struct, frozen=True):
    """Whose handshake is under way; `proxied`: his connection was not counted as his."""

    caller: Caller
    peer: Peer
    throttle: Throttle
    proxied: bool
    lane: Lane


class Wire(Frames):
    """What Autobahn leaves open about a connection, closed."""

    factory: Site
    closeHandshakeTimeout: float
    #: Set when the handshake is done; Autobahn writes by itself until then.
    outbox: Outbox = None  # type: ignore[assignment]
    #: What is in flight to it; made with the outbox.
    account: Account
    _abort: IDelayedCall | None = None

    #: Autobahn would take each from the factory, and write them all down for a log: a quarter of a handshake.
    CONFIG_ATTRS: list[str] = []  # noqa: RUF012  # as Autobahn has it

    def _connectionMade(self) -> None:
        self.__dict__.update(self.factory.options)
        super()._connectionMade()

    def connectionLost(self, reason: Any = None) -> None:
        super().connectionLost(reason)
        if self.closeHandshakeTimeoutCall is not None:  # Autobahn leaves this one
            self.closeHandshakeTimeoutCall.cancel()
            self.closeHandshakeTimeoutCall = None
        if self._abort is not None and self._abort.active():
            self._abort.cancel()
        if self.outbox is not None:
            self.outbox.forget()
            del self.deliver
        # They hold us as their result: no cycle is left for the garbage collector.
        self.is_open = self.is_closed = None
        if self.lane is not None:
            self.lane.forget()
        self.factory.losses.ended(reason, self.whereabouts())
        self.factory.lost(self.transport.getPeer())

    def deliver(self, whole: bytes, durable: bytes) -> None:
        """See `runtime.fanout.Viewer`."""
        self.outbox.deliver(whole, durable)

    @property
    def behind(self) -> bool:
        """See `runtime.fanout.Viewer`."""
        return self.outbox.behind

    def tell(self, kind: str, /, **fields: Any) -> None:
        """Send one message to this client alone; if it is too long to be sent, that."""
        frame = encode.message(kind, **fields)
        self.throttle.answered(self.client, len(frame))
        if len(frame) > self.factory.bounds.outbox_bytes:
            code, reason = "answer_too_long", REFUSALS["answer_too_long"]
            if kind == "ack":
                frame = encode.message(
                    kind, id=fields["id"], ok=False, error=code, code=code, reason=reason
                )  # fmt: skip
            else:
                frame = encode.message("error", message=reason, code=code)
        self.outbox.deliver(frame, frame)

    def sendHttpErrorResponse(
        self, code: int, reason: str, responseHeaders: Iterable[tuple[str, str]] | None = None
    ) -> None:
        """A handshake is refused as every request is; Autobahn would say it in the status line, with
        whatever the client sent, and without a length.
        """
        body = encode.encode({"error": reason})
        headers = [
            (b"connection", b"close"), (b"content-type", JSON), (b"content-length", b"%d" % len(body)),
            *((name.encode(), value.encode()) for name, value in responseHeaders or ()), *every_answer(),
        ]  # fmt: skip
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        status = RESPONSES.get(code, b"Bad Request")
        self.sendData(b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (code, status, lines, body))

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Autobahn's own frames take their turn with ours."""
        if self.outbox is None:
            super().sendData(data, sync, chopsize)
        else:
            self.outbox.control(data)

    def _closeConnection(self, abort: bool = False) -> None:
        if self.outbox is not None:
            self.transport.unregisterProducer()  # else it would wait for more from us
        super()._closeConnection(abort)
        if not abort:  # a reader that takes nothing would keep it from closing
            self._abort = self.factory.clock.callLater(
                self.closeHandshakeTimeout, self.transport.abortConnection
            )

    # -- alive -------------------------------------------------------------------------

    def onPing(self, payload: bytes) -> None:
        """Who pings and does not read gets no pong: it would wait where nothing bounds it."""
        if not (self.outbox.behind or self.deaf):
            super().onPing(payload)

    def sendPing(self, payload: bytes | None = None) -> None:
        self.pinged = payload, self.factory.clock.seconds()
        super().sendPing(payload)

    def onPong(self, payload: bytes) -> None:
        """Autobahn measures too, but forgets its ping as soon as anything else comes in."""
        if self.pinged is not None and payload == self.pinged[0]:
            self.factory.on_pong(max(0.0, self.factory.clock.seconds() - self.pinged[1]))
            self.pinged = None

    def onAutoPingTimeout(self) -> None:
        self.factory.losses.timed_out(self.whereabouts())
        super().onAutoPingTimeout()

    def whereabouts(self) -> str:
        """The client's address, or while it is not known the other end's; fail2ban reads it."""
        known: Peer | None = getattr(self, "client", None)
        if known is not None:
            return known.address
        return str(getattr(self.transport.getPeer(), "host", self.peer))

    # -- ending ------------------------------------------------------------------------

    def in_transport(self) -> int:
        """See `account.Holder`."""
        return held_by(self.transport)

    def evict(self) -> None:
        """See `account.Holder`.  Who does not read would not read a close frame either."""
        self.outbox.stopProducing()
        self.left()
        self.transport.abortConnection()

    def give_way(self) -> None:
        """See `crowd.Watcher`."""
        self.say_goodbye(TRY_AGAIN_LATER, "the place is needed for an agent")
        self._closeConnection()

    def overflow(self, reason: str) -> None:
        self.factory.overflowed += 1
        self.factory.overflows.warn(
            "buffer overflow door=websocket peer={peer} reason={reason}",
            peer=self.client.address, reason=reason,
        )  # fmt: skip
        self.say_goodbye(TRY_AGAIN_LATER, reason)

    def _fail_connection(self, code: int = 1001, reason: str = "going away") -> None:
        """The client broke the protocol."""
        if self.state == self.STATE_OPEN:
            self.factory.offences.note("frames", "websocket", self.client.address)
        super()._fail_connection(code, reason)

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False
    ) -> None:
        """Nothing follows a close frame, whoever began (RFC 6455, section 5.5.1)."""
        if self.state == self.STATE_OPEN:
            super().sendCloseFrame(code, reasonUtf8, isReply)
            self.outbox.stopProducing()
            self.left()

    def left(self) -> None:
        """Nothing more is to be delivered here."""
