"""One WebSocket connection below its messages: bounded reading, the outbox, an orderly end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from msgspec import Struct
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.web.http import RESPONSES

from ..primitives.errors import REFUSALS
from ..protocol import encode
from ..protocol.dialects import WINDOW_BITS
from ..settings.server import Server
from .budget import Account, held_by
from .limits import PIECE, Refusal, Throttle
from .outbox import Outbox
from .peers import Peer
from .policy import every_answer
from .request import JSON
from .turns import Lane

if TYPE_CHECKING:
    from .websocket import Gateway

POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009
TRY_AGAIN_LATER: Final = 1013
CLOSE_FRAME: Final = 8
PONG_FRAME: Final = 10
#: A message that is too long, but no more than so many times, is passed over and answered, because the
#: old server passed such messages over.  What claims to be longer is refused by what it claims.
PASSED_OVER: Final = 4


class Bounds(Struct, frozen=True):
    """What one connection may use (bytes, s)."""

    message_bytes: int
    outbox_bytes: int
    outbox_patience: float
    compression: bool

    @property
    def wire_bytes(self) -> int:
        """What a message may have on the wire, all its frames together."""
        return PASSED_OVER * self.message_bytes

    @classmethod
    def of(cls, server: Server) -> Bounds:
        """Those that the settings say."""
        return cls(server.message_bytes, server.outbox_bytes, server.outbox_patience_s, server.compression)


class Deflate(PerMessageDeflateOfferAccept):
    """An accepted offer that says, even if it was not asked, that each message stands alone."""

    def get_extension_string(self) -> str:
        extension: str = super().get_extension_string()
        told = "server_no_context_takeover"
        return extension if told in extension else f"{extension}; {told}"


def accept_deflate(offers: list[PerMessageDeflateOffer], limit: int) -> PerMessageDeflateOfferAccept | None:
    """permessage-deflate without context take-over, or nothing; messages of at most `limit` bytes."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            # A window smaller than ours would have to be kept for this client alone.
            if 0 < offer.request_max_window_bits < WINDOW_BITS:
                continue
            accepted = Deflate(offer, max_message_size=limit)
            # The client's messages stand alone, too: one that is too long can be passed over.
            # It need not have offered that (RFC 7692, 7.1.1.2), though Autobahn thinks so.
            accepted.request_no_context_takeover = True
            return accepted
    return None


class Wire(WebSocketServerProtocol):
    """What Autobahn leaves open about a connection, closed."""

    logger = Logger(namespace="realmd.gateway.websocket")
    factory: Gateway
    transport: Any
    closeHandshakeTimeout: float
    _isMessageCompressed: bool
    #: Set when the handshake is done; Autobahn writes by itself until then.
    outbox: Outbox = None  # type: ignore[assignment]
    #: Who is at the other end, and what of his share is left.
    client: Peer
    throttle: Throttle
    #: What is in flight to it; made with the outbox.
    account: Account
    #: Messages that wait for their turn; None until the handshake is done.
    lane: Lane | None = None
    #: The message that is coming in is longer than it may be.
    too_long = False
    #: It comes too fast: it is read, and not obeyed.
    too_fast: Refusal | None = None
    #: The control frame that is coming in does.
    _deaf = False
    #: Bytes that the frames of the message that is coming in have announced, and those of the frame
    #: that have come and are not charged yet.
    _announced = _unpaid = 0
    #: Bytes that came after we had said goodbye.
    _late = 0
    #: Nothing more is read.
    _ended = False
    #: The newest ping that is not answered, and when it went out.
    _pinged: tuple[bytes | None, float] | None = None
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
            *((name.encode(), value.encode()) for name, value in responseHeaders or ()), *every_answer(None),
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

    # -- incoming ----------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Without Autobahn's remarks for debugging, which cost as much as a message."""
        if self.lane is None:
            self._dataReceived(data)
            return
        if self._ended:
            return
        if self.state != self.STATE_OPEN:  # only the other's goodbye is waited for
            self._late += len(data)
            if self._late > self.factory.bounds.wire_bytes:
                self._stop_reading()
        self.lane.take(data)

    def _stop_reading(self) -> None:
        """Neither look at what has come nor read what still comes."""
        self._ended = True
        assert self.lane is not None
        self.lane.close()

    def processData(self) -> bool:
        """Of a flood, not even what has arrived already is looked at."""
        going_on: bool = super().processData()
        if self._ended:
            self.data = b""
            return False
        if going_on and self.lane is not None and (self.lane.over or not self.lane.ready()):
            self.lane.unread(self.data)
            self.data = b""
            return False
        return going_on

    def onFrameBegin(self) -> None:
        """Each frame costs one; what it holds is charged as it comes, not by what the frame claims.

        A frame that makes its message longer than may be on the wire is refused by its header (1009).
        """
        frame = self.current_frame
        control = frame.opcode >= CLOSE_FRAME
        if not control:
            self._announced = frame.length + (self._announced if self.inside_message else 0)
            self._unpaid = 0
            if self._announced > self.factory.bounds.wire_bytes:
                self._refuse_frame()
                return
        super().onFrameBegin()
        self._deaf = False
        if self.state != self.STATE_OPEN or frame.opcode == CLOSE_FRAME:
            return
        if frame.opcode == PONG_FRAME and self._pinged is not None:  # it was asked for
            return
        refusal = self.throttle.admit(self.client, "websocket")
        if refusal is None:
            return
        if control:
            self._deaf = True
        else:
            self.too_fast = refusal
            if self.message_data_total_length > PIECE:  # shorter ones are looked at for their `id`
                self._pass_over()
        if self.throttle.flooding:
            self.say_goodbye(POLICY_VIOLATION, refusal.text)
            self._stop_reading()

    def _refuse_frame(self) -> None:
        """It is longer than anything that is even passed over; where it would end is not waited for."""
        if self.state == self.STATE_OPEN:
            self.factory.guard.offences.note("message", "websocket", self.client.address)
            most = self.factory.bounds.message_bytes
            self.say_goodbye(TOO_BIG, f"Message too large (limit {most} bytes)")
        self._stop_reading()

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        if self.message_data_total_length > self.factory.bounds.message_bytes:
            self._exceeds()

    def onFrameData(self, payload: bytes) -> bool | None:
        if self.state == self.STATE_OPEN and self.too_fast is None:
            self._charge(len(payload))
        going_on: bool | None = super().onFrameData(payload)
        return None if self.too_long else going_on

    def _charge(self, size: int) -> None:
        """So many bytes of a frame have come: each piece costs one, there to be taken or not."""
        pieces, self._unpaid = divmod(self._unpaid + size, PIECE)
        if pieces:
            self.throttle.owe(self.client, pieces)

    def onMessageFrameData(self, payload: bytes) -> None:
        """Keep nothing of a message that is too long, however long it goes on, and no empty pieces."""
        if payload and not self.too_long:
            super().onMessageFrameData(payload)

    def _max_message_size_exceeded(self, msg_size: int, max_msg_size: int, reason: str) -> None:
        """A message that was small on the wire is too long when inflated; Autobahn would hang up."""
        self._exceeds()

    def _exceeds(self) -> None:
        if not self.too_long:
            self.factory.guard.offences.note("message", "websocket", self.client.address)
        self._pass_over()

    def _pass_over(self) -> None:
        """Neither keep, inflate nor look at what is still to come of this message."""
        self.too_long = True
        self._isMessageCompressed = False
        self.utf8validateIncomingCurrentMessage = False
        self.message_data.clear()
        if self.frame_data:
            self.frame_data.clear()

    def onPing(self, payload: bytes) -> None:
        """Who pings and does not read gets no pong: it would wait where nothing bounds it."""
        if not (self.outbox.behind or self._deaf):
            super().onPing(payload)

    def sendPing(self, payload: bytes | None = None) -> None:
        self._pinged = payload, self.factory.clock.seconds()
        super().sendPing(payload)

    def onPong(self, payload: bytes) -> None:
        """Autobahn measures too, but forgets its ping as soon as anything else comes in."""
        if self._pinged is not None and payload == self._pinged[0]:
            self.factory.on_pong(max(0.0, self.factory.clock.seconds() - self._pinged[1]))
            self._pinged = None

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
        """See `budget.Holder`."""
        return held_by(self.transport)

    def evict(self) -> None:
        """See `budget.Holder`.  Who does not read would not read a close frame either."""
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
            self.factory.guard.offences.note("frames", "websocket", self.client.address)
        super()._fail_connection(code, reason)

    def say_goodbye(self, code: int, reason: str) -> None:
        """Start the closing handshake; `sendClose` leaves the codes below 3000 to Autobahn itself."""
        self.sendCloseFrame(code, reason.encode())

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
