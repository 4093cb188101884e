"""How a database follows the code from one version to the next."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_twisted

from realmd.storage import schema
from realmd.storage.interface import StorageError
from realmd.storage.store import Store

from .samples import entry, seqs

SECOND = """-- version: 2
-- compatible: {compatible}
CREATE TABLE added (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL);
INSERT INTO added VALUES ('half;', 'a comment -- in a string');
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The schema files of this code, and room for those of the next."""
    return Path(shutil.copytree(schema.DIRECTORY, tmp_path / "schema"))


@pytest_twisted.ensureDeferred
async def test_upgrade(store: Store, make: Callable[..., Store], location: str, directory: Path) -> None:
    """An upgrade keeps everything and leaves a usable backup of what was there before."""
    await store.commit([entry(1)], {}, 1)
    await store.close()
    (directory / "0002_added.sql").write_text(SECOND.format(compatible=1))

    newer = make(directory)
    assert (await newer.open()).seq == 1
    await newer.commit([entry(2)], {}, 2)
    await newer.close()
    assert (await newer.open()).seq == 2, "not upgraded twice"

    backup = make(location=f"{location}.before-0002")
    assert (await backup.open()).seq == 1
    assert seqs(await backup.history(0, 0, 9)) == [1]
    assert not list(Path(location).parent.glob("*.partial"))


@pytest_twisted.ensureDeferred
async def test_new_database(make: Callable[..., Store], location: str, directory: Path) -> None:
    """A new realm starts at the newest version, and there is nothing to back up."""
    (directory / "0002_added.sql").write_text(SECOND.format(compatible=2))
    await make(directory).open()
    assert not list(Path(location).parent.glob("*before*"))


@pytest_twisted.ensureDeferred
async def test_failed_upgrade(store: Store, make: Callable[..., Store], directory: Path) -> None:
    """An upgrade that fails half-way leaves the database as the old code knows it."""
    await store.close()
    broken = SECOND.format(compatible=2) + "INSERT INTO nowhere VALUES (1);\n"
    (directory / "0002_added.sql").write_text(broken)
    with pytest.raises(StorageError, match="nowhere"):
        await make(directory).open()

    await store.open()
    await store.commit([entry(1)], {}, 1)
    await store.close()
    (directory / "0002_added.sql").write_text(SECOND.format(compatible=2))
    assert (await make(directory).open()).seq == 1


@pytest.mark.parametrize("compatible", [1, 2])
@pytest_twisted.ensureDeferred
async def test_newer_database(make: Callable[..., Store], directory: Path, compatible: int) -> None:
    """Old code opens a newer database when that says it may, and else says what to do."""
    (directory / "0002_added.sql").write_text(SECOND.format(compatible=compatible))
    newer = make(directory)
    await newer.open()
    await newer.close()

    older = make()
    if compatible == 1:
        await older.open()
        await older.commit([entry(1)], {}, 1)
    else:
        with pytest.raises(StorageError, match=r"newer realmd .*Install that realmd again, or restore"):
            await older.open()


@pytest_twisted.ensureDeferred
async def test_no_room_for_backup(
    store: Store, make: Callable[..., Store], location: str, directory: Path
) -> None:
    """Without a backup there is no upgrade."""
    await store.close()
    Path(f"{location}.before-0002").mkdir()
    (directory / "0002_added.sql").write_text(SECOND.format(compatible=2))
    with pytest.raises(StorageError, match="before-0002, made before the database is upgraded, could not"):
        await make(directory).open()
    await store.open()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("0003_gap.sql", SECOND.format(compatible=1).replace("version: 2", "version: 3"), "without gaps"),
        ("0002_other.sql", SECOND.format(compatible=1).replace("version: 2", "version: 3"), "must begin"),
        ("0002_none.sql", "SELECT 1;", "must begin"),
        ("second.sql", SECOND.format(compatible=1), "must begin"),
        ("0002_open.sql", SECOND.format(compatible=1) + "SELECT (1", "does not end: SELECT"),
    ],
)
def test_wrong_schema_file(directory: Path, name: str, text: str, says: str) -> None:
    """A schema file that is wrong in itself is named before any database is touched."""
    (directory / name).write_text(text)
    with pytest.raises(StorageError, match=says):
        schema.read(directory)


def test_statements_are_whole(directory: Path) -> None:
    """A trigger's inner semicolons and a string's are no ends of statements."""
    trigger = "CREATE TRIGGER t AFTER INSERT ON added BEGIN\n  DELETE FROM added;\nEND;\n"
    (directory / "0002_added.sql").write_text(SECOND.format(compatible=1) + trigger)
    statements = schema.read(directory)[1].statements
    assert [statement.split()[1] for statement in statements] == ["TABLE", "INTO", "TRIGGER"]
    assert all(sqlite3.complete_statement(statement) for statement in statements)
