"""What every draft and reader shares: sizes that are exact, times that rise."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.identity import nostr_event
from realmd.nostr.events.draft import Draft, Unreadable, cost, number, only, packs, size
from realmd.nostr.events.stamps import MOST_AHEAD, MOST_NAMES, Stamps
from tests.protocol.nostr.samples import NOW, published

WORDS = st.text(st.characters(codec="utf-8"), max_size=60)


@given(st.integers(0, 65535), st.lists(st.lists(WORDS, min_size=1, max_size=3).map(tuple)).map(tuple), WORDS)
def test_the_size_and_id_are_those_of_the_signed_event(
    kind: int, tags: tuple[tuple[str, ...], ...], text: str
) -> None:
    """What is said to fit a relay fits it; what is signed is the draft, with the id that all agree on."""
    draft = Draft(kind, NOW, tags, text)
    signed = nostr_event.sign_draft(draft, bytes(31) + b"\x03", bytes(32))
    nostr_event.check(signed)
    assert size(draft) == len(msgspec.json.encode(signed))
    assert size(draft) == size(Draft(kind, NOW, tags)) + cost(text)
    assert published(draft, signed.pubkey).id == signed.id


@given(st.lists(WORDS, max_size=30), st.integers(400, 900))
def test_pieces_are_packed_in_order(pieces: list[str], room: int) -> None:
    """Nothing is left out or changes its place, no group is too large, and none could take the next piece."""
    groups = list(packs(pieces, room))
    assert [piece for group in groups for piece in group] == pieces
    sizes = [sum(cost(piece) + 1 for piece in group) for group in groups]
    assert max(sizes) <= room
    for full, after in zip(sizes, groups[1:], strict=False):
        assert full + cost(after[0]) + 1 > room


def test_a_piece_that_fits_nowhere_is_an_error() -> None:
    """Whoever packs what no relay takes is told so."""
    with pytest.raises(ValueError, match="does not fit"):
        list(packs(["x" * 100], 50))


@pytest.mark.parametrize("text", ["", "0", "01", "-1", "1.0", "1e3", "x", "٣", "9" * 16, " 1"])
def test_a_number_is_written_in_one_way(text: str) -> None:
    """A tag that says a number says it as JSON would, or not at all."""
    assert number(published(Draft(1, NOW, (("seq", "17"),))), "seq") == 17
    with pytest.raises(Unreadable, match="tag"):
        number(published(Draft(1, NOW, (("seq", text),))), "seq")


@pytest.mark.parametrize("tags", [(), (("d",),), (("d", "a"), ("d", "b")), ((),)])
def test_one_tag_is_neither_none_nor_two(tags: tuple[tuple[str, ...], ...]) -> None:
    """A tag that decides something is there exactly once."""
    with pytest.raises(Unreadable):
        only(published(Draft(1, NOW, tags)), "d")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), max_size=40))
def test_times_of_each_name_rise(asked: list[tuple[str, int]]) -> None:
    """A relay never keeps the older of two, whatever the clock does meanwhile."""
    stamps = Stamps()
    given: dict[str, list[int]] = {}
    for name, now in asked:
        given.setdefault(name, []).append(stamps.next(name, now))
        assert given[name][-1] >= now
    for times in given.values():
        assert times == sorted(set(times))


def test_times_after_a_clock_was_set_back() -> None:
    """Two events in one second differ by one; a clock set back an hour makes the realm wait, not lie."""
    stamps = Stamps()
    stamps.seen("log", NOW)
    stamps.seen("log", NOW - 10)
    assert [stamps.next("log", NOW), stamps.next("log", NOW)] == [NOW + 1, NOW + 2]
    assert stamps.next("log", NOW + 100) == NOW + 100
    assert stamps.wait("log", NOW + 101) == stamps.wait("other", 0) == 0
    wait = stamps.wait("log", NOW - 3600)
    assert stamps.next("log", NOW - 3600 + wait) == NOW - 3600 + wait + MOST_AHEAD


def test_names_are_bounded() -> None:
    """A realm that invents names without end is stopped."""
    stamps = Stamps()
    for index in range(MOST_NAMES):
        stamps.next(str(index), NOW)
    with pytest.raises(ValueError, match="names"):
        stamps.next("one more", NOW)
    assert stamps.next("0", NOW) == NOW + 1
