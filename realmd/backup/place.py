"""Putting a database in the place of another: nobody may be using it, and the old one is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ..storage.interface import StorageError
from ..storage.sqlite import take_lock
from . import database
from .files import PARTIAL, adopt, make_folder, sync
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
        for left in path.parent.glob(f"{PARTIAL}*"):  # of a restore that was killed
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        os.close(lock)


def no_daemon(path: Path) -> None:
    """Refuse if a daemon runs on the database at `path`; nothing is made there."""
    if os.path.exists(f"{path}.lock"):
        with held(path):
            pass


def parts(path: Path) -> list[Path]:
    """The files of the database at `path` that are there; its log belongs to it and to no other."""
    return [part for part in (path, Path(f"{path}-wal"), Path(f"{path}-shm")) if os.path.lexists(part)]


def last_seq(path: Path) -> int:
    """The last number given by the database at `path`; 0 when there is none or it cannot be read."""
    if path.is_file():
        with suppress(BackupError):
            return int(database.meta(path)["seq"])
    return 0


def replace_files(staged: Mapping[Path, Path], old: list[Path], now: int) -> Path | None:
    """Move the files `old` aside and each of `staged` (new file → its place) where it belongs.

    All lie in one file system, so that each step is a rename.  When one fails, everything is put
    back.  Returns the folder that now has the old files, None when there were none.
    """
    moved: list[tuple[Path, Path]] = []
    aside = None
    try:
        if old:
            aside = old[0].parent / f"aside-{datetime.fromtimestamp(now / 1000, UTC):%Y%m%dT%H%M%SZ}"
            aside.mkdir(mode=0o700)
            adopt(aside)
            for path in old:
                _rename(path, aside / path.name, moved)
        for new, target in staged.items():
            _rename(new, target, moved)
            adopt(target)
        for folder in {target.parent for _, target in moved} | {source.parent for source, _ in moved}:
            sync(folder)
    except OSError as error:
        for source, target in reversed(moved):
            target.rename(source)
        raise BackupError(f"Nothing was changed: {error.filename or ''} {error.strerror}.") from error
    return aside


def _rename(source: Path, target: Path, moved: list[tuple[Path, Path]]) -> None:
    source.rename(target)
    moved.append((source, target))
