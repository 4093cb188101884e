"""Attacks by mere quantity: requests, messages, bytes, connections."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from .field import Client, Field, Swarm
from .wire import DEFLATE_OFFER, DEFLATED, MORE, PING, TEXT, deflate, frame, message, post, request, upgrade

KIB = 1024
#: What a connection is given to send at once.
BATCH = 128 * KIB


def flood(field: Field, count: int, addresses: Iterator[str], make: Callable[[int], tuple[bytes, bytes]]) -> None:
    """`count` connections that send at full speed, and come again when they are ended.

    `make(number)` is what a connection begins with, and what it then sends again and again.
    """
    with Swarm(field) as swarm:
        pieces: dict[Client, bytes] = {}

        def begin(number: int) -> None:
            first, piece = make(number)
            client = swarm.open(next(addresses), first)
            pieces[client] = piece * (BATCH // len(piece) + 1)
            swarm.send(client, pieces[client])

        for number in range(count):
            begin(number)
        while field.going_on:
            for ended in swarm.turn(0.01):
                del pieces[ended]
                begin(field.rng.randrange(count))
            for client in swarm.clients:
                if not client.out:
                    swarm.send(client, pieces[client])


#: What asks much for little, over HTTP.
REQUESTS = (
    request("GET", "/api/events?limit=200"), request("GET", "/metrics"), request("GET", "/"), post("describe"),
    post("register", agentId="mallory"), post("world-chat", agentId="mallory", text="spam " * 90),
)  # fmt: skip
#: And over a WebSocket.
MESSAGES = (
    message(type="subscribe"), message(type="requestProfiles", id=1), message(type="describe", id=1),
    message(type="room-events", limit=200, id=1), message(type="world-chat", agentId="mallory", text="spam " * 90),
    message(type="playerJoin", name="mallory") + message(type="playerLeave"), frame(PING, b"x" * 125),
)  # fmt: skip


def hungry(number: int) -> tuple[bytes, bytes]:
    """One of those: half of them over a WebSocket."""
    if number % 2:
        return upgrade(), MESSAGES[number // 2 % len(MESSAGES)]
    return b"", REQUESTS[number // 2 % len(REQUESTS)]


def one_address(field: Field) -> None:
    flood(field, 200 if field.full else 60, field.strangers(1, 1), hungry)


def many_addresses(field: Field) -> None:
    """Each network on its own stays below what one may."""
    flood(field, 400 if field.full else 120, field.strangers(100, 4), hungry)


def large(number: int) -> tuple[bytes, bytes]:
    """A message of 64 KiB: a request, a frame, or one in pieces; valid to the last byte."""
    text = json.dumps({"type": "world-chat", "command": "world-chat", "agentId": "mallory", "text": "x" * 65_000})
    match number % 3:
        case 0:
            return b"", request("POST", "/ipc", text.encode())
        case 1:
            return upgrade(), frame(TEXT, text.encode())
    pieces = [text.encode()[at : at + 1000] for at in range(0, len(text), 1000)]
    frames = [frame(MORE if at else TEXT, piece, fin=False) for at, piece in enumerate(pieces)]
    return upgrade(), b"".join(frames) + frame(MORE)


def large_messages(field: Field) -> None:
    flood(field, 60 if field.full else 30, field.strangers(20, 4), large)


def bomb(number: int) -> tuple[bytes, bytes]:
    """Some 50 KiB that inflate to 50 MB: JSON, or what is none; whole, or in two frames."""
    inside = (b'{"type":"%b"}' if number % 2 else b"%b") % (b"x" * 50_000_000)
    packed = deflate(inside)
    half = len(packed) // 2
    whole = frame(TEXT | DEFLATED, packed)
    split = frame(TEXT | DEFLATED, packed[:half], fin=False) + frame(MORE, packed[half:])
    return upgrade(sec_websocket_extensions=DEFLATE_OFFER), whole if number % 4 < 2 else split


def bombs(field: Field) -> None:
    kinds = [bomb(number) for number in range(4)]
    flood(field, 40 if field.full else 20, field.strangers(20, 4), lambda number: kinds[number % 4])


def storm(field: Field) -> None:
    """Connections that end as soon as they are there: in order, with a reset, or in the middle of a handshake."""
    addresses = field.strangers(100, 4)
    with Swarm(field) as swarm:
        while field.going_on:
            for _ in range(100):
                swarm.open(next(addresses), field.rng.choice((b"", b"GET / HT", upgrade())))
            swarm.turn(0.01)
            for client in list(swarm.clients):
                if not client.out:
                    swarm.drop(client, hard=field.rng.random() < 0.5)


def never_reads(field: Field) -> None:
    """Viewers, and askers for much, that take nothing of what they are sent."""
    addresses = field.strangers(20, 4)
    asks = message(type="describe", id=1) + message(type="subscribe")
    with Swarm(field, deaf=True) as swarm:
        for number in range(200 if field.full else 80):
            first = upgrade() if number % 2 else post("describe") * 20
            swarm.open(next(addresses), first)
        while field.going_on:
            for client in swarm.clients:
                if not client.out:
                    swarm.send(client, asks if client.number % 2 else post("describe"))
            for ended in swarm.turn(0.05):
                swarm.open(next(addresses), upgrade())
