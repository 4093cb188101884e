"""Files written whole: whoever reads one finds the old contents or the new, whatever ended in between."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

#: Who a file belongs to: uid and gid.
Owner = tuple[int, int]


def write_whole(path: Path, data: bytes, mode: int, owner: Owner | None = None) -> None:
    """Put `data` into the file at `path`, of that mode, for `owner` or whoever runs this.

    Durable when it returns.  Raises OSError, and then `path` is what it was and nothing is left beside it.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    partial = Path(name)
    try:
        with open(handle, "wb") as file:
            if owner is not None:
                os.fchown(handle, *owner)
            os.fchmod(handle, mode)  # after the owner, whose change may take bits away
            file.write(data)
            file.flush()
            os.fsync(handle)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Make what is in the file or folder at `path` durable; of a folder, its names."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
