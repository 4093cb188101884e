"""Owners: what a signed delegation says, and where it holds."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given

from realmd.identity.delegation import KIND, Delegation, check_delegation
from realmd.identity.errors import NotProven
from realmd.identity.nostr_event import Event, decode
from tests.identity.signers import HOUR, NOW, event, spoilt

VECTORS = json.loads((Path(__file__).parent / "vectors" / "nostr.json").read_bytes())
REALM = "ab" * 32
END = (NOW + HOUR) // 1000
D, P, ROOM, EXPIRATION = (
    ["d", "realm-delegation:ariel"],
    ["p", REALM],
    ["room", "lobby"],
    ["expiration", str(END)],
)
GOOD = event(KIND, D, P, EXPIRATION)


def checked(made: Event, now: int = NOW, pubkey: str = REALM) -> Delegation:
    return check_delegation(made, "ariel", now, room_id="lobby", pubkey=pubkey)


def code(made: Event, now: int = NOW, pubkey: str = REALM) -> str:
    with pytest.raises(NotProven) as caught:
        checked(made, now, pubkey)
    return caught.value.code


def test_an_owner_owns_until_the_end() -> None:
    """A delegation signed once holds until the second it names."""
    expected = Delegation(GOOD.pubkey, "ariel", GOOD.id, NOW, NOW + HOUR)
    assert [checked(GOOD, now) for now in (NOW - 60_000, NOW + HOUR - 1)] == [expected] * 2
    assert code(GOOD, NOW - 60_001) == "early"
    assert code(GOOD, NOW + HOUR) == "expired"


def test_a_delegation_of_another_program() -> None:
    """An owner can sign with any Nostr program."""
    made = msgspec.convert(VECTORS["nostr-sdk 0.45.1"]["delegation"], Event)
    assert checked(made, pubkey="").owner == made.pubkey


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (event(1, D, P, EXPIRATION), "kind"),
        (event(KIND, P, EXPIRATION), "agent"),
        (event(KIND, ["d", "realm-delegation:ariel2"], P, EXPIRATION), "agent"),
        (event(KIND, D, D, P, EXPIRATION), "agent"),
        (event(KIND, D, EXPIRATION), "realm"),
        (event(KIND, D, ["p", "cd" * 32], EXPIRATION), "realm"),
        (event(KIND, D, ["p", "cd" * 32], ROOM, EXPIRATION), "realm"),
        (event(KIND, D, ["room", "cellar"], P, EXPIRATION), "realm"),
        (event(KIND, D, P, P, EXPIRATION), "realm"),
        (event(KIND, D, P), "expiration"),
        (event(KIND, D, P, ["expiration", str(NOW // 1000)]), "expiration"),
        (event(KIND, D, P, ["expiration", "1e12"]), "expiration"),
        (event(KIND, D, P, ["expiration", f" {END}"]), "expiration"),
        (event(KIND, D, P, ["expiration", "9" * 5000]), "expiration"),
        (event(KIND, D, P, ["expiration", "\u0661" * 10]), "expiration"),
        (msgspec.structs.replace(GOOD, pubkey=event(1, secret=bytes(31) + b"\x04").pubkey), "id"),
        (msgspec.structs.replace(GOOD, sig="00" * 64), "signature"),
    ],
)
def test_each_fault_has_its_code(made: Event, expected: str) -> None:
    """A statement about another agent or another realm, or that nobody signed, owns nothing here."""
    assert code(made) == expected


def test_a_realm_without_a_key_is_named_by_its_room() -> None:
    """The room's id is enough where there is no realm key, and a key that is not there cannot be named."""
    assert checked(event(KIND, D, ROOM, EXPIRATION), pubkey="").agent_id == "ariel"
    assert checked(event(KIND, D, ROOM, P, EXPIRATION)).agent_id == "ariel"
    assert code(event(KIND, D, ROOM, ["p", ""], EXPIRATION), pubkey="") == "realm"


TEXT = msgspec.json.encode(GOOD).decode()


@given(spoilt(TEXT))
def test_a_delegation_with_any_mutation_is_refused(text: str) -> None:
    """Nobody can turn an owner's word about one agent into a word about another."""
    try:
        made = decode(text.encode())
        checked(made)
    except NotProven:
        return
    assert made == GOOD, "only white space may differ"
