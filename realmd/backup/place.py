"""Putting a database in the place of another: nobody may be using it, and the old one is kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ..host.files import sync
from ..storage.head import head_file, read, this_boot
from ..storage.interface import StorageError
from ..storage.sqlite import take_lock
from . import database
from .files import adopt, make_folder, sweep
from .manifest import BackupError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of the database at `path`, so that no daemon runs on it; refuses if one does."""
    make_folder(path.parent)
    lock_file = Path(f"{path}.lock")
    try:
        lock = take_lock(path)
        adopt(lock_file)
    except StorageError as error:
        raise BackupError(f"The realm is running. {error}") from error
    except OSError as error:
        raise BackupError(f"{lock_file} cannot be written ({error.strerror}).") from error
    try:
        sweep(path.parent)
        yield
    finally:
        os.close(lock)


def no_daemon(path: Path) -> None:
    """Refuse if a daemon runs on the database at `path`; nothing is made there."""
    if os.path.exists(f"{path}.lock"):
        with held(path):
            pass


def parts(path: Path) -> list[Path]:
    """The files of the database at `path` that are there; log and head belong to it and to no other."""
    files = (path, Path(f"{path}-wal"), Path(f"{path}-shm"), head_file(path))
    return [part for part in files if os.path.lexists(part)]


def last_seq(path: Path) -> int:
    """The last number given by the database at `path`; 0 when there is none or it cannot be read."""
    if path.is_file():
        with suppress(BackupError):
            return int(database.meta(path)["seq"])
    return 0


def last_given(path: Path) -> int:
    """The last number that the realm at `path` may have given, as its database or its head knows."""
    mark = None
    with suppress(OSError):
        mark = read(head_file(path))
    return max(last_seq(path), mark.given(this_boot()) if mark else 0)


def settle(path: Path) -> None:
    """Fold the write-ahead log into the database at `path`, so far as that one is sound."""
    if path.is_file():
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def replace_files(staged: Mapping[Path, Path], old: list[Path], now: int) -> list[Path]:
    """Put each of `staged` (new file → its place) where it belongs, and keep the files `old` aside.

    A new file and its place lie in one file system.  Whoever is killed meanwhile leaves in each
    place the old file or the new one; when a step fails, everything is put back.  Returns the
    folders that have the old files.
    """
    name = f"aside-{datetime.fromtimestamp(now / 1000, UTC):%Y%m%dT%H%M%S}.{now % 1000:03}Z"
    asides: list[Path] = []
    placed: list[tuple[Path, Path]] = []
    try:
        for folder in dict.fromkeys(path.parent for path in old):
            (folder / name).mkdir(mode=0o700)
            asides.append(folder / name)
            adopt(folder / name)
        for path in old:
            os.link(path, path.parent / name / path.name, follow_symlinks=False)
        for aside in asides:
            sync(aside)
        for path in old:
            if path not in staged.values():  # what belongs to the old database alone
                path.unlink(missing_ok=True)
        for new, target in staged.items():
            new.rename(target)
            placed.append((new, target))
            adopt(target)
        for folder in {path.parent for pair in placed for path in pair}:
            sync(folder)
    except BaseException as error:
        for new, target in reversed(placed):
            target.rename(new)
        for path in old:
            kept = path.parent / name / path.name
            if not os.path.lexists(path) and os.path.lexists(kept):
                kept.rename(path)
        for aside in asides:
            shutil.rmtree(aside, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise BackupError(f"Nothing was changed: {error.filename or ''} {error.strerror}.") from error
    return asides
