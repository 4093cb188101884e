"""HTTP/1.1 over one kept connection: a request at a time, the answer to a callback (RFC 9112)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec

#: Called with the status and the body; status 0 and a reason when there was no answer.
Done = Callable[[int, bytes], None]

_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
#: The largest answer that is read (bytes).
LARGEST: Final = 64 * 1_048_576


class Answer(NamedTuple):
    """A whole answer, and how many bytes of the stream it took."""

    status: int
    body: bytes
    stays: bool
    size: int


def parse_answer(stream: bytes | bytearray) -> Answer | None:
    """The answer at the start of `stream`, None while it is incomplete; ValueError if it is none."""
    end = stream.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(stream[:end])
    start, _, _ = head.partition(b"\r\n")
    words = start.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError("not HTTP/1.1")
    status, stays = int(words[1]), words[0] != b"HTTP/1.0" and _CLOSE.search(head) is None
    if _CHUNKED.search(head):
        return _chunked(stream, end + 4, status, stays)
    length = _LENGTH.search(head)
    if length is None and status not in (204, 304):
        raise ValueError("an answer without its length")
    stop = end + 4 + (int(length[1]) if length else 0)
    return Answer(status, bytes(stream[end + 4 : stop]), stays, stop) if len(stream) >= stop else None


def _chunked(stream: bytes | bytearray, at: int, status: int, stays: bool) -> Answer | None:
    body = bytearray()
    while (line := stream.find(b"\r\n", at)) >= 0:
        size = int(bytes(stream[at:line]).partition(b";")[0], 16)
        if size == 0:
            # Trailers, if any, end with an empty line.
            stop = line + 2 if stream[line + 2 : line + 4] == b"\r\n" else stream.find(b"\r\n\r\n", line + 2)
            whole = stop >= 0 and len(stream) >= stop + 4
            if stop == line + 2:
                return Answer(status, bytes(body), stays, stop + 2)
            return Answer(status, bytes(body), stays, stop + 4) if whole else None
        at = line + 2 + size + 2
        if len(stream) < at:
            return None
        body += stream[line + 2 : line + 2 + size]
    return None


class Site:
    """Where the server is; makes connections to it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an address like http://127.0.0.1:18800: {url}")
        self.tls = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.tls else 80)
        self.path = parts.path.rstrip("/")
        self.netloc = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def websocket(self) -> str:
        """The address of the WebSocket."""
        return f"{'wss' if self.tls else 'ws'}://{self.netloc}{self.path}/ws"

    async def connect(self) -> Channel:
        """A new connection; OSError if there is none to be had."""
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_connection(
            lambda: Channel(self), self.host, self.port, ssl=True if self.tls else None
        )
        return channel


class Channel(asyncio.Protocol):
    """One kept connection."""

    def __init__(self, site: Site) -> None:
        self._get = f"GET {site.path}%s HTTP/1.1\r\nHost: {site.netloc}\r\n\r\n"
        self._post = (
            f"POST {site.path}%s HTTP/1.1\r\nHost: {site.netloc}\r\n"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        )
        self._stream = bytearray()
        self._done: Done | None = None
        self._transport: asyncio.Transport | None = None
        self.sent_bytes = 0

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def waiting(self) -> bool:
        """Whether an answer is still to come."""
        return self._done is not None

    def post(self, path: str, body: bytes, done: Done) -> None:
        self._send((self._post % (path, len(body))).encode() + body, done)

    def get(self, path: str, done: Done) -> None:
        self._send((self._get % path).encode(), done)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _send(self, request: bytes, done: Done) -> None:
        assert self._done is None
        if not self.open:
            done(0, b"closed")
            return
        assert self._transport is not None
        self._done = done
        self.sent_bytes += len(request)
        self._transport.write(request)

    # -- asyncio -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._stream += data
        try:
            answer = parse_answer(self._stream)
        except ValueError as error:
            self._end(0, str(error).encode())
            self.close()
            return
        if answer is not None:
            del self._stream[: answer.size]
            if not answer.stays:
                self.close()
            self._end(answer.status, answer.body)
        elif len(self._stream) > LARGEST:
            self._end(0, b"answer too long")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end(0, b"closed")

    def _end(self, status: int, body: bytes) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(status, body)


async def fetch(channel: Channel, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """GET `path`, or POST `body` to it; see `Done`."""
    answered: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

    def done(status: int, text: bytes) -> None:
        if not answered.done():
            answered.set_result((status, text))

    if body is None:
        channel.get(path, done)
    else:
        channel.post(path, body, done)
    return await asyncio.wait_for(answered, 30)


async def ask(channel: Channel, command: str, **args: Any) -> dict[str, Any]:
    """One command of the classic protocol; an answer that is none counts as a refusal."""
    body = msgspec.json.encode({"command": command, "args": args})
    status, text = await fetch(channel, "/ipc", body)
    return outcome(status, text)


def outcome(status: int, text: bytes) -> dict[str, Any]:
    """The fields of an answer from /ipc; what is no JSON object becomes ``error``."""
    try:
        fields = msgspec.json.decode(text)
    except msgspec.DecodeError:
        fields = None
    if isinstance(fields, dict):
        return fields
    return {"ok": False, "error": f"HTTP {status}" if status else text.decode("utf-8", "replace")}
