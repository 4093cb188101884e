"""The WebSockets of a run: those that only count, those that read along, and those that are agents."""

from __future__ import annotations

import re
import time
import zlib
from collections import Counter
from typing import Any, Final

import msgspec
from msgspec import Struct
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from .keepalive import Site
from .ledger import Ledger

DEFLATE: Final = {
    "Sec-WebSocket-Extensions": "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
}
BATCH: Final = {"Sec-WebSocket-Protocol": "realm.batch.1"}
_CLOSE, _TEXT = WSMsgType.CLOSE, WSMsgType.TEXT
#: What stands at the end of a compressed message, and is not sent (RFC 7692, section 7.2.2).
_TAIL: Final = b"\x00\x00\xff\xff"
#: The usual start of the news; a server that orders its keys otherwise is only slower to drive.
_NEWS: Final = b'{"type":"world"'
_REASON: Final = re.compile(r"[^A-Za-z0-9_ -]")


class Message(Struct):
    """What is read of a ``world`` message."""

    worldType: str = ""
    agentId: str = ""
    x: float = 0.0
    z: float = 0.0


class Envelope(Struct):
    """A message from the server: news under `message`, or for a ``type`` of ``error`` its text."""

    type: str = ""
    message: Message | str | None = None
    #: Of a ``tick``, what realmd sends who offers its sub-protocol `BATCH`.
    messages: list[Message] = []


decode = msgspec.json.Decoder(Envelope, strict=False).decode


class Tally:
    """What all sockets of a run have met together."""

    def __init__(self) -> None:
        self.closes: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        #: The run is ending: what closes now was meant to.
        self.ending = False


class Socket(WSListener):
    """Counts the frames and bytes it gets; bytes as on the wire, with the frames' heads."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.frames = self.bytes = 0
        self.transport: WSTransport | None = None
        self.leaving = False
        self.compressed = False
        self.kept_context = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        agreed = ",".join(transport.response.headers.getall("Sec-WebSocket-Extensions", []))
        self.compressed = "permessage-deflate" in agreed
        self.kept_context = "server_no_context_takeover" not in agreed

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Called some 100,000 times a second: nothing here that can be done elsewhere."""
        size = frame.payload_size
        self.frames += 1
        if size > 125:
            self.bytes += size + (4 if size < 65536 else 10)
        else:
            self.bytes += size + 2
            if frame.msg_type is _CLOSE:  # a control frame is never longer
                transport.send_close(frame.get_close_code() or WSCloseCode.OK)
                transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.transport = None
        if not self.leaving and not self.tally.ending:
            self.tally.closes[_why(transport)] += 1

    def send(self, **fields: Any) -> int:
        """Send a message; returns its size on the wire, 0 if the socket is closed."""
        if self.transport is None:
            return 0
        payload = msgspec.json.encode(fields)
        self.transport.send(_TEXT, payload)
        return len(payload) + (6 if len(payload) < 126 else 8)

    def leave(self) -> None:
        self.leaving = True
        if self.transport is not None:
            self.transport.send_close(WSCloseCode.OK)
            self.transport.disconnect()


class Sampler(Socket):
    """Reads what it gets, and tells the ledger of every position."""

    def __init__(self, tally: Tally, ledger: Ledger) -> None:
        super().__init__(tally)
        self._ledger = ledger
        self._last: dict[str, int] = {}
        self._parts = b""
        self._deflated = False
        self._inflate = zlib.decompressobj(-15)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        super().on_ws_frame(transport, frame)
        if frame.msg_type is not _TEXT and frame.msg_type is not WSMsgType.CONTINUATION:
            return
        now = time.perf_counter()
        payload = frame.get_payload_as_bytes()
        self._deflated |= frame.rsv1
        if not frame.fin or self._parts:
            self._parts += payload
            payload = self._parts
        if not frame.fin:
            return
        deflated, self._deflated, self._parts = self._deflated, False, b""
        self.heard(self._inflated(payload) if deflated else payload, now)

    def heard(self, payload: bytes, now: float) -> None:
        """A whole message, as JSON."""
        try:
            envelope = decode(payload)
        except msgspec.DecodeError:  # not of the classic protocol
            return
        news = envelope.message
        if envelope.type == "error" and isinstance(news, str):
            self.tally.refused[news[:60]] += 1
        for each in (news, *envelope.messages):
            if isinstance(each, Message) and each.worldType == "position":
                self._ledger.see(self._last, each.agentId, each.x, each.z, now)

    def _inflated(self, payload: bytes) -> bytes:
        if not self.kept_context:
            self._inflate = zlib.decompressobj(-15)
        return self._inflate.decompress(payload + _TAIL)


class Speaker(Socket):
    """An agent's socket that is not sampled: of what it gets, only errors are read."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        super().on_ws_frame(transport, frame)
        if frame.payload_size < 1024 and bytes(frame.get_payload_as_memoryview()[:15]) != _NEWS:
            try:
                envelope = decode(frame.get_payload_as_bytes())
            except msgspec.DecodeError:  # a pong, or compressed
                return
            if envelope.type == "error":
                self.tally.refused[str(envelope.message)[:60]] += 1


async def connect(
    socket: Socket,
    site: Site,
    query: str = "",
    headers: dict[str, str] | None = None,
    source: str | None = None,
) -> None:
    """Open `socket`, from the address `source`; raises OSError, TimeoutError or picows' WSError."""
    options: dict[str, Any] = {"local_addr": (source, 0)} if source else {}
    await ws_connect(
        lambda: socket,
        site.websocket + query,
        extra_headers=headers,
        websocket_handshake_timeout=15,
        # The run's many sockets get little each: a small buffer that grows.
        read_buffer_init_size=4096,
        **options,
    )


def _why(transport: WSTransport) -> str:
    """How the server ended it: the close code with its reason, or that it just hung up."""
    handshake = transport.close_handshake
    if handshake is None or handshake.recv is None:
        return "lost"
    code = handshake.recv.code
    number = getattr(code, "value", code)
    reason = _REASON.sub("", handshake.recv.reason or "")[:40].strip()
    return f"{number} {reason}".strip()
