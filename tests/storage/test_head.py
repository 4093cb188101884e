"""The head beside the database: what it survives, and what a start makes of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_twisted
from msgspec.structs import replace

from realmd.storage.head import BLOCK, SLOT, Head, Mark, head_file, read, write
from realmd.storage.interface import Lost, StorageError, Unusable
from realmd.storage.store import Store

from .samples import ROWS, entry


def of_another_run(path: Path, mark: Mark) -> None:
    """Make the head such as an earlier run of the machine left it."""
    head = Head(path)
    head.boot = "earlier"
    head.begin(mark)
    head.close()


def test_a_torn_write_leaves_what_was_said_before(tmp_path: Path) -> None:
    """Whichever half of the file is spoiled, the other still tells how far the realm was."""
    path = tmp_path / "head"
    head = Head(path)
    head.begin(Mark())
    head.reserve(1, 0.0)
    for seq in (1, 2, 3):
        head.note(seq, seq, 0.0)
    head.close()
    whole = path.read_bytes()
    assert (mark := read(path)) is not None
    assert (mark.seq, mark.commits, mark.reserved) == (3, 3, 1 + BLOCK)
    for at, left in ((0, {2, 3}), (SLOT, {2, 3})):
        path.write_bytes(whole[:at] + os.urandom(SLOT) + whole[at + SLOT :])
        assert (mark := read(path)) is not None
        assert mark.seq in left
    path.write_bytes(os.urandom(2 * SLOT))
    assert read(path) is None


def test_a_number_is_reserved_before_it_is_given(tmp_path: Path) -> None:
    """On another run of the machine every number that may have been given counts as given."""
    head = Head(tmp_path / "head")
    head.begin(Mark())
    head.reserve(7, 0.0)
    assert (mark := read(head.path)) is not None
    assert (mark.given(head.boot), mark.given("another"), mark.given("")) == (0, 7 + BLOCK, 7 + BLOCK)
    head.note(7, 1, 0.0)
    head.end()
    head.close()
    assert (mark := read(head.path)) is not None
    assert mark.given("another") == 7


@pytest_twisted.ensureDeferred
async def test_the_end_of_the_machine_loses_no_number(make: Callable[..., Store], location: str) -> None:
    """After a power cut numbers are passed over, none is given twice, and no loss is told of."""
    store = make()
    await store.open()
    await store.commit([entry(1)], {}, 1)
    epoch = store.epoch
    await store.close()
    of_another_run(head_file(location), Mark(0, 0, 1000, epoch))  # synced before the last commit
    assert ((await store.open()).seq, store.epoch, store.lost) == (1000, epoch, ())
    await store.commit([entry(1001)], {}, 1001)


@pytest_twisted.ensureDeferred
async def test_a_loss_is_told_and_remembered(make: Callable[..., Store], location: str) -> None:
    """What the database lacks is told with its range; the next start still knows, in the same epoch."""
    store = make()
    await store.open()
    await store.commit([entry(1)], {}, 1)
    before = store.epoch
    await store.close()
    of_another_run(head_file(location), Mark(5, 4, 1005, before))
    loaded = await store.open()
    assert store.found is not None
    assert replace(store.found, found=0) == Lost(first=2, last=5, passed=1005, commits=3, found=0)
    assert (loaded.seq, loaded.epoch == before, store.lost) == (1005, False, (store.found,))
    await store.close()
    assert ((await store.open()).epoch, store.found, len(store.lost)) == (loaded.epoch, None, 1)


@pytest_twisted.ensureDeferred
async def test_changes_without_an_event_are_missed_too(make: Callable[..., Store], location: str) -> None:
    """A token taken back is no event, and its loss is told all the same."""
    store = make()
    await store.open()
    await store.commit([], ROWS, 0)
    await store.close()
    write(head_file(location), Mark(0, 3, 0, store.epoch))
    await store.open()
    assert store.found is not None
    assert store.found.told().startswith("2 acknowledged changes were lost")


@pytest_twisted.ensureDeferred
async def test_losses_remembered_are_bounded(make: Callable[..., Store], location: str) -> None:
    """A disk that loses something each day does not fill the list: the newest stay."""
    store = make()
    for turn in range(1, 12):
        await store.open()
        await store.close()
        write(head_file(location), Mark(turn * 10, 0, turn * 10, store.epoch))
    await store.open()
    assert [loss.last for loss in store.lost] == [turn * 10 for turn in range(4, 12)]


@pytest_twisted.ensureDeferred
async def test_an_older_realm_gets_a_head(make: Callable[..., Store], location: str) -> None:
    """A database that never had one, or whose head cannot be read, is opened as it is."""
    store = make()
    await store.open()
    await store.commit([entry(1)], {}, 1)
    await store.close()
    for spoil in (head_file(location).unlink, lambda: head_file(location).write_bytes(b"\xff" * 99)):
        spoil()
        assert ((await store.open()).seq, store.lost) == (1, ())
        await store.close()
        assert (mark := read(head_file(location))) is not None
        assert mark.seq == 1


@pytest.mark.parametrize("left", [None, b""], ids=["gone", "empty"])
@pytest_twisted.ensureDeferred
async def test_a_realm_that_is_gone_is_no_new_one(
    make: Callable[..., Store], location: str, left: bytes | None
) -> None:
    """Where the head knows of events and the database of none, nothing is started and nothing is made."""
    store = make()
    await store.open()
    await store.commit([entry(1)], {}, 1)
    await store.close()
    Path(location).unlink()
    if left is not None:
        Path(location).write_bytes(left)
    with pytest.raises(Unusable, match=r"realm\.sqlite is (gone|empty), and .*head knows of 1 events"):
        await store.open()
    assert Path(location).exists() == (left is not None)


@pytest_twisted.ensureDeferred
async def test_a_first_start_that_was_cut_short_goes_on(make: Callable[..., Store], location: str) -> None:
    """Keys are made before the database: with those and an empty file a realm that never was begins."""
    path = Path(location)
    path.parent.mkdir()
    keys = path.with_name("token-keys")
    keys.touch()
    write(head_file(location), Mark())
    path.touch()
    store = make()
    store._beside = [keys]
    assert (await store.open()).seq == 0


@pytest_twisted.ensureDeferred
async def test_an_empty_database_beside_keys_is_refused(make: Callable[..., Store], location: str) -> None:
    """A realm from before there were heads is not taken for a new one when its database is emptied."""
    path = Path(location)
    path.parent.mkdir()
    keys = path.with_name("token-keys")
    keys.touch()
    path.touch()
    store = make()
    store._beside = [keys]
    with pytest.raises(Unusable, match="token-keys is there: the realm was lost"):
        await store.open()
    path.unlink()  # moved aside, as that sentence says
    assert (await store.open()).seq == 0


@pytest_twisted.ensureDeferred
async def test_a_head_that_cannot_be_written(store: Store, location: str) -> None:
    """Nothing is acknowledged whose number is not reserved; what is, stays committed, and is told of."""
    assert store._hold is not None
    head = store._hold.head
    await store.commit([entry(1)], {}, 1)
    real, head._file = head._file, os.open(location, os.O_RDONLY)
    try:
        await store.commit([entry(2)], {}, 2)
        assert "realm.sqlite.head cannot be written" in head.fault
        with pytest.raises(StorageError, match=r"head cannot be written"):
            await store.commit([entry(5000)], {}, 5000)
    finally:
        os.close(head._file)
        head._file = real
    await store.commit([entry(5000)], {}, 5000)
    assert head.fault == ""
