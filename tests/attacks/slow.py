"""Attacks that take their time: connections that promise something and do not end it, or say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..framing import MORE, TEXT, frame, upgrade
from .field import Field, Swarm
from .siege import Attack
from .wire import message, post

#: So that a test sees more than one round of it; the defaults are 10 and 75 s.
BRIEF: Final = {
    "REALMD_SERVER_HANDSHAKE_TIMEOUT_S": "1",
    "REALMD_SERVER_IDLE_TIMEOUT_S": "2",
    "REALMD_SERVER_OUTBOX_PATIENCE_S": "1",
}
#: So that they are taken even by an attacker to whom a busy machine gives little; the default is 2,000.
FEW_PLACES: Final = {"REALMD_SERVER_MAX_CONNECTIONS": "600"}
HEAD: Final = b"POST /ipc HTTP/1.1\r\nHost: localhost\r\n"
#: Connections that an attacker keeps open, and how long (s) one of them waits before it goes on.
MANY: Final = 400
STEP: Final = 0.1


def trickle(field: Field, make: Callable[[int], tuple[bytes, bytes]], deaf: bool = False) -> None:
    """Connections from many networks that begin, and then send a little from time to time.

    `make(number)` is what they begin with, and what they go on with.  Who is hung up on comes again.
    """
    addresses = field.strangers(networks=50, hosts=20)
    count = field.strength(MANY)
    with Swarm(field, deaf) as swarm:
        for number in range(count):
            swarm.open(next(addresses), *make(number))
        while field.going_on:
            swarm.repeat()
            for _ in range(5):
                for _ in range(swarm.turn(STEP / 5)):
                    swarm.open(next(addresses), *make(field.rng.randrange(count)))
                field.stop.wait(STEP / 5)


def headers(field: Field) -> None:
    trickle(field, lambda number: (HEAD, b"X-%d: y\r\n" % number))


def body(field: Field) -> None:
    """Byte by byte, of a length that is allowed."""
    trickle(field, lambda number: (HEAD + b"Content-Length: 60000\r\n\r\n{", b" "))


def handshake(field: Field) -> None:
    """The opening handshake of a WebSocket, which does not come to its end."""
    trickle(field, lambda number: (upgrade()[:-2], b"X"))


def frames(field: Field) -> None:
    """Messages that go on and on: fragments without a last one, and one frame of 2^62 bytes."""
    kinds = (
        (frame(TEXT, b'{"type":"', fin=False), frame(MORE, b"x" * 4000, fin=False)),
        (bytes((0x81, 0xFF)) + (1 << 62).to_bytes(8, "big") + bytes(4), b"x" * 4000),
    )

    def make(number: int) -> tuple[bytes, bytes]:
        first, again = kinds[number % 2]
        return upgrade() + first, again

    trickle(field, make)


def deaf(field: Field) -> None:
    """Viewers who ask for much, and take nothing of what they are sent."""
    asked = message(type="describe", id=1) * 8

    def make(number: int) -> tuple[bytes, bytes]:
        return (upgrade(), asked) if number % 2 else (post("describe") * 8, post("describe"))

    trickle(field, make, deaf=True)


def half_open(field: Field) -> None:
    """5,000 connections that say nothing, of 50 networks; who is hung up on comes again."""
    addresses = field.strangers(networks=50, hosts=20)
    with Swarm(field) as swarm:
        for _ in range(50):
            for _ in range(100):
                swarm.open(next(addresses))
            swarm.turn(0)
        while field.going_on:
            for _ in range(min(swarm.turn(STEP), 100)):
                swarm.open(next(addresses))
            field.stop.wait(STEP)


TIMEOUT: Final = "connection timeout door=http peer=198"
HEADERS: Final = Attack("slow_headers", headers, TIMEOUT, BRIEF)
BODY: Final = Attack("slow_body", body, TIMEOUT, BRIEF)
HANDSHAKE: Final = Attack("slow_handshake", handshake, TIMEOUT, BRIEF)
FRAMES: Final = Attack("endless_frames", frames, "offence kind=message door=websocket peer=198", BRIEF)
DEAF: Final = Attack(
    "readers_that_never_read",
    deaf,
    "(buffer overflow|connection timeout|ECONNRESET) door=(websocket|http) peer=198",
    BRIEF,
)
#: They come for every place that gets free, so most newcomers find none meanwhile.
#: While 5,000 come at once, the first have the places until each has had half a second.
HALF_OPEN: Final = Attack(
    "half_open_connections", half_open, "connection limit reached limit=total", FEW_PLACES, turned_away=0.9
)
