"""Files and folders of the way back: written whole, durable, and owned by whoever runs the realm."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ..host.files import Owner, sync
from .manifest import BackupError

#: Names of what is being written; left behind by a process that was killed, they go at the next turn.
PARTIAL: Final = ".partial-"


def adopt(path: Path) -> None:
    """Give what root made to the owner of its folder: the daemon, which is not root, must reach it."""
    if (owner := heir(path)) is not None:
        os.chown(path, *owner, follow_symlinks=False)


def heir(path: Path) -> Owner | None:
    """Who `path` is to belong to: the owner of its folder, if root makes it."""
    if os.geteuid() != 0:
        return None
    folder = path.parent.stat()
    return folder.st_uid, folder.st_gid


def link_whole(path: Path, target: str) -> None:
    """Make `path` a symbolic link to `target`; after a crash it is what it was, or that."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.symlink_to(target)
    try:
        partial.replace(path)
    except BaseException:
        partial.unlink()
        raise
    sync(path.parent)


def make_folder(path: Path, mode: int = 0o750) -> None:
    """Make the folder and those above it that are missing."""
    try:
        for missing in reversed([path, *path.parents]):
            if not missing.exists():
                missing.mkdir(mode=mode, exist_ok=True)
                adopt(missing)
    except OSError as error:
        raise BackupError(f"{path} cannot be made ({error.strerror}).") from error


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder of its own in `folder`, gone at the end."""
    try:
        place = Path(tempfile.mkdtemp(dir=folder, prefix=PARTIAL))
        lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise BackupError(f"{folder} cannot be written ({error.strerror}).") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # it is in use: see `sweep`
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def sweep(folder: Path) -> None:
    """Take away the scratch folders of processes that were killed; those in use stay."""
    for left in folder.glob(f"{PARTIAL}*"):
        try:
            lock = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # gone meanwhile, or none of ours
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only one that writes backups to `folder`; what a killed one left there goes."""
    path = folder / ".lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        adopt(path)
    except OSError as error:
        raise BackupError(f"{folder} cannot be written ({error.strerror}).") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        sweep(folder)
        yield
    except BlockingIOError as error:
        raise BackupError(f"Another backup is being made in {folder}; wait for its end.") from error
    finally:
        os.close(lock)


def move(source: Path, target: Path) -> None:
    """Rename within a file system; both folders are durable after."""
    source.rename(target)
    sync(target.parent)
    if source.parent != target.parent:
        sync(source.parent)


def remove(path: Path) -> None:
    """Take a file away; gone already is fine."""
    with suppress(FileNotFoundError):
        path.unlink()
