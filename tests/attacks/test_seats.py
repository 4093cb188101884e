"""One address, or one network, that registers as many agents as the room has seats, and more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..process.daemon import Daemon
from .field import Field, Stranger
from .siege import BEHIND_PROXIES
from .wire import post

HOARDER = "198.51.100.7"
FRIEND = "192.0.2.50"
SEATS = 50


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A realm with 50 seats, behind a proxy."""
    daemon = Daemon(tmp_path, settings=BEHIND_PROXIES).ready()
    yield daemon
    daemon.kill()
    assert daemon.faults() == []


def register(field: Field, names: list[str], address: str) -> tuple[dict[str, str], Counter[str]]:
    """Register them all from `address`: name → token of those who got in, and how the others were refused."""
    tokens, refused = {}, Counter[str]()
    with Stranger(field, address) as line:
        for name in names:
            answer = line.ask(post("register", agentId=name)).json
            if answer.get("ok"):
                tokens[name] = answer["token"]
            else:
                refused[answer["code"]] += 1
    return tokens, refused


def present(field: Field) -> int:
    with Stranger(field, FRIEND) as line:
        seats: int = line.ask(post("room-info")).json["agents"]
        return seats


def test_one_address_does_not_take_every_seat(daemon: Daemon, tmp_path: Path) -> None:
    """Of 60 registrations half the room is the address's; a person and agents from elsewhere come in."""
    field = Field(daemon.port, tmp_path)
    tokens, refused = register(field, [f"h{number}" for number in range(60)], HOARDER)
    assert (len(tokens), refused) == (SEATS // 2, Counter(crowded=60 - SEATS // 2))
    with Stranger(field, FRIEND).upgrade() as person:
        person.tell(type="playerJoin", name="Nora")
        assert person.next("playerJoined")["agentId"].startswith("human-")
        friends, refused = register(field, ["ann", "bob"], FRIEND)
        assert (len(friends), refused) == (2, Counter())
        assert present(field) == SEATS // 2 + 3


def test_a_full_room_has_room_for_people_and_for_who_was_here(daemon: Daemon, tmp_path: Path) -> None:
    """With every seat taken by newcomers from everywhere, a person and an agent that returns get in."""
    field = Field(daemon.port, tmp_path)
    friends, _ = register(field, ["ann"], FRIEND)
    with Stranger(field, FRIEND) as line:
        assert line.ask(post("world-leave", friends["ann"], agentId="ann")).json["ok"]
    taken: dict[str, str] = {}
    for network in ("198.51.100", "203.0.113"):
        for host in range(2):
            names = [f"h{network}-{host}-{number}" for number in range(15)]
            taken |= register(field, names, f"{network}.{host + 1}")[0]
    assert present(field) == len(taken) == SEATS
    assert register(field, ["eve"], FRIEND)[1] == Counter(room_full=1)
    with Stranger(field, FRIEND) as line:
        assert line.ask(post("world-chat", friends["ann"], agentId="ann", text="I am back")).json["ok"]
    with Stranger(field, FRIEND).upgrade() as person:
        person.tell(type="playerJoin", name="Nora")
        assert person.next("playerJoined")["agentId"].startswith("human-")
        with Stranger(field, FRIEND) as line:
            told = line.ask(post("room-events", limit=200)).json["events"]
        gone = [e["agentId"] for e in told if e["worldType"] == "leave" and e["reason"] == "displaced"]
        assert len(gone) == 2
        assert set(gone) <= taken.keys()
        assert present(field) == SEATS
