"""What differs between SQL engines: one row of `ENGINES` each; the store's own SQL is shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from . import sqlite
from .head import Head
from .interface import StorageError


class Hold(Protocol):
    """The sole right to write one database, the watch over its medium, and its head."""

    head: Head

    def need_new(self, state: str) -> None:
        """The database is `state` ("empty"): raise `Unusable` unless the realm is new."""

    def verify(self) -> None:
        """Raise `StorageError` when what was taken is no longer what is at the location."""

    def release(self) -> None:
        """Give the right back."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One SQL engine.  `location` is a path or URL, `Any` a DB-API cursor or connection.

    All callables run in the pool's thread and may block.
    """

    #: Module name of the DB-API driver, and the mark it uses for a parameter.
    dbapi: str
    mark: str
    #: Statement that starts a writing transaction.
    begin: str
    #: Query for the names of the tables there are.
    tables: str
    #: Schema statement, written for SQLite → the same for this engine.
    ddl: Callable[[str], str]
    #: location → keyword arguments of `adbapi.ConnectionPool`.
    pool: Callable[[str], dict[str, Any]]
    #: (location, files that only a realm with a past has) → the sole right to write there, with what is
    #: missing at the location made.
    hold: Callable[[str, Sequence[Path]], Hold]
    #: cursor → what is wrong with the database, or "".
    check: Callable[[Any], str]
    #: (connection, location, suffix) → the name of the backup made.
    backup: Callable[[Any, str, str], str]
    #: cursor → bytes in use, without what may be reused.
    size: Callable[[Any], int]
    #: cursor → whether more is left to give back to the file system; one bounded step.
    tidy: Callable[[Any], bool]
    #: (error, location) → what is wrong and what to do.
    explain: Callable[[Exception, str], StorageError]
    #: error → whether the connection must be made anew.
    lost: Callable[[Exception], bool]


ENGINES: Final[dict[str, Engine]] = {
    "sqlite": Engine(
        dbapi="sqlite3",
        mark="?",
        begin="BEGIN IMMEDIATE",
        tables="SELECT name FROM sqlite_master WHERE type = 'table'",
        ddl=str,
        pool=sqlite.pool,
        hold=sqlite.FileHold,
        check=sqlite.check,
        backup=sqlite.backup,
        size=sqlite.size,
        tidy=sqlite.tidy,
        explain=sqlite.explain,
        lost=sqlite.lost,
    ),
}
