"""One HTTP request as the door sees it, whatever has read it: what is asked, by whom, and the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final, Protocol

import msgspec

from ..primitives.errors import REFUSALS
from .account import PIECE, Account
from .head import Head
from .limits import Throttle
from .peers import Peer
from .stream import Stream, Way, pieces
from .turns import Lane

#: Before it is known who sends a request.
NOBODY: Final = Peer("", "")
JSON: Final = b"application/json; charset=utf-8"
#: What may be shown to be let in, told with a 401 (RFC 9110, 11.6.1).
CHALLENGES: Final = ((b"www-authenticate", b'Bearer realm="realmd"'), (b"www-authenticate", b"Nostr"))
#: About what the head of an answer takes (bytes).
HEAD: Final = 512


class Line(Protocol):
    """The connection that a request came on."""

    #: What is left of its share, and what is in flight to it.
    throttle: Throttle
    account: Account
    lane: Lane
    #: Who asks has shown that he is an agent.
    agent: bool

    @property
    def address(self) -> Any:
        """Of its transport, or what a proxy told of it."""

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken on it."""

    def close_after(self) -> None:
        """Nothing follows the answer that is given next."""

    def hand_over(self) -> Any:
        """Its transport, for another protocol from now on; the lane keeps what has come of that."""


class Site(Protocol):
    """What a request needs of whose it is."""

    #: An answer longer than this (bytes) is not given.
    longest_answer: int

    def headers(self, head: Head | None, secure: bool) -> Iterable[tuple[bytes, bytes]]:
        """Those of every answer, to the request of that head."""


class Request:
    """What was asked with `head` on `line`, `read` its body, and the answer, which goes back by `way`."""

    __slots__ = ("_answered", "_body", "_read", "_site", "_way", "head", "line", "peer", "proxied")

    def __init__(self, head: Head, read: Callable[[], bytes], line: Line, way: Way, site: Site) -> None:
        self.head = head
        self._read = read
        self._body: bytes | None = None
        self.line = line
        self._way = way
        self._site = site
        #: Who sends it, as the guard found out.
        self.peer = NOBODY
        #: A proxy has said so: others may send their requests on the same connection.
        self.proxied = False
        self._answered: dict[bytes, bytes] = {}

    @property
    def path(self) -> bytes:
        return self.head.path

    @property
    def body(self) -> bytes:
        """All of it, from when it is first asked for: what has no room in memory fails there."""
        if self._body is None:
            self._body = self._read()
        return self._body

    def header(self, name: bytes, value: bytes) -> None:
        """Let the answer have this header; what stands in every answer does not replace it."""
        self._answered[name] = value

    def answer(self, fields: Any, status: int = HTTPStatus.OK) -> None:
        """Answer with `fields` as JSON, charged to the client if it is long; 503 if it is too long."""
        if self._way.gone:
            return
        body = msgspec.json.encode(fields)
        if self.peer is not NOBODY:
            self.line.throttle.answered(self.peer, len(body), self.proxied)
        if len(body) > self._site.longest_answer:
            code = "answer_too_long"
            body = msgspec.json.encode({"ok": False, "error": code, "code": code, "reason": REFUSALS[code]})
            status = HTTPStatus.SERVICE_UNAVAILABLE
        self.send(body, JSON, status)

    def send(self, body: bytes, content_type: bytes, status: int = HTTPStatus.OK) -> None:
        """Answer with `body`, in pieces if it is long."""
        if not self._begin(len(body), content_type, status):
            return
        if len(body) > PIECE and self.head.method != b"HEAD":
            self.line.account.hold(body)
            Stream(self._way, self.line.account, pieces(body), body).begin()
            return
        self._way.write(b"" if self.head.method == b"HEAD" else body)
        self.line.account.copied(HEAD + len(body))
        self._way.finish()

    def stream(self, body: Iterator[bytes], size: int, content_type: bytes) -> None:
        """Answer with `size` bytes that are made as the client takes them."""
        if not self._begin(size, content_type, HTTPStatus.OK):
            return
        if self.head.method == b"HEAD":
            self._way.write(b"")
            self._way.finish()
        else:
            Stream(self._way, self.line.account, body).begin()

    def _begin(self, size: int, content_type: bytes, status: int) -> bool:
        """What stands above a body of `size` bytes; False if nothing can be answered any more."""
        if self._way.gone:
            return False
        headers = self._answered
        headers[b"content-type"] = content_type
        headers[b"content-length"] = b"%d" % size
        for name, value in self._site.headers(self.head, self.line.secure):
            if name == b"vary" and name in headers:
                value = headers[name] + b", " + value
            elif name in headers:
                continue
            headers[name] = value
        self._way.begin(status, [*headers.items(), *(CHALLENGES if status == 401 else ())])
        return True


Handler = Callable[[Request], None]
