"""Nostr events: what other programs sign is understood, what nobody signed is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.identity.bech32 import decode as from_bech32
from realmd.identity.errors import BadEvent
from realmd.identity.nostr_event import MOST_BYTES, MOST_CONTENT, Event, check, decode, event_id, sign
from tests.identity.signers import OWNER, event, spoilt

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "nostr.json").read_bytes())
SIGNED = msgspec.json.encode(event(1, ["t", "hello"], ["p", "é"], content="Ümläute 😀")).decode()


def code(made: Event) -> str:
    with pytest.raises(BadEvent) as caught:
        check(made)
    return caught.value.code


@pytest.mark.parametrize("program", ["nostr-tools 2.25.2", "nostr-sdk 0.45.1"])
@pytest.mark.parametrize("name", ["awkward", "challenge"])
def test_events_of_other_programs(program: str, name: str) -> None:
    """An event signed by another program is good here, down to control characters and rare Unicode."""
    vectors = VECTORS[program]
    made = decode(json.dumps(vectors[name]).encode())
    check(made)
    assert from_bech32("npub", vectors["npub"]).hex() == made.pubkey
    assert from_bech32("note", vectors["note"]).hex() == vectors["awkward"]["id"]
    ours = sign(
        from_bech32("nsec", vectors["nsec"]),
        bytes(32),
        kind=made.kind,
        created_at=made.created_at,
        tags=made.tags,
        content=made.content,
    )
    assert (ours.id, ours.pubkey) == (made.id, made.pubkey)


words = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    st.integers(0, 65535),
    st.integers(0, 2**53 - 1),
    st.lists(st.lists(words, min_size=1, max_size=4), max_size=5),
    words,
)
def test_what_is_signed_here_can_be_checked(kind: int, at: int, tags: list[list[str]], text: str) -> None:
    """Any event within the bounds goes over the wire and back and is still good."""
    made = sign(OWNER, bytes(32), kind=kind, created_at=at, tags=tags, content=text)
    again = decode(msgspec.json.encode(made))
    check(again)
    assert again == made


@given(spoilt(SIGNED))
def test_an_event_with_any_mutation_is_refused(text: str) -> None:
    """One changed character anywhere that matters, and nobody has signed it."""
    try:
        made = decode(text.encode())
        check(made)
    except BadEvent:
        return
    assert made == decode(SIGNED.encode()), "only white space or an ignored field may differ"


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_bytes_are_no_event(data: bytes) -> None:
    """Whatever is sent as an event, the answer is a `BadEvent`."""
    with pytest.raises(BadEvent, match="not a Nostr event"):
        decode(data)


@given(
    st.builds(
        Event,
        *(st.text(st.characters(), max_size=130) for _ in range(2)),
        *(st.integers() for _ in range(2)),
        st.lists(st.lists(st.text(st.characters())).map(tuple)).map(tuple),
        *(st.text(st.characters()) for _ in range(2)),
    )
)
def test_any_event_is_refused_by_code(made: Event) -> None:
    """Events that were made rather than decoded are looked at as closely, lone surrogates and all."""
    assert code(made) == "shape"


GOOD = event(1, ["t", "hello"])


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (msgspec.structs.replace(GOOD, id="0" * 64), "id"),
        (msgspec.structs.replace(GOOD, content="other"), "id"),
        (msgspec.structs.replace(GOOD, sig="0" * 128), "signature"),
        (msgspec.structs.replace(GOOD, sig=GOOD.sig.upper()), "shape"),
        (msgspec.structs.replace(GOOD, kind=65536), "shape"),
        (msgspec.structs.replace(GOOD, created_at=-1), "shape"),
        (msgspec.structs.replace(GOOD, created_at=2**70), "shape"),
        (msgspec.structs.replace(GOOD, tags=((),)), "shape"),
        (msgspec.structs.replace(GOOD, content="\ud800"), "shape"),
        (event(1, content="x" * MOST_CONTENT + "x"), "shape"),
        (event(1, content="é" * (MOST_CONTENT // 2) + "x"), "shape"),
        (event(1, *[["t", "x"]] * 2001), "shape"),
        (event(1, ["t", "x" * 8193]), "shape"),
    ],
)
def test_each_fault_has_its_code(made: Event, expected: str) -> None:
    """A client's author is told which of the three things is wrong."""
    assert code(made) == expected


def test_a_pubkey_of_no_curve_point_signs_nothing() -> None:
    """A pubkey that nobody can have a secret for is refused, not an error."""
    draft = msgspec.structs.replace(GOOD, pubkey="f" * 64)
    assert code(msgspec.structs.replace(draft, id=event_id(draft))) == "signature"


def test_bounds_hold_the_largest_that_is_allowed() -> None:
    """Sixty-four KiB of content are taken; an event past 256 KiB of JSON is not even read."""
    check(event(1, content="é" * (MOST_CONTENT // 2)))
    with pytest.raises(BadEvent):
        decode(b" " * MOST_BYTES + SIGNED.encode())


def test_unreadable_nesting_is_refused() -> None:
    """Deep JSON in a field that nobody reads costs an answer, not the daemon."""
    with pytest.raises(BadEvent):
        decode(b'{"x":' + b"[" * 100_000)
