"""Real ways to take the medium away from a running daemon, and to give it back."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .daemon import Daemon


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


def unmount(place: Path) -> None:
    subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)


def may_mount(place: Path) -> bool:
    """Whether this process may mount file systems (root outside a confined container)."""
    if os.geteuid() != 0:
        return False
    try:
        mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", place)
    except (OSError, subprocess.CalledProcessError):
        return False
    unmount(place)
    return True


@contextmanager
def small_disk(place: Path, size: str = "1m") -> Iterator[Path]:
    """A file system of its own at `place`."""
    place.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", place)
    try:
        yield place
    finally:
        unmount(place)


@contextmanager
def filled(place: Path, spare: int = 0) -> Iterator[None]:
    """Only `spare` bytes (rounded down to blocks) are free on the file system of `place`."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
        os.truncate(ballast, file.tell() - spare)
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def no_growth(daemon: Daemon) -> Iterator[None]:
    """Each of the daemon's writes to a file fails (EFBIG)."""
    pid = daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Files below `place` can be opened to read only; those that are open already are not touched."""
    mount("--bind", place, place)
    try:
        mount("-o", "remount,bind,ro", place)
        yield
    finally:
        unmount(place)


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program has a transaction open in the database."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()
