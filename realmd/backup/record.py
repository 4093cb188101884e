"""What is known of the backups: `backup-status.json` in the backup folder.

`realmctl` writes it, the daemon reads it for its metrics and `/health`.  Times are ms since the
epoch.  A file that is missing, or is no record, is an empty one: no backup is known.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from ..host.files import write_whole
from .files import adopt, heir
from .manifest import Kind, listed

NAME: Final = "backup-status.json"
MOST_BYTES: Final = 1024 * 1024


class Attempt(Struct, frozen=True, rename="camel"):
    """One try: when it began, how long it took (s), what came of it.

    `file` is the archive's name in the backup folder, `error` why it failed.
    """

    time: int
    ok: bool
    seconds: float = 0.0
    file: str = ""
    bytes: int = 0
    error: str = ""


class Record(Struct, frozen=True, rename="camel"):
    """The last tries and the last successes, by kind of backup, of verifying and of copying off-site."""

    backups: dict[Kind, Attempt] = field(default_factory=dict)
    backups_ok: dict[Kind, Attempt] = field(default_factory=dict)
    verify: Attempt | None = None
    verify_ok: Attempt | None = None
    offsite: Attempt | None = None
    offsite_ok: Attempt | None = None
    #: Archives in the folder, and their size together.
    kept: int = 0
    kept_bytes: int = 0
    #: Paths of secrets that the newest backup had to leave out.
    left_out: tuple[str, ...] = ()

    @property
    def last_success(self) -> int | None:
        """When the newest backup that holds the database was taken; None: never."""
        times = [a.time for kind, a in self.backups_ok.items() if kind != "configuration"]
        return max(times, default=None)


def read(folder: Path) -> Record:
    """The record of the backups in `folder`; an `OSError` if it may not be read."""
    try:
        with (folder / NAME).open("rb") as file:
            return msgspec.json.decode(file.read(MOST_BYTES), type=Record)
    except (FileNotFoundError, msgspec.MsgspecError):
        return Record()


def note_backup(folder: Path, kind: Kind, attempt: Attempt, left_out: tuple[str, ...] = ()) -> None:
    """Remember a backup made, or not."""

    def note(record: Record) -> Record:
        backups = {**record.backups, kind: attempt}
        if not attempt.ok:
            return replace(record, backups=backups)
        done = {**record.backups_ok, kind: attempt}
        return replace(record, backups=backups, backups_ok=done, left_out=left_out)

    _change(folder, note)


def note_verify(folder: Path, attempt: Attempt) -> None:
    """Remember a backup verified, or found wanting."""
    _change(folder, lambda r: replace(r, verify=attempt, verify_ok=attempt if attempt.ok else r.verify_ok))


def note_offsite(folder: Path, attempt: Attempt | None) -> None:
    """Remember a copy sent elsewhere, or not; None: none is wanted any more."""
    ok = attempt is not None and attempt.ok
    _change(folder, lambda r: replace(r, offsite=attempt, offsite_ok=attempt if ok else r.offsite_ok))


def note_kept(folder: Path) -> None:
    """Count again what is in the folder."""
    _change(folder, lambda record: record)


def _change(folder: Path, change: Callable[[Record], Record]) -> None:
    """Two that finish at the same moment must not write over each other's news."""
    path, guard = folder / NAME, folder / f".{NAME}.lock"
    lock = os.open(guard, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        adopt(guard)
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = listed(folder)
        record = replace(change(read(folder)), kept=len(kept), kept_bytes=sum(one.bytes for one in kept))
        text = msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
        write_whole(path, text, 0o644, heir(path))
    finally:
        os.close(lock)
