"""Making a backup: collect, copy the living database, write one file, keep few enough, send one away."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from .. import __version__
from ..primitives import amounts
from ..settings.reading import Config
from . import archive, database, record
from .collect import Collection, collect
from .files import adopt, alone, make_folder, move, scratch
from .keep import DAY_MS, prune
from .manifest import BackupError, Content, Kind, Manifest, Member, file_name, listed
from .offsite import copy

DATABASE = "realm.sqlite"
Say = Callable[[str], None]


class Order(Struct, frozen=True, kw_only=True):
    """What to back up: `also` are paths beside the realm's own, `if_changed` skips one like the last."""

    kind: Kind
    also: tuple[Path, ...] = ()
    env_file: Path | None = None
    if_changed: bool = False


class Made(Struct, frozen=True):
    """What came of it; `file` is None when nothing had changed, `offsite_error` "" when all went well."""

    file: Path | None
    manifest: Manifest
    offsite_error: str = ""


def make(config: Config, order: Order, now: int, say: Say) -> Made:
    """Make a backup of the realm, running or not, at the time `now` (ms).

    Every outcome is recorded.  Raises `BackupError` when there is no new archive; those that
    were there are then untouched.
    """
    folder, began = config.backup.folder(config.storage.state), time.monotonic()
    make_folder(folder)
    try:
        with alone(folder):
            manifest, path = _write(config, order, now, folder)
    except (BackupError, OSError, sqlite3.Error) as error:
        told = error if isinstance(error, BackupError) else BackupError(f"{folder}: {error}")
        failed = record.Attempt(now, False, time.monotonic() - began, error=str(told))
        remember(lambda: record.note_backup(folder, order.kind, failed), say)
        raise told from error
    if path is None:
        say(f"backup not needed kind={order.kind}: nothing changed since the last")
        well = record.Attempt(now, True, time.monotonic() - began)
        remember(lambda: record.note_backup(folder, order.kind, well, manifest.left_out), say)
        return Made(None, manifest)
    size, seconds = path.stat().st_size, time.monotonic() - began
    say(f"backup made file={path} size={amounts.size(size)!r} seconds={seconds:.2f} seq={_seq(manifest)}")
    for one in prune(folder, now, ages(config), config.backup.max_mb * 1_048_576):
        say(f"backup removed file={one.path.name}: older or more than what is kept")
    done = record.Attempt(now, True, seconds, path.name, size)
    remember(lambda: record.note_backup(folder, order.kind, done, manifest.left_out), say)
    return Made(path, manifest, _send(config, folder, path, now, say))


def ages(config: Config) -> dict[Kind, int]:
    """How long (ms) each kind is kept; configuration is kept for ever."""
    return {
        "full": config.backup.daily_keep_days * DAY_MS,
        "database": config.backup.hourly_keep_days * DAY_MS,
    }


def _write(config: Config, order: Order, now: int, folder: Path) -> tuple[Manifest, Path | None]:
    found = collect(
        config,
        keys=True,
        configuration=order.kind != "database",
        also=order.also,
        env_file=order.env_file,
    )
    with scratch(folder) as place:
        content = None
        if order.kind != "configuration":
            content = _database(config, found, place / "database")
        manifest = Manifest(
            kind=order.kind,
            room=config.room.id,
            software=__version__,
            taken=now,
            content=content,
            members=tuple(found.members),
            left_out=tuple(found.left_out),
            sealed_to=found.public_key if any(member.sealed for member in found.members) else "",
        )
        if order.if_changed and _same_as_last(folder, manifest):
            return manifest, None
        path = folder / file_name(order.kind, now)
        if path.exists():
            raise BackupError(f"{path} is there already; try again.")
        archive.write(place / "archive", manifest, found.contents)
        adopt(place / "archive")
        move(place / "archive", path)
        adopt(path)
    return manifest, path


def _database(config: Config, found: Collection, copy_of: Path) -> Content:
    """Copy the database, and see that the copy is sound: a bad one must not take a good one's place."""
    database.snapshot(config.storage.database, copy_of)
    try:
        database.check(copy_of)
        content = database.describe(copy_of)
    except BackupError as error:
        raise BackupError(
            f"No backup was made: {config.storage.database} itself is wrong. {error}"
        ) from error
    found.contents[DATABASE] = copy_of
    size = copy_of.stat().st_size
    member = Member(
        name=DATABASE,
        path=str(config.storage.database),
        role="database",
        mode=0o640,
        bytes=size,
        sha256=archive.digest(copy_of),
        size=size,
    )
    found.members.insert(0, member)
    return content


def _same_as_last(folder: Path, manifest: Manifest) -> bool:
    last = [one for one in listed(folder) if one.kind == manifest.kind]
    if not last:
        return False
    try:
        before = archive.peek(last[-1].path)
    except BackupError:
        return False
    return manifest.content is None and _essence(before) == _essence(manifest)


def _essence(manifest: Manifest) -> tuple[object, ...]:
    """What makes two backups of files the same; a sealed file differs each time it is sealed."""
    members = {replace(m, bytes=0, sha256="") if m.sealed else replace(m, mtime=0) for m in manifest.members}
    return frozenset(members), manifest.sealed_to, set(manifest.left_out)


def _seq(manifest: Manifest) -> str:
    return str(manifest.content.seq) if manifest.content else "none"


def _send(config: Config, folder: Path, path: Path, now: int, say: Say) -> str:
    """Run the off-site command, if there is one, and remember what came of it."""
    if not config.backup.offsite:
        remember(lambda: record.note_offsite(folder, None), say)
        return ""
    began = time.monotonic()
    error = copy(config.backup.offsite, path, config.backup.offsite_timeout_s)
    seconds = time.monotonic() - began
    say(
        f"backup off-site copy failed file={path.name}: {error}"
        if error
        else f"backup copied off-site file={path.name} seconds={seconds:.2f}"
    )
    attempt = record.Attempt(now, not error, seconds, path.name, path.stat().st_size, error)
    remember(lambda: record.note_offsite(folder, attempt), say)
    return error


def remember(note: Callable[[], None], say: Say) -> None:
    """A record that cannot be written must not hide what it would have said."""
    try:
        note()
    except OSError as error:
        say(f"backup status not recorded: {error}")


def newest(folder: Path, kinds: Iterable[Kind] = ("full", "database")) -> Path:
    """The newest archive of these kinds."""
    found = [one for one in listed(folder) if one.kind in kinds]
    if not found:
        raise BackupError(f"There is no backup in {folder}.")
    return found[-1].path
