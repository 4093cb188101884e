"""The outbox: what a slow reader gets, in which order, and when its patience ends."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from realmd.gateway.account import PIECE, Account
from realmd.gateway.budget import Budget
from realmd.gateway.outbox import Outbox


class Tls:
    """A transport that buffers, and says when it is too much and when it is well again."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.sent = b""
        self.buffer = b""
        self.producer: Any = None
        self.streaming = False

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer, self.streaming = producer, streaming
        if not streaming:
            producer.resumeProducing()

    def write(self, data: bytes) -> None:
        self.buffer += data
        self.drain(0)
        if self.streaming and self.buffer:
            self.producer.pauseProducing()

    def drain(self, more: int) -> None:
        """The reader takes `more` bytes; with nothing left to send, the producer is asked for more."""
        self.room += more
        taken, self.buffer = self.buffer[: self.room], self.buffer[self.room :]
        self.sent += taken
        self.room -= len(taken)
        if more and not self.buffer:
            self.producer.resumeProducing()


class Tcp(Tls):
    """A transport that can be written to without its buffer."""

    error: Exception | None = None

    def writeSomeData(self, data: bytes) -> int | Exception:
        assert not self.buffer, "what waits in the transport would be overtaken"
        if self.error is not None:
            return self.error
        taken = data[: self.room]
        self.sent += taken
        self.room -= len(taken)
        return len(taken)


class Quiet:
    """Whoever holds what is in flight here, if nobody needs the room."""

    def speaks(self) -> bool:
        return False

    def in_transport(self) -> int:
        return 0

    def evict(self) -> None:
        pytest.fail("there is room enough")


def an_account() -> Account:
    return Budget(1 << 20, 1 << 20, 1 << 20, Clock()).open(Quiet())


class Bench:
    """An outbox over a transport whose reader the test plays; `out` is what it told its connection."""

    def __init__(self, kind: type[Tls] = Tcp, room: int = 1000, limit: int = 20) -> None:
        self.clock = Clock()
        self.transport = kind(room)
        self.account = an_account()
        self.out: list[str] = []
        self.outbox = Outbox(
            self.transport, self.clock, limit, 5.0, self.out.append, lambda: self.out.append("resumed"),
            self.account,
        )  # fmt: skip
        self.transport.drain(1)  # the answer to the handshake is gone

    @property
    def sent(self) -> bytes:
        return self.transport.sent

    def stall(self) -> None:
        """The reader stops reading, one byte short of a frame."""
        self.transport.room = 1
        self.outbox.deliver(b"[]", b"[]")


BOTH = pytest.mark.parametrize("kind", [Tcp, Tls])


def test_it_is_what_a_transport_wants() -> None:
    """It keeps the interfaces of both kinds of producers."""
    outbox = Bench().outbox
    assert verifyObject(IPullProducer, outbox)
    assert verifyObject(IPushProducer, outbox)


def test_nothing_overtakes_the_handshake() -> None:
    """What is delivered before the transport has drained for the first time waits, in order."""
    transport = Tcp(1000)
    transport.buffer = b"HTTP/1.1 101"
    outbox = Outbox(transport, Clock(), 100, 5.0, pytest.fail, lambda: None, an_account())
    outbox.deliver(b"info", b"info")
    outbox.control(b"ping")
    assert transport.sent == b"HTTP/1.1 101ping"
    transport.drain(1)
    assert transport.sent == b"HTTP/1.1 101pinginfo"


@BOTH
def test_a_reader_that_keeps_up(kind: type[Tls]) -> None:
    """It gets everything at once, and nothing is dropped or asked for again."""
    bench = Bench(kind)
    for number in range(5):
        bench.outbox.deliver(b"<%d>" % number, b"")
    assert (bench.sent, bench.outbox.dropped, bench.out) == (b"<0><1><2><3><4>", 0, [])
    assert not bench.outbox.behind


@BOTH
def test_a_slow_reader(kind: type[Tls]) -> None:
    """Meanwhile positions are dropped and events wait; then these come in order, and it is refreshed."""
    bench = Bench(kind)
    bench.stall()
    assert bench.outbox.behind
    bench.outbox.deliver(b"a+p", b"a")
    bench.outbox.deliver(b"p", b"")
    bench.outbox.deliver(b"b", b"b")
    assert (bench.sent, bench.outbox.dropped) == (b"[", 2)
    bench.transport.drain(1000)
    assert (bench.sent, bench.out) == (b"[]ab", ["resumed"])
    bench.outbox.deliver(b"c+p", b"c")
    assert bench.sent == b"[]abc+p"


@BOTH
def test_a_slow_reader_that_missed_nothing(kind: type[Tls]) -> None:
    """Who got everything, if late, needs no fresh snapshot."""
    bench = Bench(kind)
    bench.stall()
    bench.outbox.deliver(b"a", b"a")
    bench.transport.drain(1000)
    assert (bench.sent, bench.out) == (b"[]a", [])


@BOTH
def test_one_that_falls_behind_again_at_once(kind: type[Tls]) -> None:
    """It is refreshed when it has caught up for good, and once."""
    bench = Bench(kind)
    bench.stall()
    bench.outbox.deliver(b"abc+p", b"abc")
    bench.transport.drain(2)
    assert (bench.sent, bench.outbox.behind) == (b"[]a", True)
    bench.transport.drain(1000)
    assert bench.sent == b"[]abc"
    assert bench.out == ["resumed"]


@BOTH
def test_an_outbox_that_overflows(kind: type[Tls]) -> None:
    """Events over the limit end it, once, with the reason; nothing more is sent or kept."""
    bench = Bench(kind, limit=10)
    for _ in range(2):
        bench.stall()
        bench.outbox.deliver(b"p" * 100, b"")
        bench.outbox.deliver(b"1234567890", b"1234567890")
        bench.transport.drain(1000)
    assert bench.out == ["resumed"] * 2
    bench.stall()
    for number in range(3):
        bench.outbox.deliver(b"1234567890"[number:], b"1234567890"[number:])
        assert bench.out == ["resumed"] * 2 + ["outbox full"] * (number > 0)
    bench.transport.drain(1000)
    bench.outbox.deliver(b"e", b"e")
    assert (bench.sent, bench.out) == (b"[]1234567890" * 2 + b"[]", ["resumed"] * 2 + ["outbox full"])


@BOTH
def test_a_reader_that_tries_our_patience(kind: type[Tls]) -> None:
    """Behind for longer than the patience, it is ended, once; before, or after it caught up, it is not."""
    bench = Bench(kind)
    bench.stall()
    bench.clock.advance(5.0)
    bench.outbox.deliver(b"p", b"")
    bench.transport.drain(1000)
    bench.stall()
    bench.clock.advance(5.0)
    bench.outbox.deliver(b"p", b"")
    assert bench.out == ["resumed"]
    bench.clock.advance(0.1)
    bench.outbox.deliver(b"p", b"")
    bench.outbox.deliver(b"p", b"")
    assert bench.out == ["resumed", "too slow"]


def test_a_socket_that_fails() -> None:
    """An error on writing is left to the transport, which closes; nothing raises, nothing more is sent."""
    bench = Bench(Tcp)
    assert isinstance(bench.transport, Tcp)
    bench.transport.error = ConnectionResetError()
    bench.transport.room = 0
    bench.outbox.deliver(b"a", b"a")
    assert (bench.outbox.behind, bench.transport.buffer) == (True, b"a")
    bench.outbox.stopProducing()
    bench.outbox.deliver(b"b", b"b")
    bench.outbox.resumeProducing()
    assert bench.sent == b""


@BOTH
def test_what_is_long_stays_one_object(kind: type[Tls]) -> None:
    """Of what is sent in part, the transport gets pieces as the reader takes them; a ping goes in between."""
    bench = Bench(kind, room=10, limit=1 << 20)
    long, more = bytes(range(256)) * 1024, b"more"
    bench.outbox.deliver(long, long)
    bench.outbox.deliver(more, more)
    bench.outbox.control(b"ping")
    assert len(bench.transport.buffer) <= PIECE
    assert bench.account.shared == len(long) + len(more)
    assert bench.outbox.loaded
    while bench.outbox.behind:
        assert len(bench.transport.buffer) <= PIECE
        bench.transport.drain(50_000)
    assert bench.sent == long + b"ping" + more
    bench.account.settle()
    assert bench.account.held == 0
    assert not bench.outbox.loaded


@BOTH
def test_a_goodbye_does_not_cut_a_frame(kind: type[Tls]) -> None:
    """What has been begun is sent to its end before the close frame; what only waited is not."""
    bench = Bench(kind, room=10, limit=1 << 20)
    long = b"x" * 200_000
    bench.outbox.deliver(long, long)
    bench.outbox.deliver(b"more", b"more")
    bench.outbox.control(b"close")
    bench.outbox.stopProducing()
    for _ in range(5):
        bench.transport.drain(100_000)
    assert bench.sent == long + b"close"


@given(
    st.lists(st.one_of(st.tuples(st.integers(1, 6), st.booleans()), st.integers(1, 30)), max_size=40),
    st.sampled_from([Tcp, Tls]),
)
def test_whatever_the_reader_does(steps: list[Any], kind: type[Tls]) -> None:
    """Every event arrives whole, once, in order; what is missing are positions only, and they are counted."""
    bench = Bench(kind, room=5, limit=10_000)
    whole = durable = b""
    for number, step in enumerate(steps):
        if isinstance(step, int):
            bench.transport.drain(step)
        else:
            size, lasting = step
            data = (b"E" if lasting else b"p") + b"%03d" % number + b"." * size
            whole += data
            durable += data if lasting else b""
            bench.outbox.deliver(data, data if lasting else b"")
    bench.transport.drain(10_000)
    bench.transport.drain(10_000)
    events = [piece for piece in pieces(bench.sent) if piece.startswith(b"E")]
    assert b"".join(pieces(bench.sent)) == bench.sent
    assert b"".join(events) == durable
    assert len(pieces(whole)) - len(pieces(bench.sent)) == bench.outbox.dropped
    assert set(bench.out) == ({"resumed"} if bench.outbox.dropped else set())


def pieces(data: bytes) -> list[bytes]:
    """What was delivered, piece by piece."""
    return re.findall(rb"[Ep]\d{3}\.+", data)
