"""What an attacker has: addresses, connections by the thousand, and one that it can also read."""

from __future__ import annotations

import json
import random
import selectors
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple, Self

from ..framing import CLOSE, TEXT, frame, upgrade
from .wire import message, proxy_header

#: Longest wait (s) for an answer.
PATIENCE: Final = 15.0
#: Bytes read at once, and those that wait to be sent before more are made.
CHUNK: Final = 65_536
#: How much stronger an attack is at full strength.
FULL: Final = 3
_HANG_UP_HARD: Final = struct.pack("ii", 1, 0)


class Answer(NamedTuple):
    """An HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Field:
    """Where an attack takes place: it goes on until `stop` is set, at `full` strength if that is wanted."""

    def __init__(self, port: int, folder: Any, full: bool = False, seed: int = 4) -> None:
        self.port = port
        self.folder = folder
        self.full = full
        self.rng = random.Random(seed)
        self.stop = threading.Event()
        #: What was done, for the measurement.
        self.tally: Counter[str] = Counter()
        self._near = 0

    @property
    def going_on(self) -> bool:
        return not self.stop.is_set()

    def strength(self, count: int) -> int:
        """So many in a test; more at full strength."""
        return count * FULL if self.full else count

    def strangers(self, networks: int, hosts: int) -> Iterator[str]:
        """Addresses in so many networks, again and again (RFC 2544's, which nobody has)."""
        while True:
            for host in range(1, hosts + 1):
                for network in range(networks):
                    yield f"198.18.{network}.{host}"

    def open(self, address: str | None) -> socket.socket:
        """A connection under way that does not block, by a proxy from `address`; None: from this host itself.

        The proxies' own addresses change, for each has only so many ports.
        """
        line = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._near = self._near % 254 + 1
        line.bind((f"127.0.{2 if address else 1}.{self._near}", 0))
        line.connect_ex(("127.0.0.1", self.port))
        return line


def hang_up(line: socket.socket, hard: bool = False) -> None:
    """Close; `hard`: with a reset, and no TIME_WAIT."""
    if hard:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _HANG_UP_HARD)
    line.close()


class Client:
    """One connection of a swarm: `out` is what it is to send yet, `again` what after that, each time."""

    def __init__(self, line: socket.socket, out: bytes, again: bytes) -> None:
        self.line = line
        self.out = bytearray(out)
        self.again = again


class Swarm:
    """Many connections at once, in one thread.  With `deaf`, nothing that comes is read."""

    def __init__(self, field: Field, deaf: bool = False) -> None:
        self.field = field
        self.clients: set[Client] = set()
        self._wanted = selectors.EVENT_WRITE if deaf else selectors.EVENT_READ | selectors.EVENT_WRITE
        self._idle = 0 if deaf else selectors.EVENT_READ
        self._selector = selectors.DefaultSelector()

    def open(self, address: str | None, first: bytes = b"", again: bytes = b"") -> None:
        """Connect, and send `first`; the proxy's header goes at once, as from a proxy."""
        line = self.field.open(address)
        header = proxy_header(address) if address else b""
        with suppress(BlockingIOError, ConnectionError):
            header = header[line.send(header) :]
        client = Client(line, header + first, again)
        self.clients.add(client)
        self._selector.register(client.line, self._wanted, client)
        self.field.tally["connections"] += 1

    def repeat(self) -> None:
        """Let all who have sent what they had send again."""
        for client in self.clients:
            if client.again and not client.out:
                client.out += client.again
                self._watch(client, self._wanted)

    def turn(self, wait: float = 0.01) -> int:
        """Send and read what can be; how many connections have ended."""
        ended = 0
        for key, ready in self._selector.select(wait):
            client: Client = key.data
            try:
                alive = self._serve(client, ready)
            except BlockingIOError:
                continue
            except OSError:
                alive = False
            if not alive:
                self.drop(client)
                ended += 1
        return ended

    def _serve(self, client: Client, ready: int) -> bool:
        if ready & selectors.EVENT_READ and not client.line.recv(CHUNK):
            return False
        if ready & selectors.EVENT_WRITE:
            sent = client.line.send(client.out[:CHUNK])
            del client.out[:sent]
            self.field.tally["bytes"] += sent
            if not client.out:
                self._watch(client, self._idle)
        return True

    def _watch(self, client: Client, events: int) -> None:
        if events:
            try:
                self._selector.modify(client.line, events, client)
            except KeyError:
                self._selector.register(client.line, events, client)
        else:
            self._selector.unregister(client.line)

    def drop(self, client: Client, hard: bool = False) -> None:
        """Hang up."""
        if client in self.clients:
            self.clients.discard(client)
            if client.line.fileno() in self._selector.get_map():
                self._selector.unregister(client.line)
            hang_up(client.line, hard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in list(self.clients):
            self.drop(client, hard=True)
        self._selector.close()


class Stranger:
    """One connection that is also read: HTTP answers, then frames if it is upgraded."""

    def __init__(self, field: Field, address: str | None = "198.51.100.66") -> None:
        self.field = field
        self._line = field.open(address)
        self._line.settimeout(PATIENCE)
        self._reader = self._line.makefile("rb")
        self.send(proxy_header(address) if address else b"")

    def send(self, data: bytes) -> None:
        self._line.sendall(data)

    def patience(self, seconds: float) -> None:
        """How long to wait for something from now on; then TimeoutError."""
        self._line.settimeout(seconds)

    def answer(self, head: bool = False) -> Answer:
        """The next HTTP answer, `head` if it has no body; EOFError if there is none."""
        status = self._reader.readline()
        if not status:
            raise EOFError
        headers: dict[str, str] = {}
        while (text := self._reader.readline()) not in (b"\r\n", b""):
            name, _, value = text.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = self._reader.read(0 if head else int(headers.get("content-length", 0)))
        return Answer(int(status.split(b" ")[1]), headers, body)

    def ask(self, asked: bytes) -> Answer:
        """The answer to a request."""
        self.send(asked)
        return self.answer()

    def rest(self) -> bytes:
        """All that comes until the other side closes."""
        return self._reader.read()

    def upgrade(self, path: str = "/ws", **headers: str) -> Self:
        """Become a WebSocket."""
        answer = self.ask(upgrade(path, **headers))
        assert answer.status == 101, answer
        return self

    def receive(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame; EOFError when there is none any more."""
        head = self._reader.read(2)
        if len(head) < 2:
            raise EOFError
        size = head[1]
        if size > 125:
            size = int.from_bytes(self._reader.read(2 if size == 126 else 8), "big")
        return head[0] & 0x0F, self._reader.read(size)

    def next(self, *kinds: str) -> Any:
        """The next message of one of these types; EOFError when it is closed."""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                raise EOFError(payload)
            if opcode == TEXT and (told := json.loads(payload))["type"] in kinds:
                return told

    def tell(self, **fields: Any) -> None:
        """Send a message."""
        self.send(message(**fields))

    def command(self, command: str, **args: Any) -> Any:
        """The acknowledgement of a command over the WebSocket."""
        mark = self.field.rng.getrandbits(50)
        self.tell(type=command, id=mark, **args)
        while (told := self.next("ack"))["id"] != mark:
            pass
        return told

    def closed(self) -> int:
        """The code with which the other side closes it."""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                self.send(frame(CLOSE, payload[:2]))
                return int.from_bytes(payload[:2], "big") if payload else 1005

    def shut(self) -> None:
        """End it for whoever waits in another thread."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)

    def close(self, hard: bool = False) -> None:
        self._reader.close()
        hang_up(self._line, hard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
