"""Attacks by mere quantity: requests, messages, bytes, connections."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from ..framing import DEFLATED, MORE, PING, TEXT, frame, request, upgrade
from .field import Field, Swarm
from .siege import Attack
from .wire import DEFLATE_OFFER, deflate, message, post

#: What a connection is given to send at once (bytes).
BATCH: Final = 131_072
#: Connections that a storm has open at once.
MOST_OPEN: Final = 5000
#: Begins a connection, and what it sends again and again; by number.
Kind = Callable[[int], tuple[bytes, bytes]]


def flood(field: Field, count: int, addresses: Iterator[str], kind: Kind) -> None:
    """`count` connections that send at full speed, and come again when they are ended."""
    kinds = [kind(number) for number in range(min(count, 60))]
    batches = [(first, again * (BATCH // len(again) + 1)) for first, again in kinds]
    with Swarm(field) as swarm:
        for number in range(count):
            swarm.open(next(addresses), *batches[number % len(batches)])
        while field.going_on:
            for _ in range(swarm.turn()):
                swarm.open(next(addresses), *field.rng.choice(batches))
            swarm.repeat()


#: What asks much for little, over HTTP.
REQUESTS: Final = (
    request("GET", "/api/events?limit=200"), request("GET", "/metrics"), request("GET", "/"),
    post("describe"), post("register", agentId="mallory"),
    post("world-chat", agentId="mallory", text="spam " * 90),
)  # fmt: skip
#: And over a WebSocket.
MESSAGES: Final = (
    message(type="subscribe"), message(type="requestProfiles", id=1), message(type="describe", id=1),
    message(type="room-events", limit=200, id=1),
    message(type="world-chat", agentId="mallory", text="spam " * 90),
    message(type="playerJoin", name="mallory") + message(type="playerLeave"), frame(PING, b"x" * 125),
)  # fmt: skip


def hungry(number: int) -> tuple[bytes, bytes]:
    """One of those: half of them over a WebSocket."""
    if number % 2:
        return upgrade(), MESSAGES[number // 2 % len(MESSAGES)]
    return b"", REQUESTS[number // 2 % len(REQUESTS)]


def one_address(field: Field) -> None:
    flood(field, field.strength(60), field.strangers(1, 1), hungry)


def many_addresses(field: Field) -> None:
    """Each network on its own stays below what one may."""
    flood(field, field.strength(120), field.strangers(100, 4), hungry)


def large(number: int) -> tuple[bytes, bytes]:
    """A message of 64 KiB: a request, a frame, or one in pieces; valid to the last byte."""
    fields = {"type": "world-chat", "command": "world-chat", "agentId": "mallory", "text": "x" * 65_000}
    text = json.dumps(fields).encode()
    match number % 3:
        case 0:
            return b"", request("POST", "/ipc", text)
        case 1:
            return upgrade(), frame(TEXT, text)
    frames = [
        frame(MORE if at else TEXT, text[at : at + 1000], fin=False) for at in range(0, len(text), 1000)
    ]
    return upgrade(), b"".join(frames) + frame(MORE)


def large_messages(field: Field) -> None:
    flood(field, field.strength(30), field.strangers(20, 4), large)


@cache
def bomb(number: int) -> tuple[bytes, bytes]:
    """Some 50 KB that inflate to 50 MB: JSON, or what is none; whole, or in two frames."""
    inside = (b'{"type":"%b"}' if number % 2 else b"%b") % (b"x" * 50_000_000)
    packed = deflate(inside)
    half = len(packed) // 2
    whole = frame(TEXT | DEFLATED, packed)
    split = frame(TEXT | DEFLATED, packed[:half], fin=False) + frame(MORE, packed[half:])
    return upgrade(sec_websocket_extensions=DEFLATE_OFFER), whole if number % 4 < 2 else split


def bombs(field: Field) -> None:
    flood(field, field.strength(20), field.strangers(20, 4), lambda number: bomb(number % 4))


def storm(field: Field) -> None:
    """Connections that end as soon as they are there: in order, reset, in the middle of a handshake."""
    addresses = field.strangers(100, 4)
    with Swarm(field) as swarm:
        while field.going_on:
            for _ in range(min(field.strength(40), MOST_OPEN - len(swarm.clients))):
                swarm.open(next(addresses), field.rng.choice((b"", b"GET / HT", upgrade())))
            swarm.turn()
            for client in list(swarm.clients):
                if not client.out:
                    swarm.drop(client, hard=field.rng.random() < 0.5)


FLOOD: Final = "flood door=(http|websocket) peer=198"
ONE_ADDRESS: Final = Attack("flood_by_one_address", one_address, FLOOD)
MANY_ADDRESSES: Final = Attack("flood_by_many_addresses", many_addresses, FLOOD)
LARGE: Final = Attack("large_messages", large_messages, FLOOD)
BOMBS: Final = Attack("compressed_bombs", bombs, FLOOD)
STORM: Final = Attack("connect_disconnect_storm", storm, "ECONNRESET door=http peer=198")
