"""A pubkey has one spelling behind the decoders, whatever is sent and by which door."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.identity import bech32
from realmd.primitives.errors import Fault
from realmd.protocol import classic, control
from realmd.world.commands import COMMANDS, Command, Register
from realmd.world.queries import QUERIES

keys = st.binary(min_size=32, max_size=32)
blanks = st.text(st.sampled_from(" \t\r\n\u00a0\u2003\u3000"), max_size=3)


@st.composite
def spelt(draw: st.DrawFn) -> tuple[str, str]:
    """A key in hex, and one of the ways to write it."""
    key = draw(keys)
    npub = bech32.encode("npub", key)
    mixed = "".join(draw(st.sampled_from((c.lower(), c.upper()))) for c in key.hex())
    text = draw(st.sampled_from((key.hex(), key.hex().upper(), mixed, npub, npub.upper())))
    return key.hex(), f"{draw(blanks)}{text}{draw(blanks)}"


def named(structs: Any) -> dict[str, set[str]]:
    """The fields that hold a key, by the name of what is asked."""
    found: dict[str, set[str]] = {}
    for struct in structs:
        fields = {field.name for field in msgspec.structs.fields(struct)}
        if keyed := {name for name in fields if {"pubkey", "npub", "owner"} & {*name.split("_")}}:
            found[str(struct.__struct_config__.tag)] = keyed
    return found


def test_every_field_that_carries_a_key_is_known() -> None:
    """Nothing that outsiders or operators send gets a key in a field that the decoders do not know."""
    assert named([*COMMANDS.values(), *QUERIES.values()]) == {"register": {"pubkey"}}
    orders = {"mute", "ban", "unmute", "unban", "revoke"}
    assert named(get_args(control.ORDERS)) == {order: {"pubkey"} for order in orders}


@given(spelt())
def test_a_key_is_written_in_one_way(given: tuple[str, str]) -> None:
    """Hex or npub, in capitals or mixed, with blanks: by each door and from the operator it is the same."""
    key, text = given
    args = {"agentId": "ann", "pubkey": text}
    asked = classic.decode_ipc(json.dumps({"command": "register", "args": args}).encode())
    message, _ = classic.decode_message(json.dumps({"type": "register", **args}).encode())
    for ask in (asked, message):
        assert isinstance(ask, Register)
        assert ask.pubkey == key
    for order in ("mute", "ban", "unmute", "unban", "revoke"):
        line = json.dumps({"v": 1, "command": order, "pubkey": text}).encode()
        if len(text) <= 70:
            assert control.decode(line).pubkey == key


@given(st.one_of(st.text(max_size=128), keys.map(lambda key: f"{key.hex()[:30]}\u200b{key.hex()[30:]}")))
def test_what_is_no_key_is_nobodys(text: str) -> None:
    """A text that is no key was not given, as an old client may send any; an operator is told."""
    body = json.dumps({"command": "register", "args": {"agentId": "ann", "pubkey": text}}).encode()
    try:
        bech32.pubkey_of(text)
        return
    except bech32.BadBech32:
        pass
    try:
        asked: Command | Any = classic.decode_ipc(body)
    except Fault:  # half a surrogate pair
        return
    assert asked.pubkey in (msgspec.UNSET, "")
    with pytest.raises(Fault):
        control.decode(json.dumps({"v": 1, "command": "ban", "pubkey": text}).encode())
