"""What every store promises, on each engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from zope.interface.verify import verifyObject

from realmd.storage import retention
from realmd.storage.interface import Entry, IStore, Loaded, Retention, StorageError
from realmd.storage.store import Store
from realmd.world.model import Claim
from realmd.world.tables import KINDS

from .samples import EVERYTHING, ROWS, entry, seqs

FOREVER = Retention(events_age=10**15, messages_age=10**15, max_bytes=10**12)


async def reopen(store: Store) -> Loaded:
    await store.close()
    return await store.open()


def test_interface(make: Callable[..., Store]) -> None:
    """A store is what the realm asks for."""
    assert verifyObject(IStore, make())


@pytest_twisted.ensureDeferred
async def test_everything_comes_back(store: Store) -> None:
    """What was committed is there after a restart, to the byte, in every table and in the journal."""
    said = entry(1, text=EVERYTHING.replace("\x00", "\\u0000"))
    assert {kind for kind, _ in ROWS} == set(KINDS)
    await store.commit([said], ROWS, 1)

    loaded = await reopen(store)

    assert loaded.rows == {kind: {key: row for (k, key), row in ROWS.items() if k == kind} for kind in KINDS}
    assert loaded.seq == 1
    assert await store.history(0, 0, 10) == [said.body]


@pytest_twisted.ensureDeferred
async def test_rows_change_and_go(store: Store) -> None:
    """A row kept again is replaced, a row given as None is gone."""
    await store.commit([], ROWS, 0)
    claim = Claim("w", "b", 9)
    await store.commit([], {("claims", "w"): claim, ("requests", "r"): None, ("requests", "none"): None}, 0)

    rows = (await reopen(store)).rows

    assert (rows["claims"], rows["requests"]) == ({"w": claim}, {})


@pytest.mark.parametrize(
    ("entries", "rows", "seq"),
    [
        ([entry(3), entry(4), entry(4)], {}, 4),
        ([entry(2)], {}, 3),
        ([entry(4)], {}, 3),
        ([], {("claims", "x"): ROWS["claims", "w"]}, 1),
        ([entry(3)], {("elsewhere", "x"): ROWS["claims", "w"]}, 3),
        ([Entry(3, 3, "chat", "a", None, b"\xff")], {}, 3),
        ([entry(3, sender="\ud800")], {}, 3),
        ([entry(3, ts=2**63)], {}, 3),
    ],
    ids=["twice in a batch", "taken", "beyond seq", "seq backwards", "no such table", "no text",
         "lone surrogate", "huge"],
)  # fmt: skip
@pytest_twisted.ensureDeferred
async def test_all_or_nothing(store: Store, entries: list[Entry], rows: dict[Any, Any], seq: int) -> None:
    """Of a batch that cannot be kept nothing is kept, and the next batch is none the worse."""
    await store.commit([entry(1), entry(2)], {}, 2)
    with pytest.raises(StorageError):
        await store.commit(entries, {("claims", "w"): ROWS["claims", "w"], **rows}, seq)

    assert seqs(await store.history(0, 0, 10)) == [1, 2]
    await store.commit([entry(3)], {}, 3)
    loaded = await reopen(store)
    assert (loaded.rows["claims"], loaded.seq) == ({}, 3)
    assert seqs(await store.history(0, 0, 10)) == [1, 2, 3]


@pytest_twisted.ensureDeferred
async def test_nothing_to_commit(store: Store) -> None:
    """A tick in which nothing happened asks nothing of the medium."""
    done = store.commit([], {}, 0)
    assert done.called
    await done


@pytest_twisted.ensureDeferred
async def test_history(store: Store) -> None:
    """Public events come oldest first: the newest when nothing is said, else the first that follow."""
    await store.commit([entry(1, 10), entry(2, 20), entry(3, 30, to="b"), entry(4, 40), entry(5, 25)], {}, 5)

    asked = [(0, 0, 2), (0, 0, 9), (20, 0, 2), (40, 0, 9), (0, 1, 2), (20, 1, 9), (0, 5, 9)]
    asked += [(0, 0, 0), (0, 0, -1), (2**80, 0, 9), (0, 2**80, 9), (-(2**80), 1, 9)]
    assert [seqs(await store.history(*what)) for what in asked] == [
        [5, 4], [1, 2, 5, 4], [5, 4], [], [2, 4], [4, 5], [],
        [], [], [], [], [2, 4, 5],
    ]  # fmt: skip


@pytest_twisted.ensureDeferred
async def test_inbox(store: Store) -> None:
    """A private event is shown to its two agents, once, and to nobody else."""
    await store.commit(
        [entry(1, to="b"), entry(2, sender="b", to="a"), entry(3), entry(4, to="c"), entry(5, to="a")], {}, 5
    )

    asked = [("a", 0, 9), ("a", 0, 2), ("a", 1, 2), ("b", 0, 9), ("c", 0, 9), ("d", 0, 9), ("b", 1, 9)]
    assert [seqs(await store.inbox(*what)) for what in asked] == [
        [1, 2, 4, 5], [4, 5], [2, 4], [1, 2], [4], [], [2],
    ]  # fmt: skip
    assert seqs(await store.history(0, 0, 9)) == [3]
    assert seqs(await store.inbox("a", 0, 9, received=True)) == [2, 5]
    with_peer = [
        seqs(await store.inbox("a", 0, most, peer=peer)) for peer, most in [("b", 9), ("c", 9), ("b", 1)]
    ]
    assert with_peer == [[1, 2], [4], [2]]


@pytest_twisted.ensureDeferred
async def test_inbox_by_the_page(store: Store) -> None:
    """Within one millisecond, too, a page begins where the one before ended."""
    times = {1: 10, 2: 10, 3: 10, 4: 9, 5: 20}
    await store.commit([entry(seq, at, to="b") for seq, at in times.items()], {}, 5)
    asked = [(10, 0), (10, 1), (10, 3), (9, 4), (20, 5), (20, 2**80)]
    assert [seqs(await store.inbox("b", at, 2, after)) for at, after in asked] == [
        [1, 2], [2, 3], [5], [1, 2], [], [],
    ]  # fmt: skip


@pytest_twisted.ensureDeferred
async def test_probe(store: Store) -> None:
    """A probe tells the last committed seq."""
    await store.commit([entry(7)], {}, 7)
    assert await store.probe(1234) == 7


@pytest_twisted.ensureDeferred
async def test_prune_by_age(store: Store) -> None:
    """Public and private events go each at their own age, and seq goes on even when nothing is left."""
    old = [entry(n, 100) for n in range(1, retention.STEP + 2)]
    last = old[-1].seq + 4
    newer = [
        entry(last - 3, 200),
        entry(last - 2, 200, to="b"),
        entry(last - 1, 100, to="b"),
        entry(last, 300),
    ]
    await store.commit([*old, *newer], {}, last)

    pruned = await store.prune(400, Retention(events_age=200, messages_age=250, max_bytes=10**12))
    assert (pruned.events, pruned.messages) == (len(old), 1)
    assert seqs(await store.history(0, 0, 9)) == [last - 3, last]
    assert seqs(await store.inbox("b", 0, 9)) == [last - 2]

    await store.prune(400, Retention(events_age=0, messages_age=0, max_bytes=10**12))
    assert (await reopen(store)).seq == last
    with pytest.raises(StorageError):
        await store.commit([entry(1)], {}, last + 1)
    await store.commit([entry(last + 1)], {}, last + 1)


@pytest_twisted.ensureDeferred
async def test_prune_by_size(store: Store) -> None:
    """A store that grew over its size loses its oldest events, public or private, and no rows."""
    many = [entry(n, to="b" if n % 2 else None, text="x" * 1000) for n in range(1, 4001)]
    await store.commit(many, ROWS, 4000)
    before = await store.prune(5000, FOREVER)
    assert (before.events, before.messages) == (0, 0)

    pruned = await store.prune(5000, Retention(10**15, 10**15, before.bytes // 2))

    assert pruned.events == pruned.messages
    assert before.bytes // 4 < pruned.bytes <= before.bytes // 2
    gone = pruned.events + pruned.messages
    assert seqs(await store.history(0, 1, 1)) == [gone + 2]
    assert (await reopen(store)).rows["claims"] == {"w": ROWS["claims", "w"]}
    rest = await store.prune(5000, Retention(10**15, 10**15, 0))
    assert rest.events + rest.messages == 4000 - gone


@pytest_twisted.ensureDeferred
async def test_commit_between_prunes(store: Store) -> None:
    """A commit does not wait for the end of a long prune."""
    many = [entry(n) for n in range(1, 5 * retention.STEP)]
    await store.commit(many, {}, len(many))
    ended: list[str] = []
    pruning = store.prune(10**6, Retention(0, 0, 10**12)).addCallback(lambda _: ended.append("prune"))
    await store.commit([entry(len(many) + 1, 10**6)], {}, len(many) + 1).addCallback(
        lambda _: ended.append("commit")
    )
    await pruning
    assert ended == ["commit", "prune"]


@pytest_twisted.ensureDeferred
async def test_close(store: Store) -> None:
    """What was asked before the close is done, what is asked later is refused."""
    asked = store.commit([entry(1)], {}, 1)
    closed, again = store.close(), store.close()
    refused = store.commit([entry(2)], {}, 2)
    await asked
    with pytest.raises(StorageError, match="not open"):
        await refused
    await closed
    await again
    assert (await store.open()).seq == 1


@pytest_twisted.ensureDeferred
async def test_close_during_open(make: Callable[..., Store]) -> None:
    """A realm stopped while it starts lets go of its database."""
    store = make()
    opening = store.open()
    await store.close()
    assert (await opening).seq == 0
    await store.open()


@pytest_twisted.ensureDeferred
async def test_one_daemon(store: Store, make: Callable[..., Store]) -> None:
    """Two daemons cannot write one realm; the second may, once the first has ended."""
    second = make()
    with pytest.raises(StorageError, match=f"in use by another realmd .pid {os.getpid()}."):
        await second.open()
    await store.close()
    await second.open()
