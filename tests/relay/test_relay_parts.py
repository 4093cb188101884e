"""The small parts of a link: messages, filters, pauses, proof of work."""

from __future__ import annotations

from contextlib import suppress
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from realmd.identity import nostr_event
from realmd.identity.nostr_event import event_id
from realmd.nostr.relay.limits import limits_in
from realmd.nostr.relay.messages import Garbage, matches, parse
from realmd.nostr.relay.pace import Pauses
from realmd.nostr.relay.work import demanded, difficulty, draft_of, search

from .scene import PUBKEY, SECRET, note, sign

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
WORDS = st.sampled_from(["EVENT", "OK", "EOSE", "CLOSED", "NOTICE", "AUTH"])


@given(st.one_of(st.binary(), JSON.map(encode), st.tuples(WORDS, JSON, JSON, JSON).map(encode)))
def test_whatever_a_relay_says_is_a_message_or_garbage(payload: bytes) -> None:
    """No bytes of a relay raise anything but `Garbage`, and none make a description that raises."""
    with suppress(Garbage):
        assert parse(payload)
    assert limits_in(payload)


@given(st.integers(0, 30), st.integers())
def test_pauses_double_to_a_longest_and_are_never_the_same_for_all(failures: int, seed: int) -> None:
    """Relays are asked ever more seldom, and realms that lost one together do not come back together."""
    pauses = Pauses(Random(seed), 2.0, 300.0)
    for number in range(failures):
        longest = min(300.0, 2.0 * 2**number)
        assert longest / 2 <= pauses.next() <= longest
    pauses.reset()
    assert pauses.next() <= 2.0


def test_a_filter_asks_for_what_nip_01_says() -> None:
    """A relay cannot slip in an event of another author, kind, time or tag."""
    event = note("x", 42, 1000, ("e", "channel"), ("client", "realmd"))
    for filter, expected in (
        ({}, True),
        ({"kinds": [1, 42], "authors": [PUBKEY], "ids": [event.id]}, True),
        ({"kinds": [1]}, False),
        ({"authors": ["0" * 64]}, False),
        ({"ids": []}, False),
        ({"since": 1000, "until": 1000, "limit": 0}, True),
        ({"since": 1001}, False),
        ({"until": 999}, False),
        ({"#e": ["other", "channel"]}, True),
        ({"#e": ["other"]}, False),
        ({"#p": ["channel"]}, False),
    ):
        assert matches(filter, event) is expected, filter


@given(st.text().filter(lambda text: text.isprintable()), st.integers(0, 9))
def test_work_is_done_on_the_id_that_the_event_will_have(content: str, bits: int) -> None:
    """The nonce found beside the event gives the signed event the work it claims, whatever it says."""
    event = nostr_event.sign(
        SECRET, bytes(32), kind=1, created_at=1, tags=(("t", '"]],"'), ("nonce", "1", "2")), content=content
    )
    nonce, start = None, 0
    while nonce is None:
        nonce = search(event, bits, start)
        start += 1000
    signed = sign(draft_of(event, bits, nonce))
    assert difficulty(signed.id) >= bits
    assert signed.id == event_id(signed)
    assert signed.tags == (("t", '"]],"'), ("nonce", nonce, str(bits)))


def test_the_demand_is_read_out_of_a_refusal() -> None:
    """Relays say in many words how much work they want; without a number it is none that can be done."""
    assert demanded("pow: difficulty 25>=24 is required, not 26") == 26
    assert demanded("pow: 28 bits needed. (2)") == 28
    assert demanded("pow: " + "9" * 5000) == 0
    assert demanded("pow: more") == 0
    assert difficulty("0" * 64) == 256
    assert difficulty("000000000e9d97a1ab09fc381030b346cdd7a142ad57e6df0b46dc9bef6c7e2d") == 36
