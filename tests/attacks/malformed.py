"""Attacks by what is no proper request, message or frame."""

from __future__ import annotations

import json
import random
from itertools import cycle
from typing import Final

from ..framing import BINARY, CLOSE, DEFLATED, MORE, PING, PONG, TEXT, frame, request
from .field import Field, Stranger
from .siege import Attack

#: What a request that cannot be read to its end may take (s); the default is 10.
BRIEF: Final = {"REALMD_SERVER_HANDSHAKE_TIMEOUT_S": "2"}
ORDER: Final = b'{"command":"world-chat","args":{"agentId":"smuggler","text":"smuggled"}}'
HEAD: Final = b"POST /ipc HTTP/1.1\r\nHost: localhost\r\n"
SIZE: Final = b"Content-Length: %d\r\n" % len(ORDER)
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
CHUNKS: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ORDER), ORDER)
GET: Final = b"GET /api/room HTTP/1.1\r\nHost: localhost\r\n"
#: A whole request, which must not be answered when it comes after one of the others.
INNER: Final = HEAD + SIZE + b"\r\n" + ORDER

#: Requests whose end, or whose headers, another server may see elsewhere.
SMUGGLED: Final = (
    HEAD + SIZE + CHUNKED + b"\r\n" + CHUNKS,
    HEAD + CHUNKED + SIZE + b"\r\n" + CHUNKS,
    HEAD + SIZE + SIZE + b"\r\n" + ORDER,
    HEAD + b"Content-Length: 0\r\n" + SIZE + b"\r\n" + ORDER,
    *(
        HEAD + b"Content-Length: %b\r\n\r\n" % length + ORDER
        for length in (b"72, 72", b"+72", b"-1", b"7_2", b"0x48", b"", "٧٢".encode(), b"9" * 400, b"7 2")
    ),
    *(
        HEAD + b"Transfer-Encoding: %b\r\n\r\n" % coding + CHUNKS
        for coding in (b"xchunked", b"chunked, identity", b"gzip, chunked", b"identity", b"\x0bchunked", b"")
    ),
    HEAD + CHUNKED + CHUNKED + b"\r\n" + CHUNKS,
    HEAD + b"Content-Length : 0\r\n\r\n",
    HEAD + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS,
    HEAD + b"X: y\r\n Content-Length: 5\r\n" + SIZE + b"\r\n" + ORDER,
    HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    HEAD + b"Host: realm.example\r\n" + SIZE + b"\r\n" + ORDER,
    *(
        HEAD + CHUNKED + b"\r\n" + chunks
        for chunks in (
            CHUNKS.replace(b"\r\n", b";x\n", 1), b"0x" + CHUNKS, b"+" + CHUNKS, b"-1\r\n", b"4_8\r\n" + ORDER,
            CHUNKS.replace(b"\r\n0", b"XX0"), b"%x;" % len(ORDER) + b"x" * 20_000 + b"\r\n",
            CHUNKS[:-2] + b"X: y\r\n" * 20_000 + b"\r\n",
        )
    ),
    GET.replace(b"\r\n", b"\n") + b"\n",
    *(
        GET + line + b"\r\n\r\n"
        for line in (b"X: y\nZ: y", b"X: y\rZ: y", b"X\0: y", b"X: \0", b"X Y: z", b": y", b"no colon")
    ),
    *(
        line + b"\r\nHost: localhost\r\n\r\n"
        for line in (
            b"GET /api/room\0 HTTP/1.1", b"GET  /api/room HTTP/1.1", b"GET\t/api/room\tHTTP/1.1",
            b"GET /api/room", b" GET /api/room HTTP/1.1", b"GET /api/room HTTP/9.9", b"PRI * HTTP/2.0",
            b"\x16\x03\x01\x02",
        )
    ),
)  # fmt: skip


def smuggling(field: Field) -> None:
    """Each is answered 400, once, and nothing that comes after it on that connection is done."""
    addresses = field.strangers(networks=50, hosts=20)
    for text in cycle(SMUGGLED):
        if not field.going_on:
            break
        with Stranger(field, next(addresses)) as line:
            line.send(text + INNER)
            answer = line.rest()
        assert answer.startswith(b"HTTP/1.1 400 "), (text, answer)
        assert answer.count(b"HTTP/1.1 ") == 1, (text, answer)
        field.tally["requests"] += 1


SECRETS: Final = (b"root:x:", b"SQLite format", b"seed", b"[core]", b"from __future__", b"privateKey")
UP: Final = (
    "../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "%c0%ae%c0%ae/", "%252e%252e%252f", "..;/",
)  # fmt: skip
PATHS: Final = (
    *(
        f"{start}{up * 8}{file}"
        for start in ("/", "/js/", "/css/../", "//", "/api/", "/ws/")
        for up in UP
        for file in ("etc/passwd", "state/token-keys")
    ),
    "/token-keys", "/realm.sqlite", "/state/token-keys", "/.git/config", "/.env", "/js/main.js/..", "/js/%00",
    "/js", "/js/", "/tap.py", "/__init__.py", "file:///etc/passwd", "http://localhost/../etc/passwd", "*",
    "/%", "/index.html%00.js", "/INDEX.HTML", "/~root/", "/js/world.d.ts", "/" + "a/" * 4000,
    "/ws?agent=../../x",
)  # fmt: skip


def traversal(field: Field) -> None:
    """No path leads anywhere but to what is served by its name."""
    addresses = field.strangers(networks=50, hosts=20)
    for path in cycle(PATHS):
        if not field.going_on:
            break
        with Stranger(field, next(addresses)) as line:
            for method in ("GET", "HEAD", "POST", "PUT"):
                line.send(request(method, path))
                answer = line.answer(head=method == "HEAD")
                assert answer.status in (400, 404, 405, 426), (path, answer)
                assert not any(secret in answer.body for secret in SECRETS), (path, answer)
                field.tally["requests"] += 1


NOT_UTF8: Final = (
    b"\xff", b"\xc3", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80", b"\xfe\xff\x00a", b"a\xcc\x81\xff", b"\x80" * 1000,
)  # fmt: skip


def malformed_utf8(field: Field) -> None:
    """Bytes that are no UTF-8: 400 over HTTP, 1007 over a WebSocket, whole or cut in the middle."""
    addresses = field.strangers(networks=50, hosts=20)
    for wrong in cycle(NOT_UTF8):
        if not field.going_on:
            break
        text = b'{"type":"world-chat","command":"world-chat","agentId":"x","text":"%b"}' % wrong
        with Stranger(field, next(addresses)) as line:
            for body in (text, b'{"command":"%b"}' % wrong, wrong):
                answer = line.ask(request("POST", "/ipc", body))
                assert (answer.status, list(answer.json)) == (400, ["error"]), (body, answer)
            line.send(request("GET", "/api/events?since=XX").replace(b"XX", wrong.replace(b"\0", b"")))
            assert line.answer().status == 400
        for pieces in ((text,), (text[:-3], text[-3:])):
            with Stranger(field, next(addresses)).upgrade() as line:
                for at, piece in enumerate(pieces):
                    line.send(frame(MORE if at else TEXT, piece, fin=at == len(pieces) - 1))
                assert line.closed() == 1007, wrong
        field.tally["messages"] += 6


def nested(levels: int) -> tuple[bytes, ...]:
    """JSON that is deep, or broad, or long, in places where anything may stand."""
    return (
        b"[" * levels + b"]" * levels, b'{"a":' * (levels // 4) + b"1" + b"}" * (levels // 4), b"[" * levels,
        b"9" * levels, b"-" * levels, b"1e" + b"9" * levels, b'"' + b"\\u0000" * (levels // 6) + b'"',
        b"[%b1]" % (b"1," * (levels // 2)), b"{%b}" % b",".join(b'"%d":1' % n for n in range(levels // 9)),
    )  # fmt: skip


def deep_json(field: Field) -> None:
    """Each is answered, and the connection lives; nothing of it is looked at deeper than it has to be."""
    addresses = field.strangers(networks=50, hosts=20)
    for value in cycle(nested(30_000)):
        if not field.going_on:
            break
        with Stranger(field, next(addresses)) as line:
            for body in (value, b'{"command":"agent-request","args":{"agentId":"a","payload":%b}}' % value):
                assert line.ask(request("POST", "/ipc", body)).status == 400, value[:20]
            command = b'{"command":"describe","unknown":%b}' % value
            assert line.ask(request("POST", "/ipc", command)).status in (200, 400), value[:20]
            line.upgrade()
            for text in (value, b'{"type":"follow","agentId":%b}' % value):
                line.send(frame(TEXT, text))
                line.next("error")
            assert line.command("room-info")["ok"]
        field.tally["messages"] += 5


JSON: Final = json.dumps({"type": "world-chat", "id": 1, "agentId": "x", "text": "é" * 40}).encode()
CODES: Final = {1000, 1001, 1002, 1007, 1008, 1009}


def random_frames(rng: random.Random) -> bytes:
    """Some frames that are right, but for a few, or for most."""
    stream = b""
    wild = rng.choice((0.01, 0.05, 0.3))

    def odd() -> bool:
        return rng.random() < wild

    for _ in range(rng.randrange(1, 12)):
        payload = bytearray(rng.choice((JSON, b"", b"{}", JSON * 40, b"x" * rng.randrange(126))))
        while payload and odd():
            payload[rng.randrange(len(payload))] = rng.randrange(256)
        opcode = rng.randrange(16) if odd() else rng.choice((TEXT, BINARY, PING, PONG))
        if odd():
            opcode |= rng.choice((DEFLATED, 0x20, 0x10))
        fitting = bytes(payload[:125] if opcode & 8 else payload)
        whole = bytearray(frame(opcode, fitting, not odd(), not odd()))
        if odd():  # a head that lies
            whole[rng.randrange(2)] ^= 1 << rng.randrange(8)
        if odd():
            del whole[rng.randrange(len(whole)) :]
        stream += whole
    return stream


def fuzzed_frames(field: Field) -> None:
    """Whatever comes, what the realm sends is well-formed, and a close has a code of the standard."""
    addresses = field.strangers(networks=50, hosts=20)
    offers = cycle(("", "permessage-deflate"))
    while field.going_on:
        stream = random_frames(field.rng)
        offer = next(offers)
        with Stranger(field, next(addresses)) as line:
            line.upgrade(**({"sec_websocket_extensions": offer} if offer else {}))
            cut = field.rng.randrange(len(stream) + 1)
            line.patience(0.1)  # who was told of a longer frame waits for the rest
            try:
                line.send(stream[:cut])
                line.send(stream[cut:] + frame(PING, b"still there?"))
                last = check_frames(line, stream)
            except TimeoutError:
                last = "waits"
            except ConnectionError:
                last = "reset"
        field.tally[last] += 1


def check_frames(line: Stranger, stream: bytes) -> str:
    """Read until the connection is closed, or has proven that it lives."""
    while True:
        try:
            opcode, payload = line.receive()
        except EOFError:
            return "closed"
        assert opcode in (TEXT, PING, PONG, CLOSE), (stream, opcode)
        if (opcode, payload) == (PONG, b"still there?"):
            return "lives"
        if opcode == CLOSE and payload:
            assert int.from_bytes(payload[:2], "big") in CODES, (stream, payload)
            line.send(frame(CLOSE, payload[:2]))


OFFENCE: Final = "offence kind=%s door=%s peer=198"
SMUGGLING: Final = Attack("header_smuggling", smuggling, OFFENCE % ("http", "http"), BRIEF)
TRAVERSAL: Final = Attack("path_traversal", traversal, OFFENCE % ("path", "http"), BRIEF)
MALFORMED_UTF8: Final = Attack("malformed_utf8", malformed_utf8, OFFENCE % ("message", "http"), BRIEF)
DEEP_JSON: Final = Attack("deep_json", deep_json, OFFENCE % ("message", "http"), BRIEF)
FUZZED_FRAMES: Final = Attack("fuzzed_frames", fuzzed_frames, OFFENCE % ("frames", "websocket"), BRIEF)
