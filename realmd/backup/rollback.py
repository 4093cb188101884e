"""Back to the database as it was before the last upgrade, from the copy the store made then."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from . import database
from .files import scratch, sync
from .manifest import BackupError
from .place import held, last_seq, parts, replace_files


def rollback(target: Path, now: int, say: Callable[[str], None]) -> None:
    """Put the newest `before-NNNN` copy in the place of the database `target`, which is moved aside.

    The copy stays.  Raises `BackupError`, nothing being changed, while the realm runs, when there
    is no such copy, or when it is not what it should be.
    """
    with held(target), scratch(target.parent) as stage:
        version, copy = _newest(target)
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
        given, last = last_seq(target), int(notes["seq"])
        if given > last:
            database.pass_over(new, given)
        new.chmod(0o640)
        aside = replace_files({new: target}, parts(target), now)
    say(f"rolled back to file={copy} schema={notes['version']} seq={last}")
    if aside is not None:
        say(
            f"rollback moved the newer database aside into={aside}; it alone has events {last + 1} to {given}"
        )
    say(f"Now install the realmd of schema {notes['version']}: a newer one upgrades again at its start.")


def _newest(target: Path) -> tuple[int, Path]:
    pattern = re.compile(re.escape(target.name) + r"\.before-(\d{4})")
    found = [
        (int(match[1]), path) for path in target.parent.iterdir() if (match := pattern.fullmatch(path.name))
    ]
    if not found:
        raise BackupError(f"{target} was never upgraded: there is no {target.name}.before-NNNN beside it.")
    return max(found)
