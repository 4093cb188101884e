"""The decoders of the classic protocol: whatever the bytes, a struct or a sentence."""

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
from realmd.protocol.classic import (
    MOST_LEVELS,
    WISHES,
    Wish,
    decode_ask,
    decode_ipc,
    decode_message,
    token_in,
)
from realmd.world.commands import COMMANDS, Command
from realmd.world.queries import QUERIES, Query

ASKS: dict[str, type] = {**COMMANDS, **QUERIES}
WISH_TYPES: dict[str, type] = {str(cls.__struct_config__.tag): cls for cls in Wish.__subclasses__()}
#: Text as JSON can carry it: no lone surrogates.
TEXT = st.characters(exclude_categories=["Cs"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(TEXT, max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(TEXT, max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Valid JSON values of a declared type."""
    match kind:
        case inspect.Metadata(type=inner):
            return values(inner)
        case inspect.StrType(pattern=str(pattern), max_length=most):
            matching = st.from_regex(pattern, fullmatch=True)
            # Python's $ also matches before a last line feed, PCRE's too: those are no matches here.
            fitting = matching.filter(lambda text: re.search("[\ud800-\udfff\n]", text) is None)
            return fitting.map(lambda text: text[:most] if most else text)
        case inspect.StrType(min_length=least, max_length=most):
            return st.text(TEXT, min_size=least or 0, max_size=min(most or 40, 40))
        case inspect.LiteralType(values=allowed):
            return st.sampled_from(allowed)
        case inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case inspect.IntType():
            return st.integers(-(2**63), 2**63 - 1)
        case inspect.BoolType():
            return st.booleans()
        case inspect.VarTupleType(item_type=item):
            return st.lists(values(item), max_size=4)
        case inspect.UnionType(types=types):
            return st.one_of([values(t) for t in types])
        case inspect.NoneType():
            return st.none()
        case inspect.StructType():
            return objects(kind)
        case inspect.DictType():
            return st.dictionaries(st.text(TEXT, max_size=8), JSON, max_size=4)
        case inspect.AnyType():
            return JSON
    raise AssertionError(kind)


def objects(kind: inspect.StructType) -> st.SearchStrategy[dict[str, Any]]:
    fields = {field.encode_name: (field.required, values(field.type)) for field in kind.fields}
    if "color" in fields:
        fields["color"] = (False, st.sampled_from(["", "red", "#F00", "#e67e22cc", "hsl(17, 77%, 56%)"]))
    return st.fixed_dictionaries(
        {name: value for name, (required, value) in fields.items() if required},
        optional={name: value for name, (required, value) in fields.items() if not required},
    )


def of(struct: type) -> st.SearchStrategy[dict[str, Any]]:
    kind = inspect.type_info(struct)
    assert isinstance(kind, inspect.StructType)
    return objects(kind)


#: (name, arguments that are right)
RIGHT = st.sampled_from(sorted(ASKS)).flatmap(lambda name: st.tuples(st.just(name), of(ASKS[name])))
#: Anything that could stand where arguments do.
ANY_ARGS = JSON | st.dictionaries(st.sampled_from(["agentId", "text", "x", "z", "since", "payload"]), JSON)


def decoded(decode: Any, *args: Any) -> Any:
    """What it decodes to, or the Fault's sentence; any other exception is an error."""
    try:
        return decode(*args)
    except Fault as fault:
        return str(fault).encode().decode()  # it can be sent


@given(st.binary())
@example(b"\xff\xfe")
@example(b'{"command":"\xff","args":{}}')
@example(b'{"command":"world-chat","args":{"agentId":"a","text":"\xed\xa0\x80"}}')
@example(b'{"command":"world-chat","args":{"agentId":"a","text":"\\ud800 half"}}')
@example(b'{"type":"world-chat","agentId":"a","text":"\xff","id":1}')
@example(b'{"type":"follow","agentId":"\xc3"}')
@example(b"[" * 60_000)
@example(b'{"command":"profiles","args":{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}}")
@example(b'{"type":"subscribe","id":' + b"[" * 30_000 + b"]" * 30_000 + b"}")
@example(b'{"type":"subscribe","id":' + b"9" * 60_000 + b"}")
def test_any_bytes_are_an_ask_or_a_sentence(data: bytes) -> None:
    """Whoever sends nonsense is told so; it never becomes an exception of another kind."""
    assert isinstance(decoded(decode_ipc, data), Command | Query | str)
    assert isinstance(decoded(decode_message, data), tuple | str)
    assert isinstance(decoded(token_in, b'{"token":' + data), str | None)
    assert isinstance(decoded(token_in, b'{"args":{"token":' + data), str | None)
    for name in ("register", "world-chat", "agent-request", "room-events", "no-such"):
        assert isinstance(decoded(decode_ask, name, data), Command | Query | str)


@given(st.sampled_from([*sorted(ASKS), *WISHES, "no-such"]), ANY_ARGS, JSON)
def test_any_json_is_an_ask_or_a_sentence(name: str, args: Any, mark: Any) -> None:
    """Well-formed JSON of the wrong shape is answered with a sentence, with the id it came with."""
    assert isinstance(
        decoded(decode_ipc, json.dumps({"command": name, "args": args}).encode()), Command | Query | str
    )
    message = {**(args if isinstance(args, dict) else {"args": args}), "type": name, "id": mark}
    try:
        ask, echoed = decode_message(json.dumps(message).encode())
        assert isinstance(ask, Command | Query | Wish)
    except Fault as fault:
        echoed = fault.mark
    assert echoed is None or echoed == mark


@given(RIGHT, st.dictionaries(st.text(TEXT, max_size=10).map(lambda key: f"?{key}"), JSON, max_size=3))
def test_what_is_valid_comes_through_whole(
    right: tuple[str, dict[str, Any]], unknown: dict[str, Any]
) -> None:
    """Valid arguments arrive as they were sent, by either door; fields that nobody knows are ignored."""
    name, args = right
    sent = json.dumps({**unknown, **args}).encode()
    ask = decode_ask(name, sent)
    assert type(ask) is ASKS[name]
    assert decode_ask(name, msgspec.json.encode(ask)) == ask
    assert decode_ipc(b'{"command":"%b","args":%b}' % (name.encode(), sent)) == ask
    if "id" not in args and "type" not in args:
        message = json.dumps({**unknown, **args, "type": name, "id": "m1"}).encode()
        assert decode_message(message) == (ask, "m1")


@given(st.sampled_from(sorted(WISH_TYPES)).flatmap(lambda t: st.tuples(st.just(t), of(WISH_TYPES[t]))))
def test_what_a_viewer_wishes_comes_through_whole(wish: tuple[str, dict[str, Any]]) -> None:
    """Every message of a viewer or a human arrives as it was sent."""
    kind, fields = wish
    found, mark = decode_message(json.dumps({**fields, "type": kind}).encode())
    assert type(found) is WISH_TYPES[kind]
    assert mark is None
    assert decode_message(msgspec.json.encode(found)) == (found, None)


@given(JSON, JSON)
def test_a_token_is_a_text_or_none(beside: Any, among: Any) -> None:
    """A token that comes with a command is taken as it is, from beside its arguments or among them."""
    found = decoded(token_in, json.dumps({"token": beside, "args": {"token": among}}).encode())
    if isinstance(beside, str | None) and isinstance(among, str | None):
        assert found == (beside or among)
    else:
        assert "expected `str | null`" in found


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400])
def test_numbers_too_large_to_be_finite_are_refused(number: str) -> None:
    """A position is never infinite."""
    args = '{"agentId": "a", "x": %s, "z": 0}' % number  # noqa: UP031
    with pytest.raises(Fault, match="must be finite numbers"):
        decode_ask("world-move", args.encode())
    with pytest.raises(Fault, match="must be finite numbers"):
        decode_message(f'{{"type": "viewport", "x": 0, "z": {number}}}'.encode())


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "nan", "+1", "01", ".5"])
def test_words_for_numbers_that_json_does_not_know_are_refused(word: str) -> None:
    """NaN and its like never reach the world."""
    with pytest.raises(Fault, match="Invalid JSON"):
        decode_ask("world-move", b'{"agentId": "a", "x": %b}' % word.encode())


@pytest.mark.parametrize(("name", "field"), [("agent-request", "payload"), ("agent-respond", "response")])
def test_what_agents_send_one_another_is_not_nested_without_end(name: str, field: str) -> None:
    """What is accepted can be stored, sent and read by everyone; deeper nesting is refused."""
    args: dict[str, Any] = {"agentId": "a", "toAgentId": "b", "requestType": "task", "requestId": "r"}
    deepest: Any = 1
    for _ in range(MOST_LEVELS // 2):
        deepest = {"a": [deepest]}
    assert decode_ask(name, json.dumps({**args, field: deepest}).encode())
    with pytest.raises(Fault, match="nested too deeply"):
        decode_ask(name, json.dumps({**args, field: [1, [deepest]]}).encode())


@pytest.mark.parametrize("agent_id", ["", "x" * 65, "a\x00b", "a\nb", "\x7f", "\x85", 7, None, ["a"]])
def test_an_agent_id_is_a_short_printable_text(agent_id: Any) -> None:
    """What cannot be shown in a list of names is no name; the old words are in the answer."""
    with pytest.raises(Fault, match="agentId required"):
        decode_ask("world-leave", json.dumps({"agentId": agent_id}).encode())


def test_a_mark_that_is_no_short_text_or_number_is_not_echoed() -> None:
    """An id cannot be used to have something large sent back."""
    for mark in ("x" * 65, 10**70, ["a"], {"a": 1}, 1.5, None):
        assert decode_message(json.dumps({"type": "subscribe", "id": mark}).encode())[1] is None
    for good in ("x" * 64, 10**60, 0, -1, ""):
        assert decode_message(json.dumps({"type": "subscribe", "id": good}).encode())[1] == good
