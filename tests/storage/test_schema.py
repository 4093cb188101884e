"""How a database follows the code from one version to the next."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_twisted
from msgspec import UNSET

from realmd.storage import schema
from realmd.storage.interface import Entry, StorageError, Unusable
from realmd.storage.store import Store
from realmd.world.model import Installed, Plugin, Profile

from .samples import entry, seqs

#: The version after the newest.
NEXT = len(schema.read(schema.DIRECTORY)) + 1
SECOND = (
    f"-- version: {NEXT}"
    + """
-- compatible: {compatible}
CREATE TABLE added (key TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL);
INSERT INTO added VALUES ('half;', 'a comment -- in a string');
"""
)

FURTHER = SECOND.format(compatible=NEXT).replace(f"version: {NEXT}", f"version: {NEXT + 1}")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The schema files of this code, and room for those of the next."""
    return Path(shutil.copytree(schema.DIRECTORY, tmp_path / "schema"))


@pytest_twisted.ensureDeferred
async def test_upgrade(store: Store, make: Callable[..., Store], location: str, directory: Path) -> None:
    """An upgrade keeps everything and leaves a usable backup of what was there before."""
    await store.commit([entry(1)], {}, 1)
    await store.close()
    (directory / f"{NEXT:04}_added.sql").write_text(SECOND.format(compatible=NEXT - 1))

    newer = make(directory)
    assert (await newer.open()).seq == 1
    await newer.commit([entry(2)], {}, 2)
    await newer.close()
    assert (await newer.open()).seq == 2, "not upgraded twice"

    backup = make(location=f"{location}.before-{NEXT:04}")
    assert (await backup.open()).seq == 1
    assert seqs(await backup.history(0, 0, 9)) == [1]
    assert not list(Path(location).parent.glob("*.partial"))


@pytest_twisted.ensureDeferred
async def test_new_database(make: Callable[..., Store], location: str, directory: Path) -> None:
    """A new realm starts at the newest version, and there is nothing to back up."""
    (directory / f"{NEXT:04}_added.sql").write_text(SECOND.format(compatible=NEXT))
    await make(directory).open()
    assert not list(Path(location).parent.glob("*before*"))


@pytest_twisted.ensureDeferred
async def test_failed_upgrade(store: Store, make: Callable[..., Store], directory: Path) -> None:
    """An upgrade that fails half-way leaves the database as the old code knows it."""
    await store.close()
    broken = SECOND.format(compatible=NEXT) + "INSERT INTO nowhere VALUES (1);\n"
    (directory / f"{NEXT:04}_added.sql").write_text(broken)
    with pytest.raises(StorageError, match="nowhere"):
        await make(directory).open()

    await store.open()
    await store.commit([entry(1)], {}, 1)
    await store.close()
    (directory / f"{NEXT:04}_added.sql").write_text(SECOND.format(compatible=NEXT))
    assert (await make(directory).open()).seq == 1


@pytest.mark.parametrize("compatible", [NEXT - 1, NEXT])
@pytest_twisted.ensureDeferred
async def test_newer_database(make: Callable[..., Store], directory: Path, compatible: int) -> None:
    """Old code opens a newer database when that says it may, and else says what to do."""
    (directory / f"{NEXT:04}_added.sql").write_text(SECOND.format(compatible=compatible))
    newer = make(directory)
    await newer.open()
    await newer.close()

    older = make()
    if compatible < NEXT:
        await older.open()
        await older.commit([entry(1)], {}, 1)
    else:
        with pytest.raises(Unusable, match=r"newer realmd .*Install that realmd again, .*realmctl rollback"):
            await older.open()


@pytest_twisted.ensureDeferred
async def test_no_room_for_backup(
    store: Store, make: Callable[..., Store], location: str, directory: Path
) -> None:
    """Without a backup there is no upgrade."""
    await store.close()
    Path(f"{location}.before-{NEXT:04}").mkdir()
    (directory / f"{NEXT:04}_added.sql").write_text(SECOND.format(compatible=NEXT))
    with pytest.raises(
        StorageError, match=f"before-{NEXT:04}, made before the database is upgraded, could not"
    ):
        await make(directory).open()
    await store.open()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (f"{NEXT + 1:04}_gap.sql", FURTHER, "without gaps"),
        (f"{NEXT:04}_other.sql", FURTHER, "must begin"),
        (f"{NEXT:04}_none.sql", "SELECT 1;", "must begin"),
        ("second.sql", SECOND.format(compatible=NEXT - 1), "must begin"),
        (f"{NEXT:04}_open.sql", SECOND.format(compatible=NEXT - 1) + "SELECT (1", "does not end: SELECT"),
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
    (directory / f"{NEXT:04}_added.sql").write_text(SECOND.format(compatible=NEXT - 1) + trigger)
    statements = schema.read(directory)[-1].statements
    assert [statement.split()[1] for statement in statements] == ["TABLE", "INTO", "TRIGGER"]
    assert all(sqlite3.complete_statement(statement) for statement in statements)


@pytest_twisted.ensureDeferred
async def test_plugins_get_owners(make: Callable[..., Store], location: str, directory: Path) -> None:
    """What a plugin's author said becomes a credit; whose it is, the journal knows, if anybody does."""
    for newer in [*directory.glob("000[5-9]*")]:
        newer.unlink()
    older = make(directory)
    await older.open()
    told = [
        (1, "ann", "published", "maps"),
        (2, "bob", "published", "maps"),
        (3, "ghost", "published", "lamp"),
    ]
    told += [
        (4, "room", "published", "bell"),
        (5, "ann", "installed", "maps"),
        (6, "room", "installed", "bell"),
    ]
    entries = [
        Entry(seq, seq, "catalogue", who, None, msgspec.json.encode({"phase": phase, "skillId": what}))
        for seq, who, phase, what in told
    ]
    rows: dict[tuple[str, str], Any] = {
        ("profiles", name): Profile(name, name, "", "", (), "#112233", 1, 1)
        for name in ("ann", "bob", "room")
    }
    for id in ("maps", "lamp", "bell", "oven"):
        rows["plugins", id] = Plugin(id, id, "", "" if id == "bell" else "ann", "1", (), 1)
        rows["installed", id] = Installed(id, "1", 1)
    await older.commit(entries, rows, 6)
    await older.close()

    loaded = (await make().open()).rows
    assert {id: (row.author, row.credit) for id, row in loaded["plugins"].items()} == {
        "maps": ("bob", "ann"),
        "lamp": ("", "ann"),
        "bell": ("", UNSET),
        "oven": ("", "ann"),
    }
    assert {id: row.installed_by for id, row in loaded["installed"].items()} == {
        "maps": "ann",
        "lamp": "",
        "bell": "",
        "oven": "",
    }
