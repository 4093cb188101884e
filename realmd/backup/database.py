"""The database in a backup: a consistent copy of a living one, and what it holds in figures."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ..storage.head import Mark, head_file, write
from ..storage.interface import StorageError
from ..storage.witness import GAP, SET_META, new_epoch
from .manifest import BackupError, Content, Table

#: How long (s) to wait for somebody who holds the database for himself.
PATIENCE: Final = 30.0
#: Rows of `meta` that say nothing of the realm's content: they change when it is merely opened.
_PASSING: Final = ("clean", "probe", "version", "compatible")


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that changes nothing; what SQLite says becomes a `BackupError`."""
    if not path.is_file():
        raise BackupError(f"{path} is not there.")
    try:
        uri = f"file:{quote(str(path))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise BackupError(f"{path}: the database cannot be read ({error}).") from error


def snapshot(source: Path, target: Path) -> None:
    """Copy the living database at `source` to the new file `target`, as of one moment.

    One step: with more, each commit of the realm in between would start the copy again.
    Writers do not wait meanwhile; only the write-ahead log cannot be folded back.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with reading(source) as origin, closing(sqlite3.connect(target)) as copy:
        origin.backup(copy, pages=-1)
        # The copy is a file of its own, to be read where nothing may be written.
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
    handle = os.open(target, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check(path: Path) -> None:
    """Raises `BackupError` when the structure of the database is damaged."""
    with reading(path) as connection:
        found = [line for (line,) in connection.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise BackupError(f"{path} is damaged ({'; '.join(found)}).".replace("\n", " "))


def meta(path: Path) -> dict[str, str]:
    """The realm's own notes: `version`, `compatible`, `seq` …"""
    with reading(path) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        rows = connection.execute("SELECT key, value FROM meta").fetchall() if "meta" in tables else []
    found = {str(key): str(value) for key, value in rows}
    if not {"version", "compatible", "seq"} <= found.keys():
        raise BackupError(f"{path} holds something else than a realm.")
    return found


def describe(path: Path) -> Content:
    """Count and digest what the database holds."""
    notes = meta(path)
    with reading(path) as connection:
        connection.text_factory = bytes
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        names = sorted(name.decode() for (name,) in rows)
        tables = {name: _table(connection, name) for name in names if not name.startswith("sqlite_")}
    return Content(int(notes["version"]), int(notes["compatible"]), int(notes["seq"]), tables)


def _table(connection: sqlite3.Connection, name: str) -> Table:
    where = ""
    if name == "meta":
        where = f"WHERE key NOT IN ({', '.join(map(repr, _PASSING))})"
    found, count = hashlib.sha256(), 0
    for row in connection.execute(f'SELECT * FROM "{name}" {where} ORDER BY 1'):
        found.update(repr(row).encode())
        count += 1
    return Table(count, found.hexdigest())


def pass_over(path: Path, seq: int) -> None:
    """Let the next event come after `seq`; the numbers between have been given to events now undone.

    Clients ask for what came after the last number they saw, and relays keep what they were
    sent: a number given twice would hide the second event from them.
    """
    last = int(meta(path)["seq"])
    _note(path, {f"{GAP}{last + 1}": str(seq), "seq": str(seq)})


def renew(path: Path) -> Path:
    """Begin a new epoch in the database at `path`, which is to take another's place; its head, just made.

    Clients see by it that what they know after some number may be another history.
    """
    _note(path, {"epoch": (epoch := new_epoch())})
    notes = meta(path)
    seq, head = int(notes["seq"]), head_file(path)
    try:
        write(head, Mark(seq, int(notes.get("commits", "0")), seq, epoch))
    except StorageError as error:
        raise BackupError(str(error)) from error
    return head


def _note(path: Path, notes: dict[str, str]) -> None:
    try:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executemany(SET_META, list(notes.items()))
    except sqlite3.Error as error:
        raise BackupError(f"{path} cannot be written ({error}).") from error
