"""The history: the newest events from memory, the older ones from the store, and never another answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realmd.runtime.history import History, Line
from realmd.storage.interface import Entry
from tests.fakes import FakeStore


def entry(seq: int, timestamp: int, to: str | None = None) -> Entry:
    body = b'{"seq":%d,"timestamp":%d,"text":"\xf0\x9f\x90\x89"}' % (seq, timestamp)
    return Entry(seq, timestamp, "chat", "ann", to, body)


def filled(size: int, preloaded: int, entries: list[Entry]) -> tuple[History, FakeStore]:
    """A store of `entries`, and a history that loaded the first and heard of the others."""
    store = FakeStore([])
    store.entries = list(entries)
    history = History(store, size)
    public = [e for e in entries[:preloaded] if e.to_agent_id is None]
    history.preload(Line.of(e.body) for e in public[-size:])
    for one in entries[preloaded:]:
        history.add([one])
    return history, store


@st.composite
def logs(draw: st.DrawFn) -> list[Entry]:
    """Events with rising seq, times that may stand still, and private ones among them."""
    steps = draw(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.booleans()), max_size=20))

    def made() -> Iterator[Entry]:
        seq, timestamp = 0, 1000
        for more, later, private in steps:
            seq, timestamp = seq + more, timestamp + later
            yield entry(seq, timestamp, "bob" if private else None)

    return list(made())


@given(logs(), st.integers(1, 6), st.integers(0, 20), st.data())
def test_as_the_store_would_answer(
    entries: list[Entry], size: int, preloaded: int, data: st.DataObject
) -> None:
    """Whatever is asked, memory and store give one and the same answer; nothing private is in it."""
    history, store = filled(size, preloaded, entries)
    times = [1000, *(e.timestamp for e in entries)]
    since = data.draw(
        st.one_of(st.just(0), st.builds(int.__add__, st.sampled_from(times), st.integers(-1, 1)))
    )
    after = data.draw(st.one_of(st.just(0), st.integers(0, 65)))
    limit = data.draw(st.integers(1, 8))
    got: list[Any] = []
    history.read(since, after, limit).addCallback(got.append)
    want: list[Any] = []
    store.history(since, after, limit).addCallback(want.append)
    assert got == want


def test_what_is_asked_all_the_time_costs_no_query() -> None:
    """The newest events, and those since a moment ago, are answered from memory."""
    history, store = filled(100, 0, [entry(seq, 1000 + seq) for seq in range(1, 501)])
    for since, after, limit in ((0, 0, 50), (0, 480, 50), (1490, 0, 200), (1401, 0, 50)):
        history.read(since, after, limit)
    assert store.asked == []
    history.read(0, 300, 50)
    assert store.asked == [("history", 0, 300, 50)]


def test_the_ring_is_bounded() -> None:
    """However long the realm runs, it keeps the last `size` events in memory."""
    history, _ = filled(10, 0, [entry(seq, seq) for seq in range(1, 1001)])
    assert len(history._lines) == 10


def test_events_of_one_millisecond() -> None:
    """Of several events at the same time none is forgotten because only the last are in memory."""
    history, _ = filled(2, 0, [entry(seq, 1000) for seq in range(1, 6)])
    got: list[list[bytes]] = []
    history.read(999, 0, 50).addCallback(got.append)
    assert len(got[0]) == 5
