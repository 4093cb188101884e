"""What old clients send and strict JSON has not: nothing for null, half an emoji, and colours of CSS."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import inspect

from realmd.primitives.errors import Fault
from realmd.protocol.classic import WISHES, Wish, decode_ask, decode_ipc, decode_message, token_in
from realmd.protocol.leniency import mend
from realmd.world.commands import COMMANDS, WorldChat
from realmd.world.queries import QUERIES
from realmd.world.text.colours import NAMES, hexadecimal

ASKS: dict[str, type] = {**COMMANDS, **QUERIES}
WISH_TYPES: dict[str, type] = {str(one.__struct_config__.tag): one for one in Wish.__subclasses__()}
#: Something of each type, for what is required.
SOMETHING: dict[type, Any] = {
    inspect.StrType: "a", inspect.FloatType: 1.5, inspect.AnyType: 1, inspect.DictType: {},
    inspect.LiteralType: "task",
}  # fmt: skip
#: Texts of which JSON makes surrogates, whole pairs and halves.
TEXTS = st.text(st.characters() | st.sampled_from('\\\ud83d\udc09\ud800\udfff"u'))


def arguments(struct: type, absent: bool) -> dict[str, Any]:
    """What `struct` requires, and null for all else if asked for."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    given: dict[str, Any] = {}
    for field in info.fields:
        if field.required:
            kind = field.type.type if isinstance(field.type, inspect.Metadata) else field.type
            given[field.encode_name] = SOMETHING[type(kind)]
        elif absent:
            given[field.encode_name] = None
    return given


@pytest.mark.parametrize("name", sorted(ASKS))
def test_null_is_not_given(name: str) -> None:
    """Whatever need not be there may be null, of every command and every question."""
    bare, filled = (arguments(ASKS[name], absent) for absent in (False, True))
    wanted = decode_ask(name, json.dumps(bare).encode())
    assert decode_ask(name, json.dumps(filled).encode()) == wanted
    assert decode_ipc(json.dumps({"command": name, "args": filled}).encode()) == wanted
    for required in bare:
        if name != "agent-respond" or required != "response":  # an answer may be null
            with pytest.raises(Fault):
                decode_ask(name, json.dumps({**bare, required: None}).encode())


@pytest.mark.parametrize("kind", sorted(WISHES))
def test_null_is_not_given_by_a_viewer_either(kind: str) -> None:
    """Whatever need not be there may be null, in every message of a viewer or a visitor."""
    bare, filled = (arguments(WISH_TYPES[kind], absent) for absent in (False, True))
    wanted = decode_message(json.dumps({**bare, "type": kind}).encode())
    assert decode_message(json.dumps({**filled, "type": kind}).encode()) == wanted


def test_null_in_a_skill_is_not_given_and_in_a_payload_stays() -> None:
    """A skill without a description is one; what agents send one another is theirs."""
    skill = {"skillId": "a", "name": "A", "description": None}
    register: Any = decode_ask("register", json.dumps({"agentId": "ann", "skills": [skill]}).encode())
    assert register.skills[0].description == ""
    args = {"agentId": "a", "toAgentId": "b", "requestType": "task", "payload": {"x": None, "y": [None]}}
    asked: Any = decode_ask("agent-request", json.dumps(args).encode())
    assert asked.payload == args["payload"]


@given(TEXTS)
@example("\\\\ud83d")
@example("\ud83d")
@example("\ud83d\ud83d\udc09\udc09")
def test_half_a_pair_is_mended_and_nothing_else(text: str) -> None:
    """A text cut inside an emoji comes with a mark for its half; what was whole stays as it was."""
    sent = json.dumps({"text": text}).encode()
    mended = mend(sent)
    read = json.loads(sent)["text"]  # Python pairs what it can, and keeps halves
    assert msgspec.json.decode(mended)["text"] == re.sub("[\ud800-\udfff]", "\ufffd", read)
    if not re.search("[\ud800-\udfff]", read):
        assert mended == sent


@given(
    st.recursive(st.none() | st.integers(-9, 9) | st.text(st.characters(exclude_categories=["Cs"])), st.lists)
)
def test_valid_json_is_never_changed(value: Any) -> None:
    """What can be read as it stands is read as it stands, escaped or not."""
    for ascii_only in (True, False):
        sent = json.dumps(value, ensure_ascii=ascii_only).encode()
        assert mend(sent) == sent


def test_half_a_pair_is_heard_by_every_way_in() -> None:
    """The 500th character of an old client's text may be half an emoji: it is said, by HTTP and WebSocket."""
    args = rb'{"agentId":"a","text":"dragon \ud83d","token":"t\udc09"}'
    for ask in (
        decode_ask("world-chat", args), decode_ipc(rb'{"command":"world-chat","args":%b}' % args),
        decode_message(rb'{"type":"world-chat",%b' % args[1:])[0],
    ):  # fmt: skip
        assert isinstance(ask, WorldChat)
        assert ask.text == "dragon \ufffd"
    assert token_in(args) == "t\ufffd"
    with pytest.raises(Fault, match="Invalid JSON"):
        decode_ask("world-chat", rb'{"agentId":"a","text":"\ud83d')


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("red", "#ff0000"), ("RebeccaPurple", "#663399"), ("darkgrey", "#a9a9a9"), ("#f00", "#ff0000"),
        ("#F00C", "#ff0000"), ("#E67E22", "#e67e22"), ("#e67e2280", "#e67e22"),
        ("hsl(17, 77%, 56%)", "#e56938"), ("hsla(120deg 100% 50% / 0.5)", "#00ff00"),
        ("rgb(255 0 0)", "#ff0000"), ("rgba(0, 128, 0, .5)", "#008000"), ("rgb(100%, 0%, 50%)", "#ff0080"),
        ("hwb(0 40% 80%)", "#555555"), ("hsl(0.5turn 100% 50%)", "#00ffff"), ("rgb(300, -5, 0)", "#ff0000"),
        ("", None), ("#12345", None), ("#ggg", None), ("rgb(1, 2)", None), ("url(x)", None),
        ("hsl(1px, 1%, 1%)", None), ("javascript:", None), ("#e67e22;", None),
    ],
)  # fmt: skip
def test_a_colour_is_what_css_takes(text: str, colour: str | None) -> None:
    """An agent names its colour as a web page does, and everybody is told it in one way."""
    assert hexadecimal(text) == colour
    if text and colour is None:
        with pytest.raises(Fault, match="no colour of CSS"):
            decode_ask("register", json.dumps({"agentId": "a", "color": text}).encode())


def test_the_colours_with_names_are_those_of_css() -> None:
    """Each of CSS's 148 names is one, and grey is spelled both ways."""
    assert len(NAMES) == 148
    assert all(hexadecimal(name) == f"#{value}" == hexadecimal(f"#{value}") for name, value in NAMES.items())


@given(st.text(st.sampled_from("rgbhslwa(),.%/ 0123456789e-+#turndeg")) | st.text(max_size=64))
def test_any_text_is_a_colour_or_none(text: str) -> None:
    """No text ends in anything but a colour that can be shown, or none."""
    found = hexadecimal(text)
    assert found is None or hexadecimal(found) == found
