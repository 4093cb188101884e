"""What a WebSocket client sends, read within bounds: all has its price, what is too long is passed over."""

from __future__ import annotations

from typing import Any, Final, Protocol

from autobahn.twisted.websocket import WebSocketServerProtocol
from msgspec import Struct
from twisted.logger import Logger

from ..settings.server import Server
from .limits import PIECE, Refusal, Throttle
from .offences import Offences
from .peers import Peer
from .turns import Lane

POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009
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
    #: For a handshake, the opening and the closing one; between pings, and for the answer to one.
    handshake: float
    ping_interval: float
    ping_timeout: float

    @property
    def wire_bytes(self) -> int:
        """What a message may have on the wire, all its frames together."""
        return PASSED_OVER * self.message_bytes

    @classmethod
    def of(cls, server: Server) -> Bounds:
        """Those that the settings say."""
        return cls(
            server.message_bytes, server.outbox_bytes, server.outbox_patience_s, server.compression,
            server.handshake_timeout_s, server.ping_interval_s, server.ping_timeout_s,
        )  # fmt: skip


class Reading(Protocol):
    """What reading needs of the gateway."""

    bounds: Bounds
    offences: Offences


class Frames(WebSocketServerProtocol):
    """What Autobahn leaves open about reading, closed."""

    logger = Logger(namespace="realmd.gateway.websocket")
    factory: Reading
    transport: Any
    _isMessageCompressed: bool
    #: Who is at the other end, and what of his share is left.
    client: Peer
    throttle: Throttle
    #: Messages that wait for their turn; None until the handshake is done.
    lane: Lane | None = None
    #: The message that is coming in is longer than it may be.
    too_long = False
    #: It comes too fast: it is read, and not obeyed.
    too_fast: Refusal | None = None
    #: The control frame that is coming in does.
    deaf = False
    #: The newest ping that is not answered, and when it went out.
    pinged: tuple[bytes | None, float] | None = None
    #: Bytes that the frames of the message that is coming in have announced, and those of the frame
    #: that have come and are not charged yet.
    _announced = _unpaid = 0
    #: Bytes that came after we had said goodbye.
    _late = 0
    #: Nothing more is read.
    _ended = False

    def say_goodbye(self, code: int, reason: str) -> None:
        """Start the closing handshake; `sendClose` leaves the codes below 3000 to Autobahn itself."""
        self.sendCloseFrame(code, reason.encode())

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
        self.deaf = False
        if self.state != self.STATE_OPEN or frame.opcode == CLOSE_FRAME:
            return
        if frame.opcode == PONG_FRAME and self.pinged is not None:  # it was asked for
            return
        refusal = self.throttle.admit(self.client, "websocket")
        if refusal is None:
            return
        if control:
            self.deaf = True
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
            self.factory.offences.note("message", "websocket", self.client.address)
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
            self.factory.offences.note("message", "websocket", self.client.address)
        self._pass_over()

    def _pass_over(self) -> None:
        """Neither keep, inflate nor look at what is still to come of this message."""
        self.too_long = True
        self._isMessageCompressed = False
        self.utf8validateIncomingCurrentMessage = False
        self.message_data.clear()
        if self.frame_data:
            self.frame_data.clear()
