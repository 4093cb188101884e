"""HTTP requests: right ones, wrong ones, several on one connection, and those that hide another."""

from __future__ import annotations

import base64
from typing import Final
from urllib.parse import quote

import msgspec

from realmd.identity.nostr_event import sign

from ..attacks.malformed import SMUGGLED
from . import asks
from .dice import Dice
from .json_text import NUMBERS

#: The last request of every connection: whoever understood what came before answers it, and closes.
LAST: Final = b"GET /api/room HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
PATHS: Final = (
    b"/", b"/api/room", b"/api/invite", b"/api/events", b"/api/worlds", b"/api/world", b"/api/workstations",
    b"/api/moltbook/feed", b"/api/clawhub/skills", b"/api/clawhub/installed", b"/ws", b"/health", b"/metrics",
    b"/ipc", b"/status", b"/index.html", b"/badge.svg", b"/.well-known/nostr.json",
    b"/.well-known/nostr.json?name=_", b"/api/clawhub/install", b"/api/clawhub/uninstall", b"/favicon.ico",
    b"/js/main.js", b"/nothing", b"*", b"//", b"http://localhost/api/room",
    b"http://elsewhere.example/api/room", b"https://[::1/api/room", b"/api/room#x", b"/%2e%2e/etc/passwd",
    b"/api/room%00", b"/\xc3\xa9", b"/%ff%fe", b"/?agent=%F0%9F%98%80", b"/?agent=" + b"x" * 500,
    b"localhost:80", b"/" + b"a/" * 2000, b"/%", b"/..;/", b"mailto:x",
)  # fmt: skip
METHODS: Final = (
    b"GET", b"GET", b"GET", b"HEAD", b"POST", b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"CONNECT", b"TRACE",
    b"PRI", b"get", b"G\x00T", b"M-SEARCH", b"\xff", b"A" * 300, b"",
)  # fmt: skip
VERSIONS: Final = (
    b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.10", b"http/1.1", b"HTTP/", b"HTTP/1.1 ",
)  # fmt: skip
HOSTS: Final = (
    b"localhost", b"127.0.0.1", b"[::1]", b"[::1", b"a b", b"", b"x" * 300, b"\xff", b"localhost:99999", b"@",
    b"1.2.3.4:x",
)  # fmt: skip
#: Headers that the doors look at, and what may be in them.
HEADERS: Final[tuple[tuple[bytes, tuple[bytes, ...]], ...]] = (
    (b"Accept-Encoding", (b"gzip", b"br, gzip;q=0", b"gzip;q=x", b"*", b"gzip;q=1e999", b";,;,", b"\xff",
     b"q=", b"identity;q=0")),
    (b"Origin", (b"null", b"http://localhost", b"https://a.example", b"*", b"\xff", b"://", b"http://[")),
    (b"Authorization", (b"Bearer", b"Bearer realm1.a.b", b"Bearer " + b"x" * 2000, b"Basic cm9vdDo=",
     b"Nostr", b"Nostr e30=", b"Nostr \xff", b"nostr =", b"Bearer \xc3\xa9", b"Bearer a, Bearer b")),
    (b"X-Forwarded-For", (b"127.0.0.1", b"1.2.3.4, ::1", b"[::1]:80", b"unknown", b",,,", b"x" * 400,
     b"\xff", b"::ffff:1.2.3.4%eth0")),
    (b"Forwarded", (b"for=127.0.0.1", b'for="[::1]"', b"for=", b";;")),
    (b"X-Real-IP", (b"::1", b"", b"\xff")),
    (b"Expect", (b"100-continue", b"200-ok", b"")),
    (b"Connection", (b"close", b"keep-alive", b"upgrade", b"close, keep-alive", b"\xff", b"TE")),
    (b"Upgrade", (b"websocket", b"h2c", b"websocket, h2c", b"")),
    (b"If-None-Match", (b"*", b'"x"', b"W/", b'"' * 50, b"\xff")),
    (b"If-Modified-Since", (b"Thu, 01 Jan 1970 00:00:00 GMT", b"yesterday", b"\xff")),
    (b"Range", (b"bytes=0-0", b"bytes=-1", b"bytes=9-1", b"items=1", b"bytes=0-" + b"9" * 50)),
    (b"Cookie", (b"a=b", b"=;=;", b"\xff", b"a" * 4000)),
    (b"Content-Type", (b"application/json", b"text/plain; charset=\xff", b"multipart/form-data; boundary=",
     b"multipart/form-data", b"application/x-www-form-urlencoded", b";")),
    (b"Content-Encoding", (b"gzip", b"deflate")),
    (b"X-Agent-Id", (b"shalom", b"\xff")),
    (b"X" * 200, (b"y" * 3000,)),
    (b"Trailer", (b"Content-Length",)),
    (b"Host", HOSTS),
)  # fmt: skip
#: Those after which no more requests may be answered, and those after which one is no program of this host.
ENDING: Final = frozenset({b"Connection", b"Upgrade", b"Expect"})
TELLING: Final = frozenset({b"Authorization", b"X-Forwarded-For", b"Forwarded", b"X-Real-IP", b"Origin"})
#: What breaks a header line or the request; never part of a request whose answers are counted.
BROKEN: Final = (
    b"X: y\r\n z", b"no colon", b": y", b"X Y: z", b"X\x00: y", b"X: \x00", b"X: y\rZ: w", b"X: y\nZ: w",
    b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999999999999999",
    b"Content-Length: 70000", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: chunked, chunked", b"Host: a\r\nHost: b", b"\r\n".join([b"X: y"] * 120),
    b"X: " + b"z" * 17_000, b"Content-Length: 1\r\nTransfer-Encoding: chunked",
)  # fmt: skip
#: What a query string may be made of.
NAMES: Final = (b"since", b"after", b"limit", b"agent", b"x", b"", b"%", b"since%00", b"\xff")
VALUES: Final = (
    *NUMBERS, b"", b"1&limit=2", b"%", b"%zz", b"%ff", b"a" * 3000, b"1;2", b"1=2", b"\xc3",
    b"%2B1", b"10", b"10",
)  # fmt: skip
#: Of whoever signs.
SECRET: Final = bytes(31) + b"\x07"


def query(dice: Dice) -> bytes:
    """The part after the question mark."""
    pairs = []
    for _ in range(dice.randrange(1, 5)):
        name = dice.choice(NAMES[:3] if dice.one_in(2) else NAMES)
        pairs.append(name + b"=" + dice.choice(VALUES).replace(b" ", b"+"))
    return b"&".join(pairs * 400 if dice.odd(0.3) else pairs)


def signed(dice: Dice) -> bytes:
    """An `Authorization` with an event that is signed as it should be, and says anything."""
    names, said = ("u", "method", "payload", "p", ""), ("POST", "http://localhost/ipc", "", "x")
    made = sign(
        SECRET,
        dice.randbytes(32),
        kind=dice.choice((27235, 22242, 1, 30078)),
        created_at=dice.choice((0, 1_790_000_000, 2**53 - 1)),
        tags=[[dice.choice(names), dice.choice(said)] for _ in range(dice.randrange(4))],
        content=dice.choice(("", "x", "\u202e")),
    )
    return b"Nostr " + base64.b64encode(msgspec.json.encode(made))


def headers(dice: Dice) -> list[bytes]:
    found = [b"Host: " + dice.maybe(b"localhost", HOSTS, 0.3)]
    while dice.odd(2) or dice.one_in(5):
        name, values = dice.choice(HEADERS[:-1])
        if dice.odd() if name in ENDING else name not in TELLING or dice.one_in(4):
            found.append(b"%b: %b" % (name, dice.choice(values)))
    if dice.one_in(20):
        found.append(b"Authorization: " + signed(dice))
    if dice.odd(0.3):
        found.append(dice.choice(BROKEN))
    return found


def chunked(dice: Dice, data: bytes) -> bytes:
    """`data` in chunks (RFC 9112, section 7.1)."""
    made = b""
    for piece in dice.cut(data or b"x", 5):
        size = b"%x" % len(piece)
        odd = (b"0x" + size, b"-" + size, b"f" * 20, size + b";" + b"e" * 3000, b" " + size, b"", b"g")
        made += dice.maybe(size, odd) + b"\r\n" + piece + dice.maybe(b"\r\n", (b"XX",), 0.3)
    trailer = dice.maybe(b"", (b"X: y\r\n", b"Content-Length: 3\r\n", b"bad\r\n", b"X: y\r\n" * 2000))
    return made + b"0\r\n" + trailer + b"\r\n"


def post(dice: Dice) -> bytes:
    """A POST with JSON."""
    if dice.one_in(6):
        name = dice.choice(("publish", "install", "uninstall"))
        path = b"/api/clawhub/" + (b"skills" if name == "publish" else name.encode())
        data = asks.worn(dice, asks.args(dice, f"clawhub-{name}"))
    else:
        data = asks.body(dice)
        path = dice.choice((b"/ipc", b"/ipc", b"/ipc", b"/", b"/ipc?x=1"))
    lines = [b"POST %b HTTP/1.1" % path, *headers(dice)]
    if dice.one_in(6):
        return b"\r\n".join([*lines, b"Transfer-Encoding: chunked"]) + b"\r\n\r\n" + chunked(dice, data)
    size = len(data) + (dice.choice((-1, 1, 5000, 65_536, 10**9)) if dice.odd(0.3) else 0)
    return b"\r\n".join([*lines, b"Content-Length: %d" % size]) + b"\r\n\r\n" + data


def get(dice: Dice) -> bytes:
    """Any other request."""
    path = dice.choice(PATHS[:14] if dice.one_in(2) else PATHS)
    if dice.one_in(4):
        path = b"/api/events?" + query(dice)
    if dice.wild == 0:  # such answers are counted
        path = quote(path if path.startswith(b"/") else b"/api/room", safe="/:?&=%*#[];@~+").encode()
    method, version = dice.maybe(b"GET", METHODS, 3), dice.maybe(b"HTTP/1.1", VERSIONS, 0.5)
    space = dice.maybe(b" ", (b"  ", b"\t", b""), 0.2)
    return b"\r\n".join([b"%b%b%b %b" % (method, space, path, version), *headers(dice)]) + b"\r\n\r\n"


def stream(dice: Dice) -> tuple[bytes, int | None]:
    """What is sent on one connection, and how many answers it must get, if that is certain."""
    if dice.one_in(40):
        return dice.choice(SMUGGLED) + LAST, None
    if dice.one_in(60):
        return dice.randbytes(dice.randrange(1, 3000)), None
    made = [post(dice) if dice.one_in(2) else get(dice) for _ in range(dice.choice((1, 1, 1, 2, 3, 8)))]
    whole = b"".join(made)
    if dice.odd(0.5):
        return dice.damage(whole) + LAST, None
    if dice.odd(0.3):
        return whole[: dice.randrange(len(whole))], None
    return whole + LAST, len(made) + 1 if dice.wild == 0 and len(whole) < 60_000 else None
