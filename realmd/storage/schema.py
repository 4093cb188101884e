"""Schema files and the upgrade of a database to the newest of them.

A file is named NNNN_name.sql and says in its first comment lines its `version` (NNNN) and
`compatible`, the oldest schema version whose code may still open the result.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from .engines import Engine
from .interface import StorageError, Unusable
from .witness import SET_META

#: The schema files that belong to this code.
DIRECTORY: Final = Path(__file__).parent / "schema"

_NAME: Final = re.compile(r"(\d{4})_\w+\.sql")
_HEADER: Final = re.compile(r"--\s*(version|compatible):\s*(\d+)\s*")


class Migration(Struct, frozen=True):
    """One schema file."""

    version: int
    compatible: int
    statements: tuple[str, ...]


def read(directory: Path) -> list[Migration]:
    """The migrations in `directory`, 1, 2, 3 …  Raises `StorageError` when a file is wrong or missing."""
    migrations = [_parse(path) for path in sorted(directory.glob("*.sql"))]
    if not migrations or [m.version for m in migrations] != list(range(1, len(migrations) + 1)):
        raise StorageError(f"{directory}: schema files must be numbered 0001, 0002 … without gaps.")
    return migrations


def _parse(path: Path) -> Migration:
    name, text = _NAME.fullmatch(path.name), path.read_text("utf-8")
    found = [_HEADER.fullmatch(line) for line in text.splitlines()[:2]]
    header = {line[1]: int(line[2]) for line in found if line}
    if not name or set(header) != {"version", "compatible"} or int(name[1]) != header["version"]:
        raise StorageError(
            f"{path}: NNNN_name.sql must begin with `-- version: NNNN` and `-- compatible: N`."
        )
    return Migration(header["version"], header["compatible"], tuple(_split(text)))


def _split(text: str) -> Iterator[str]:
    # One by one, because running a whole script would end the open transaction.
    lines: list[str] = []
    for line in text.splitlines():
        if lines or (line.strip() and not line.startswith("--")):
            lines.append(line)
        if lines and sqlite3.complete_statement("\n".join(lines)):
            yield "\n".join(lines)
            lines = []
    if lines:
        raise StorageError(f"A schema statement does not end: {lines[0]}")


def pending(cursor: Any, engine: Engine, location: str, known: Sequence[Migration]) -> list[Migration]:
    """The migrations that the database still needs.

    Raises `Unusable` for a database of something else, or of a newer realmd that this one cannot read.
    """
    cursor.execute(engine.tables)
    tables = {name for (name,) in cursor.fetchall()}
    if not tables:
        return list(known)
    found: dict[str, str] = {}
    if {"meta", "events"} <= tables:
        cursor.execute("SELECT key, value FROM meta WHERE key IN ('version', 'compatible')")
        found = dict(cursor.fetchall())
    if set(found) != {"version", "compatible"}:
        raise Unusable(f"{location} holds something else than a realm; configure another place for it.")
    version, compatible, newest = int(found["version"]), int(found["compatible"]), known[-1].version
    if compatible > newest:
        raise Unusable(
            f"{location} was written by a newer realmd (schema {version}, for code of schema {compatible} or "
            f"later; this is {newest}). Install that realmd again, or go back to the state before its "
            "upgrade: realmctl rollback"
        )
    return [migration for migration in known if migration.version > version]


def apply(cursor: Any, engine: Engine, migration: Migration) -> None:
    """Bring the database to `migration`, within the transaction that the caller ends."""
    cursor.execute(engine.begin)
    for statement in migration.statements:
        cursor.execute(engine.ddl(statement))
    for key, value in (("version", migration.version), ("compatible", migration.compatible)):
        cursor.execute(SET_META.replace("?", engine.mark), (key, str(value)))
