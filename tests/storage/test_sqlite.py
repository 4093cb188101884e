"""What SQLite's file meets in the world: full disks, wrong owners, damage, sudden death."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from realmd.storage.engines import ENGINES
from realmd.storage.interface import Retention, StorageError
from realmd.storage.sqlite import RESERVE_PAGES, STEP_PAGES
from realmd.storage.store import Store

from .samples import ROWS, entry, seqs

ROOT = Path(__file__).parents[2]
NOBODY = 65534
CLAIM = {("claims", "w"): ROWS["claims", "w"]}


@pytest.fixture
def engine() -> str:
    """These tests look at SQLite's own file."""
    return "sqlite"


def sql(location: str, statement: str) -> list[Any]:
    """What the sqlite3 shell would show."""
    with closing(sqlite3.connect(location, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


@pytest_twisted.ensureDeferred
async def test_readable_by_hand(store: Store, location: str) -> None:
    """An operator reads the realm with the sqlite3 shell while it runs, the words as words."""
    await store.commit([entry(1, text="hello 🐉")], {}, 1)
    assert sql(location, "SELECT body FROM events") == [('{"seq":1,"text":"hello 🐉"}',)]


@pytest_twisted.ensureDeferred
async def test_modes(store: Store, location: str) -> None:
    """What agents told each other is no business of other users of the machine."""
    await store.commit([entry(1)], {}, 1)
    directory = Path(location).parent
    assert stat.S_IMODE(directory.stat().st_mode) == 0o750
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert modes == {f"realm.sqlite{end}": 0o640 for end in ("", "-wal", "-shm", ".lock", ".head")}


@pytest_twisted.ensureDeferred
async def test_durable(on_connection: Callable[[str], Any]) -> None:
    """A commit is on the disk when it is acknowledged, and a new file can shrink."""
    names = ("journal_mode", "synchronous", "auto_vacuum", "foreign_keys", "cell_size_check")
    assert [(await on_connection(f"PRAGMA {name}"))[0][0] for name in names] == ["wal", 2, 2, 1, 1]


@pytest_twisted.ensureDeferred
async def test_full_disk(store: Store, on_connection: Callable[[str], Any]) -> None:
    """On a full disk nothing is half kept; with room again the realm goes on by itself."""
    await store.commit([entry(1)], {}, 1)
    await on_connection("PRAGMA max_page_count = 1")
    large = [entry(n, text="x" * 5000) for n in range(2, 50)]
    for _ in range(2):
        with pytest.raises(StorageError, match="is full; free some space"):
            await store.commit(large, CLAIM, 49)
    assert seqs(await store.history(0, 0, 9)) == [1]
    await on_connection("PRAGMA max_page_count = 1000000")
    await store.commit(large, {}, 49)
    await store.close()
    loaded = await store.open()
    assert (loaded.seq, loaded.rows["claims"]) == (49, {})


@pytest.mark.parametrize(
    ("pragma", "says"), [("query_only = ON", "read-only"), ("busy_timeout = 0", "locked by another program")]
)
@pytest_twisted.ensureDeferred
async def test_refusing_medium(
    store: Store, location: str, on_connection: Callable[[str], Any], pragma: str, says: str
) -> None:
    """A database that refuses for a while is used again as soon as it does not."""
    with closing(sqlite3.connect(location, isolation_level=None)) as other:
        await on_connection(f"PRAGMA {pragma}")
        if "busy" in pragma:
            other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match=says):
            await store.commit([entry(1)], CLAIM, 1)
    await store.commit([entry(1)], {}, 1)
    assert await store.probe(5) == 1


@pytest_twisted.ensureDeferred
async def test_file_taken_away(store: Store, location: str) -> None:
    """Nothing is acknowledged into a file that is no longer there, or that is another."""
    away = Path(f"{location}.away")
    Path(location).rename(away)
    with pytest.raises(StorageError, match="is gone"):
        await store.commit([entry(1)], {}, 1)
    with pytest.raises(StorageError, match="is gone"):
        await store.probe(5)
    Path(location).touch()
    with pytest.raises(StorageError, match="was replaced"):
        await store.commit([entry(1)], {}, 1)
    away.rename(location)
    await store.commit([entry(1)], {}, 1)
    await store.close()
    assert (await store.open()).seq == 1


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of one's own, as a user whom file modes bind (root is made nobody)."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        if root:
            os.chown(name, NOBODY, -1)
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            Path(name).chmod(0o700)
            if root:
                os.seteuid(0)


@pytest_twisted.ensureDeferred
async def test_not_ours_to_write(place: Path) -> None:
    """A file or directory that cannot be written is named, and the open may be tried again."""
    path = place / "realm.sqlite"
    store = Store(ENGINES["sqlite"], str(path), reactor)
    place.chmod(0o500)
    with pytest.raises(
        StorageError, match=rf"{place} cannot be written by user \d+ .Permission denied.; give"
    ):
        await store.open()
    place.chmod(0o700)
    await store.open()
    await store.commit([entry(1)], {}, 1)
    await store.close()
    path.chmod(0o400)
    with pytest.raises(StorageError, match=rf"{path} cannot be written by user"):
        await store.open()
    path.chmod(0o600)
    assert (await store.open()).seq == 1
    await store.close()


def overwrite(path: Path, start: int, data: bytes) -> None:
    """Damage a file in its middle."""
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: overwrite(path, 0, b"not a database at all"),
        lambda path: overwrite(path, 4096 * 3, os.urandom(4096 * 40)),
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: path.write_text("Dear diary, today I wrote over the realm.\n" * 1000),
    ],
    ids=["header", "pages", "cut", "text"],
)
@pytest_twisted.ensureDeferred
async def test_damaged(store: Store, location: str, damage: Callable[[Path], object]) -> None:
    """A damaged database is refused with what to do, and is left as it was found."""
    await store.commit([entry(n, text="x" * 500) for n in range(1, 1000)], {}, 999)
    await store.close()
    damage(Path(location))
    found = Path(location).read_bytes()
    with pytest.raises(StorageError, match=rf"{location} is damaged .*backup.* move it aside"):
        await store.open()
    assert Path(location).read_bytes() == found


@pytest.mark.parametrize("body", ["'{\"agentId\": 7}'", "'{'", "CAST(x'22ff22' AS TEXT)", "x'00'"])
@pytest_twisted.ensureDeferred
async def test_unreadable_row(store: Store, location: str, body: str) -> None:
    """A row that is no longer what the code knows is named, so that it can be put right by hand."""
    await store.commit([], ROWS, 0)
    await store.close()
    sql(location, f"UPDATE bodies SET body = {body} WHERE key = 'a'")
    with pytest.raises(StorageError, match=rf"{location}: the row 'a' of table bodies cannot be read"):
        await store.open()
    sql(location, "DELETE FROM bodies WHERE key = 'a'")
    assert (await store.open()).rows["bodies"] == {}


@pytest_twisted.ensureDeferred
async def test_something_else(make: Callable[..., Store], tmp_path: Path) -> None:
    """Somebody else's database is not taken for an empty realm."""
    other = str(tmp_path / "other.sqlite")
    sql(other, "CREATE TABLE meta (key, value)")
    with pytest.raises(StorageError, match="holds something else than a realm"):
        await make(location=other).open()
    with pytest.raises(StorageError, match="cannot be written by user"):
        await make(location=str(tmp_path)).open()


CHILD = """
import os, sys
from twisted.internet import reactor, task
from realmd.storage.engines import ENGINES
from realmd.storage.store import Store
from tests.storage.samples import entry

async def main(reactor):
    store = Store(ENGINES["sqlite"], sys.argv[1], reactor)
    await store.open()
    await store.commit([entry(1)], {}, 1)
    def half(cursor):
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("PRAGMA cache_spill = 1")
        for n in range(2, 3000):
            cursor.execute("INSERT INTO events VALUES (?, 1, 'chat', 'a', NULL, ?)", (n, "x" * 4000))
        os.write(1, b"half")
        os.read(0, 1)
    await store._run(half)

task.react(main)
"""


@pytest_twisted.ensureDeferred
async def test_sudden_death(make: Callable[..., Store], location: str) -> None:
    """After kill -9 in mid-transaction the committed is there, the rest is not, and no lock stays."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, location], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.read(4) == b"half"
        with pytest.raises(StorageError, match=f"pid {child.pid}"):
            await make().open()
        assert Path(f"{location}-wal").stat().st_size > 2**20, "the half batch has reached the disk"
        child.send_signal(signal.SIGKILL)
    store = make()
    assert (await store.open()).seq == 1
    assert seqs(await store.history(0, 0, 9)) == [1]
    await store.commit([entry(2)], {}, 2)


@pytest_twisted.ensureDeferred
async def test_clean_end(store: Store, location: str) -> None:
    """A clean end is remembered, and leaves one whole file without a log beside it."""
    marked = "SELECT value FROM meta WHERE key = 'clean'"
    assert sql(location, marked) == [("0",)]
    await store.close()
    assert not Path(f"{location}-wal").exists()
    assert sql(location, marked) == [("1",)]


@pytest_twisted.ensureDeferred
async def test_prune_gives_space_back(
    store: Store, location: str, on_connection: Callable[[str], Any]
) -> None:
    """Pruned space goes back to the disk in bounded steps, but for a reserve that saves growing again."""
    many = [entry(n, text="x" * 4000) for n in range(1, 3 * RESERVE_PAGES)]
    await store.commit(many, {}, len(many))
    await on_connection("DELETE FROM events")
    [[before]] = await on_connection("PRAGMA freelist_count")
    assert await store._run(ENGINES["sqlite"].tidy)
    assert await on_connection("PRAGMA freelist_count") == [(before - STEP_PAGES,)]

    pruned = await store.prune(10**6, Retention(0, 0, 10**9))

    assert Path(location).stat().st_size - pruned.bytes <= RESERVE_PAGES * 4096
    assert Path(f"{location}-wal").stat().st_size == 0
