"""The journal of a database file, read and written without a store: for restoring and verifying."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from ..storage import query
from ..storage.interface import Entry, Rows
from ..world.events import JOURNALLED, Durable
from ..world.tables import KINDS, Tables
from .database import reading
from .manifest import BackupError

_DECODER: Final = msgspec.json.Decoder(JOURNALLED)
_COLUMNS: Final = "seq, ts, kind, agent_id, to_agent_id, body"


def entries(path: Path, after: int = 0) -> Iterator[Entry]:
    """The journalled events beyond the seq `after`, in order."""
    with reading(path) as connection:
        rows = connection.execute(f"SELECT {_COLUMNS} FROM events WHERE seq > ? ORDER BY seq", (after,))
        yield from map(_entry, rows)


def entry(path: Path, seq: int) -> Entry | None:
    """The event with that seq, if it is still there."""
    return _one(path, "WHERE seq = ?", (seq,))


def newest(path: Path) -> Entry | None:
    """The event with the greatest seq; None when there is none (any more)."""
    return _one(path, "ORDER BY seq DESC LIMIT 1", ())


def _one(path: Path, which: str, values: tuple[int, ...]) -> Entry | None:
    with reading(path) as connection:
        row = connection.execute(f"SELECT {_COLUMNS} FROM events {which}", values).fetchone()
    return _entry(row) if row else None


def _entry(row: tuple[Any, ...]) -> Entry:
    seq, timestamp, kind, agent_id, to, body = row
    return Entry(seq, timestamp, kind, agent_id, to, body.encode())


def decode(one: Entry) -> Durable:
    """The event itself; raises `BackupError` when it is none or has another number."""
    try:
        event: Durable = _DECODER.decode(one.body)
    except msgspec.MsgspecError as error:
        raise BackupError(f"Event {one.seq} cannot be read ({error}).") from error
    if event.seq != one.seq:
        raise BackupError(f"Event {one.seq} calls itself {event.seq}.")
    return event


def load(path: Path) -> Tables:
    """The world's tables as they are stored; tables of a newer schema that are missing are empty."""
    tables, rows = Tables(), dict[str, dict[str, Struct]]()
    with reading(path) as connection:
        known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        for kind, struct in KINDS.items():
            found = connection.execute(f"SELECT key, body FROM {kind}") if kind in known else ()
            try:
                rows[kind] = {key: msgspec.json.decode(body, type=struct) for key, body in found}
            except msgspec.MsgspecError as error:
                raise BackupError(f"{path}: a row of table {kind} cannot be read ({error}).") from error
        (seq,) = connection.execute("SELECT value FROM meta WHERE key = 'seq'").fetchone()
    tables.load(rows, int(seq))
    return tables


def append(path: Path, new: Sequence[Entry], rows: Rows, seq: int) -> None:
    """Write events, rows and the last seq to a database that nobody uses, wholly or not at all."""
    statements: list[tuple[str, list[tuple[Any, ...]]]] = [*query.write(new, rows)]
    statements.append(("UPDATE meta SET value = ? WHERE key = 'seq'", [(str(seq),)]))
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                connection.executemany(sql, values)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise BackupError(f"{path} cannot be written ({error}).") from error
