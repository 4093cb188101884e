"""SQLite's side of the store: files, locks, pragmas, backup and what its errors mean."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ..host.files import sync
from .head import Head, Mark, head_file
from .interface import StorageError, Unusable

#: Pages given back to the file system in one step, and kept in the file for reuse.
STEP_PAGES: Final = 256
RESERVE_PAGES: Final = 1024

PRAGMAS: Final = (
    "PRAGMA busy_timeout = 5000",  # ms; an operator's shell or a backup may hold it for a moment
    "PRAGMA synchronous = FULL",  # a commit is on the medium when it returns
    "PRAGMA foreign_keys = ON",
    "PRAGMA cell_size_check = ON",
)

_DAMAGED: Final = (
    "{path} is damaged ({cause}). Stop the realm and restore the file from a backup, or move it aside "
    "(with {path}-wal, {path}-shm and {path}.head) to start an empty realm."
)
_LOCKED: Final = (
    "{path} is locked by another program; end its transaction (an sqlite3 shell, a backup), "
    "no restart is needed."
)
#: Primary result code → what it means to whoever runs the realm.
_MEANINGS: Final[dict[int, str]] = {
    sqlite3.SQLITE_FULL: "The disk or quota of {path} is full; free some space, no restart is needed.",
    sqlite3.SQLITE_READONLY: "{path} is read-only ({cause}); make it writable, no restart is needed.",
    sqlite3.SQLITE_IOERR: "{path}: the disk fails ({cause}); look at the kernel log.",
    sqlite3.SQLITE_CANTOPEN: "{path} cannot be opened ({cause}); put it back, or check its owner and mode.",
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_LOST: Final = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
}


class FileHold:
    """A lock file beside the database, the identity of the file that was opened, and its head.

    The lock belongs to the open file, so the kernel frees it however the process ends; the
    lock file itself stays, because removing it would let two daemons lock two files.  `beside`
    are files of a realm that has been: with one of them an empty database is none that is new.

    Raises `StorageError` when another daemon holds the lock or nothing can be written here, and
    `Unusable` when the realm's database is gone or empty.
    """

    def __init__(self, location: str, beside: Sequence[Path] = ()) -> None:
        self._path = Path(location)
        try:
            _make_directory(self._path.parent)
            self._lock = take_lock(self._path)
        except OSError as error:
            raise _unwritable(self._path.parent, error) from error
        try:
            self.head = Head(head_file(location))
            there = self._path.exists()
            self._beside = [path for path in (self.head.path, *beside) if there and path.exists()]
            if not there or not self._path.stat().st_size:
                self.need_new("empty" if there else "gone")
            if not there and self.head.mark is None:
                self.head.begin(Mark())  # first: so whoever is killed here is known to have begun
            self._file = _make_file(self._path)
        except OSError as error:
            os.close(self._lock)
            raise _unwritable(self._path, error) from error
        except StorageError:
            os.close(self._lock)
            raise

    def need_new(self, state: str) -> None:
        """There is nothing in the database; raises `Unusable` where there must have been something."""
        mark = self.head.mark
        if mark is not None and not (mark.seq or mark.commits):
            return  # a first start that went no further
        if mark is None and not self._beside:
            return
        past = f"{self.head.path} knows of {mark.seq} events" if mark else f"{self._beside[-1]} is there"
        raise Unusable(
            f"{self._path} is {state}, and {past}: the realm was lost. Restore a backup (realmctl restore "
            f"--force); or, for an empty realm, move it and {self.head.path} aside."
        )

    def verify(self) -> None:
        # SQLite would go on writing to a deleted file, and all of that would be lost at its end.
        try:
            there = _identity(os.stat(self._path))
        except OSError as error:
            raise StorageError(
                f"{self._path} is gone ({error.strerror}) while the realm runs; put that same file back, "
                "or stop the realm and restore a backup."
            ) from error
        if there != self._file:
            raise StorageError(
                f"{self._path} was replaced while the realm runs; restart the realm to use the new file."
            )

    def release(self) -> None:
        self.head.close()
        os.close(self._lock)


def _make_directory(directory: Path) -> None:
    for missing in reversed([directory, *directory.parents]):
        if not missing.exists():
            missing.mkdir(mode=0o750, exist_ok=True)
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
        raise PermissionError(13, "Permission denied")


def take_lock(path: Path) -> int:
    """Take the lock of the database at `path`: the open lock file, which whoever closes it frees."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o640)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = os.read(lock, 20).decode(errors="replace").strip()
        os.close(lock)
        raise StorageError(
            f"{path} is in use by another realmd (pid {pid or 'unknown'}); stop that one first, "
            "or give this one its own database."
        ) from error
    os.ftruncate(lock, 0)
    os.write(lock, b"%d\n" % os.getpid())
    return lock


def _make_file(path: Path) -> tuple[int, int]:
    # Created here for its mode (its -wal and -shm inherit it); later opens never create it.
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        return _identity(os.fstat(file))
    finally:
        os.close(file)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be written by user {os.geteuid()} ({error.strerror}); give that user the right to, "
        "or configure another place for the database."
    )


def pool(location: str) -> dict[str, Any]:
    """Arguments of a connection pool of exactly one: SQLite has one writer."""
    return {
        "database": f"file:{quote(location)}?mode=rw",
        "uri": True,
        "check_same_thread": False,
        "isolation_level": None,  # the store begins its transactions itself
        "cp_min": 1,
        "cp_max": 1,
        "cp_noisy": False,
        "cp_openfun": _prepare,
    }


def _prepare(connection: sqlite3.Connection) -> None:
    # Bytes that are no text reach the store, which can say what row they are in.
    connection.text_factory = lambda text: text.decode(errors="surrogateescape")
    try:
        for pragma in PRAGMAS:
            connection.execute(pragma)
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            # Only before the first page; said again later it would write to a file not yet checked.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StorageError(
                f"The file system of the database cannot hold a write-ahead log (journal mode {mode}); "
                "use a local disk."
            )
    except Exception:
        connection.close()
        raise


def check(cursor: Any) -> str:
    """The first things wrong with the structure of the file, or ""."""
    cursor.execute("PRAGMA quick_check(3)")
    found = [line for (line,) in cursor.fetchall()]
    return "" if found == ["ok"] else "; ".join(found).replace("\n", " ")


def backup(connection: Any, location: str, suffix: str) -> str:
    """Copy the database to `location.suffix`, whole or not at all."""
    name = f"{location}.{suffix}"
    partial = Path(f"{name}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640))
        target = sqlite3.connect(partial)
        try:
            connection.backup(target)
        finally:
            target.close()
        sync(partial)
        partial.replace(name)
        sync(partial.parent)
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise StorageError(
            f"The backup {name}, made before the database is upgraded, could not be written ({error}); "
            "the database is as it was. Make room for it and start again."
        ) from error
    return name


def _pragma(cursor: Any, name: str) -> int:
    cursor.execute(f"PRAGMA {name}")
    return int(cursor.fetchone()[0])


def size(cursor: Any) -> int:
    """Bytes of the pages in use."""
    return (_pragma(cursor, "page_count") - _pragma(cursor, "freelist_count")) * _pragma(cursor, "page_size")


def tidy(cursor: Any) -> bool:
    """Shrink the file by a step; when few free pages are left, fold the log back and cut it."""
    if _pragma(cursor, "freelist_count") > RESERVE_PAGES:
        # Each step of the statement frees one page; only executescript steps it to its end.
        cursor.executescript(f"PRAGMA incremental_vacuum({STEP_PAGES})")
        return True
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    cursor.fetchall()
    return False


def _code(error: Exception) -> int:
    # The low byte is the primary code; errors of the driver itself carry none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def explain(error: Exception, location: str) -> StorageError:
    """`error` in one sentence for whoever runs the realm."""
    meaning = _MEANINGS.get(_code(error), "{path}: the database refused ({cause}).")
    kind = Unusable if meaning is _DAMAGED else StorageError
    return kind(meaning.format(path=location, cause=f"{type(error).__name__}: {error}"))


def lost(error: Exception) -> bool:
    """Whether a connection that met `error` may stay broken after its cause is gone."""
    return _code(error) in _LOST
