"""Attacks that take their time: connections that promise something and do not end it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import cycle

from .field import Client, Field, Stranger, Swarm
from .siege import Attack
from .wire import MORE, TEXT, frame, ipc, post, request, upgrade

#: So that a test sees more than one round of it; the default is 10 s.
BRIEF = {"REALMD_SERVER_HANDSHAKE_TIMEOUT_S": "1"}
HEAD = b"POST /ipc HTTP/1.1\r\nHost: localhost\r\n"


def trickle(field: Field, count: int, first: bytes, drop: Iterable[bytes]) -> None:
    """`count` connections from many networks that begin with `first` and then send a drop at a time.

    Who is hung up on comes again.
    """
    addresses = field.strangers(networks=50, hosts=20)
    drops = cycle(drop)
    with Swarm(field) as swarm:
        for _ in range(count):
            swarm.open(next(addresses), first)
        while field.going_on:
            piece = next(drops)
            for client in list(swarm.clients):
                if not client.out:
                    swarm.send(client, piece)
                    field.tally["drops"] += 1
            for _ in range(5):
                for _ended in swarm.turn(0.02):
                    swarm.open(next(addresses), first)


def strong(field: Field) -> int:
    """How many slow connections there are."""
    return 1000 if field.full else 400


def slow_headers(field: Field) -> None:
    trickle(field, strong(field), HEAD, [b"X-a: b\r\n"])


def slow_body(field: Field) -> None:
    """Byte by byte, of a length that is allowed."""
    trickle(field, strong(field), HEAD + b"Content-Length: 60000\r\n\r\n", [b"{", b" "])


def slow_handshake(field: Field) -> None:
    """The opening handshake of a WebSocket, byte by byte."""
    trickle(field, strong(field), b"", [bytes([byte]) for byte in upgrade()[:-2]])


def endless_frames(field: Field) -> None:
    """Messages that go on and on: fragments without a last one, and one frame of 2^62 bytes."""
    fragment = frame(TEXT, b'{"type":"', fin=False), frame(MORE, b"x" * 64, fin=False)
    whole = bytes((0x81, 0xFF)) + (1 << 62).to_bytes(8, "big") + bytes(4), b"x" * 64
    addresses = field.strangers(networks=50, hosts=20)
    with Swarm(field) as swarm:
        pieces: dict[Client, bytes] = {}

        def begin(number: int) -> None:
            first, piece = (fragment, whole)[number % 2]
            pieces[swarm.open(next(addresses), upgrade() + first)] = piece

        for number in range(strong(field)):
            begin(number)
        while field.going_on:
            for client in swarm.clients:
                if not client.out:
                    swarm.send(client, pieces[client])
                    field.tally["pieces"] += 1
            for _ in range(5):
                for ended in swarm.turn(0.02):
                    del pieces[ended]
                    begin(field.rng.randrange(2))


def half_open(field: Field) -> None:
    """5,000 connections that say nothing, of 50 networks; and again, as soon as one is ended."""
    addresses = field.strangers(networks=50, hosts=20)
    with Swarm(field) as swarm:
        while field.going_on:
            for _ in range(min(250, 5000 - len(swarm.clients))):
                swarm.open(next(addresses))
            swarm.turn(0.005)
            field.tally["most open"] = max(field.tally["most open"], len(swarm.clients))
