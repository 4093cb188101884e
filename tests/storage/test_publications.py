"""What relays have yet to be given is kept as well as everything else."""

from __future__ import annotations

import pytest_twisted

from realmd.storage.publications import Publication, Publications
from realmd.storage.store import Store

from .samples import entry

HELLO = Publication(1, b'{"content":"hello \xf0\x9f\x90\x89"}', ("wss://a", "wss://b"))
WORLD = Publication(2, b'{"content":"world"}', ("wss://a",))


@pytest_twisted.ensureDeferred
async def test_what_waits_for_relays_survives_a_restart(store: Store) -> None:
    """In order, with the relays that it waits for; what all have taken is gone, and marks are kept."""
    outbox = Publications(store)
    await outbox.keep([HELLO, WORLD], [], {"head": "1"})
    await outbox.keep([Publication(1, HELLO.event, ("wss://b",))], [2], {"head": "2", "seq": "9"})
    await store.close()
    await store.open()
    kept = await outbox.load()
    assert kept.publications == [Publication(1, HELLO.event, ("wss://b",))]
    assert kept.marks == {"head": "2", "seq": "9"}


@pytest_twisted.ensureDeferred
async def test_private_events_are_not_among_the_public_ones(store: Store) -> None:
    """What is to be published is read in order, and never a direct message."""
    await store.commit([entry(1), entry(2, to="b"), entry(3), entry(4), entry(5)], {}, 5)
    assert [seq for seq, _ in await Publications(store).public(0, 4, 9)] == [1, 3, 4]
    assert [seq for seq, _ in await Publications(store).public(1, 5, 2)] == [3, 4]


@pytest_twisted.ensureDeferred
async def test_numbers_without_an_event_are_found(store: Store) -> None:
    """Whoever publishes the journal knows which events were pruned before; private ones are not missing."""
    await store.commit([entry(1), entry(3, to="b"), entry(7)], {}, 9)
    outbox = Publications(store)
    assert await outbox.missing(0, 1, 9) == []
    assert await outbox.missing(0, 3, 9) == [2]
    assert await outbox.missing(0, 9, 99) == [2, 4, 5, 6, 8, 9]
    assert await outbox.missing(3, 9, 2) == [4, 5]
    assert await outbox.missing(7, 9, 1) == [8]
