"""The decoder of the operator's protocol: whatever the line, an order or a sentence with a code."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realmd.primitives.errors import Fault
from realmd.protocol.control import ORDERS, VERSION, Order, decode

KINDS: dict[str, type] = {str(cls.__struct_config__.tag): cls for cls in get_args(ORDERS)}
#: Text as JSON can carry it: no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NAMES = sorted({name for cls in KINDS.values() for name in cls.__struct_fields__} - {"v"})


def decoded(line: bytes) -> Order | str:
    """The order, or the code of the Fault, whose sentence can be sent; any other exception is an error."""
    try:
        order: Order = decode(line)
        return order
    except Fault as fault:
        str(fault).encode()
        return fault.code


@given(st.binary())
@example(b"[" * 16_000)
@example(b'{"v":1,"command":"ban","x":' + b"[" * 8000 + b"]" * 8000 + b"}")
@example(b'{"v":1,"command":"say","text":"\\ud800"}')
@example(b'{"v":1,"command":"say","text":"\xff"}')
@example(b'{"v":' + b"9" * 5000 + b"}")
def test_any_line_is_an_order_or_a_sentence(line: bytes) -> None:
    """Nothing that is sent to the control socket becomes an exception of another kind."""
    assert decoded(line) in ("malformed", "version") or isinstance(decoded(line), Order)


@given(st.sampled_from(sorted(KINDS)), st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4))
def test_what_is_understood_comes_through_whole(name: str, fields: dict[str, Any]) -> None:
    """An order arrives as it was sent, or is refused; what is written again is read as the same."""
    order = decoded(json.dumps({"v": VERSION, "command": name, **fields}).encode())
    if isinstance(order, Order):
        assert type(order) is KINDS[name]
        assert {field: getattr(order, field) for field in fields} == fields
        assert decode(msgspec.json.encode(order)) == order
    else:
        assert order == "malformed"


@pytest.mark.parametrize("version", ["0", "2", "null", '"1"', "1.5", "true"])
def test_another_version_is_refused(version: str) -> None:
    """Nothing is done for a program that may mean something else by its words."""
    assert decoded(b'{"v":%b,"command":"who"}' % version.encode()) in ("version", "malformed")
