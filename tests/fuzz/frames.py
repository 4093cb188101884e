"""WebSocket connections: handshakes and frames (RFC 6455, RFC 7692), right and wrong."""

from __future__ import annotations

import base64
import zlib
from typing import Final

from realmd.protocol.dialects import BATCH

from ..attacks.wire import DEFLATE_OFFER, deflate
from ..framing import CLOSE, DEFLATED, MORE, PING, PONG, TEXT
from . import asks
from .dice import Dice

EXTENSIONS: Final = (
    b"permessage-deflate", DEFLATE_OFFER.encode(), b"permessage-deflate; server_max_window_bits=8",
    b"permessage-deflate; client_max_window_bits", b"permessage-deflate; client_max_window_bits=15; x=y",
    b"permessage-deflate; server_max_window_bits=99", b"x-webkit-deflate-frame", b"permessage-bzip2", b";;,",
    b"\xff", b"permessage-deflate, permessage-deflate; server_no_context_takeover",
    b"permessage-deflate; client_max_window_bits=\"",
)  # fmt: skip
PROTOCOLS: Final = (BATCH.encode(), b"x", b"", b",", b"\xff", b"a" * 1000)
PAYLOADS: Final = (
    b"", b"{}", b"[]", b"\xff", b"x" * 125, b"x" * 126, b"x" * 65_535, b'{"type":"subscribe"}' * 3,
    b"\xed\xa0\x80",
)  # fmt: skip
CODES: Final = (0, 999, 1000, 1001, 1004, 1005, 1006, 1015, 1016, 2999, 3000, 4999, 5000, 65_535)
BOMB: Final = deflate(b" " * 5_000_000)
#: Whom to follow, and what can go wrong with it.
PATHS: Final = (
    b"/ws?agent=fuzz-1", b"/ws?agent=%ff", b"/ws?agent=" + b"x" * 300, b"/ws?%", b"/ws?agent",
    b"/ws?agent=%F0%9F%98%80",
)  # fmt: skip


def handshake(dice: Dice) -> bytes:
    """The request that makes a WebSocket."""
    key = dice.maybe(base64.b64encode(dice.randbytes(16)), (b"", b"x", b"=" * 24, b"MTIz"), 0.3)
    version = dice.maybe(b"13", (b"12", b"8", b"", b"x", b"13, 8", b"9" * 50), 0.3)
    path = dice.choice(PATHS) if dice.one_in(5) else b"/ws"
    lines = [
        b"GET %b HTTP/%b" % (path, dice.maybe(b"1.1", (b"1.0",), 0.3)),
        b"Host: localhost",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: " + key,
        b"Sec-WebSocket-Version: " + version,
    ]
    if dice.one_in(3):
        lines.append(
            b"Sec-WebSocket-Extensions: " + dice.choice(EXTENSIONS if dice.odd(3) else EXTENSIONS[:2])
        )
    if dice.one_in(4):
        lines.append(b"Sec-WebSocket-Protocol: " + dice.choice(PROTOCOLS))
    if dice.odd():
        lines.append(b"Origin: " + dice.choice((b"null", b"http://x.example", b"\xff", b"localhost")))
    if dice.odd():
        lines.append(dice.choice(lines[1:]))
    if dice.odd(0.3):
        lines.remove(dice.choice(lines[1:]))
    return b"\r\n".join(lines) + b"\r\n\r\n"


def frame(dice: Dice, opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """One frame, masked."""
    size = len(payload)
    short = size if size < 126 else 126 if size < 65_536 else 127
    if dice.odd(0.2):  # longer than it need be
        short = dice.choice((126, 127))
    told = dice.choice((0, size + 1, 70_000, 1 << 31, 1 << 62, 1 << 63)) if dice.odd(0.2) else size
    head = bytes((opcode | (0x80 if fin else 0), short | 0x80))
    if short >= 126:
        width = 2 if short == 126 else 8
        head += (told % (1 << (8 * width))).to_bytes(width, "big")
    key = dice.randbytes(4)
    stream = (key * (size // 4 + 1))[:size]
    return head + key + (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def told(dice: Dice) -> bytes:
    """A message, in one frame or several, with control frames between them."""
    text, rsv = asks.message(dice), 0
    if dice.one_in(8):
        rsv = DEFLATED
        text = BOMB if dice.odd(0.3) else zlib.compress(text) if dice.odd() else deflate(text)
    if not dice.one_in(5):
        return frame(dice, TEXT | rsv, text)
    pieces = dice.cut(text, 6) or (b"",)
    made = b""
    for at, piece in enumerate(pieces):
        made += frame(dice, TEXT | rsv if at == 0 else MORE, piece, fin=at == len(pieces) - 1)
        if dice.one_in(3):
            made += control(dice)
    return made


def control(dice: Dice) -> bytes:
    """A ping, a pong, now and then a close."""
    if dice.odd(0.5):
        code = dice.choice(CODES).to_bytes(2, "big")
        return frame(dice, CLOSE, dice.choice((b"", b"x", code, code + b"\xff", code + b"y" * 200)))
    return frame(dice, dice.choice((PING, PONG)), dice.choice(PAYLOADS[:4]))


def odd(dice: Dice) -> bytes:
    """A frame that has no place here, or nearly."""
    opcode = dice.randrange(16) | dice.choice((0, 0, 0x10, 0x20, 0x40))
    return frame(dice, opcode, dice.choice(PAYLOADS), fin=not dice.one_in(3))


def stream(dice: Dice) -> tuple[bytes, int | None]:
    """What is sent on one connection: a handshake, frames, a ping and a close."""
    made = [handshake(dice)]
    if dice.one_in(4):
        made.append(frame(dice, TEXT, b'{"type":"playerJoin"}'))
    for _ in range(dice.choice((1, 3, 6, 20))):
        made.append(odd(dice) if dice.odd(0.5) else control(dice) if dice.one_in(10) else told(dice))
    whole = b"".join(made)
    if dice.odd(0.3):
        whole = whole[: len(made[0])] + dice.damage(whole[len(made[0]) :])
    return whole + frame(dice, PING, b"last") + frame(dice, CLOSE, b"\x03\xe8"), None
