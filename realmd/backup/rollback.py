"""Back to the database as it was before the last upgrade, from the copy the store made then."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ..host.files import sync
from ..storage import schema
from ..storage.head import head_file
from . import database
from .files import scratch
from .manifest import BackupError
from .place import held, last_given, parts, replace_files, settle

#: The schema that this code writes.
OURS: Final = schema.read(schema.DIRECTORY)[-1].version


def rollback(target: Path, now: int, say: Callable[[str], None], force: bool = False) -> None:
    """Put the newest `before-NNNN` copy in the place of the database `target`, which is moved aside.

    The copy stays.  Raises `BackupError`, nothing being changed, while the realm runs, when this
    realmd can open the database as it is (unless `force`), when there is no such copy, or when it
    is not what it should be.
    """
    with held(target), scratch(target.parent) as stage:
        present = _notes(target)
        version, copy = _newest(target, int(present["version"]) if present else None)
        if not force:
            _refuse_without_need(target, present, copy)
        new = stage / "database"
        try:
            shutil.copyfile(copy, new)
            sync(new)
        except OSError as error:
            raise BackupError(f"{copy} cannot be copied ({error.strerror}); nothing was changed.") from error
        database.check(new)
        notes = database.meta(new)
        if int(notes["version"]) >= version:
            raise BackupError(f"{copy} has schema {notes['version']}, so it was not made before {version}.")
        given, last = last_given(target), int(notes["seq"])
        if given > last:
            database.pass_over(new, given)
        head = database.renew(new)
        new.chmod(0o640)
        settle(target)
        asides = replace_files({new: target, head: head_file(target)}, parts(target), now)
    say(f"rolled back to file={copy} schema={notes['version']} seq={last}")
    for aside in asides:
        say(
            f"rollback moved the newer database aside into={aside}; it alone has events {last + 1} to {given}"
        )
    if int(notes["version"]) < OURS:
        say(f"Now install the realmd of schema {notes['version']}: this one upgrades again at its start.")


def _notes(path: Path) -> dict[str, str] | None:
    """What the database says of itself; None when there is none, or it cannot be read."""
    try:
        return database.meta(path)
    except BackupError:
        return None


def _refuse_without_need(target: Path, present: dict[str, str] | None, copy: Path) -> None:
    made = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
    if present and int(present["compatible"]) <= OURS:
        raise BackupError(
            f"This realmd opens {target} as it is, so there is nothing to roll back, and {copy} is of "
            f"{made:%Y-%m-%d %H:%M} UTC: what came since would be gone. Install the older realmd first; "
            "add --force to go back all the same."
        )
    if present is None and target.exists():
        raise BackupError(
            f"{target} cannot be read; a backup is newer than {copy} of {made:%Y-%m-%d %H:%M} UTC: realmctl "
            "restore --force. Add --force here to go back all the same."
        )


def _newest(target: Path, present: int | None) -> tuple[int, Path]:
    """The last copy that this realmd can open, made on the way to the schema `present`; before which one.

    A copy of a later schema is of an upgrade that was rolled back already, and one that we cannot
    open of an upgrade that went on after it was interrupted.
    """
    pattern = re.compile(re.escape(target.name) + r"\.before-(\d{4})")
    found = [
        (int(match[1]), path) for path in target.parent.iterdir() if (match := pattern.fullmatch(path.name))
    ]
    found = [(version, path) for version, path in found if present is None or version <= present]
    if not found:
        raise BackupError(f"{target} was never upgraded: there is no {target.name}.before-NNNN beside it.")
    for version, path in sorted(found, reverse=True):
        notes = _notes(path)
        if notes is None or int(notes["compatible"]) <= OURS:
            return version, path
    raise BackupError(
        f"None of the copies beside {target} can be opened by this realmd: install an older one."
    )
