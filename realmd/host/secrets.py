"""Secrets in files: written whole or not at all, and readable by nobody else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from ..primitives.errors import BeyondRepair
from .files import write_whole

MODE: Final = 0o600
MOST_BYTES: Final = 64 * 1024


class ExposedSecret(BeyondRepair):
    """A secret that others could have read or put there; the text says which file and what to do."""


def read_secret(path: Path) -> bytes:
    """The contents of the file at `path`, at most 64 KiB.

    Raises `ExposedSecret` if others may read or change it, and OSError (FileNotFoundError, …)
    if it cannot be read.  Root, who types realmctl, looks with the eyes of the folder's owner.
    """
    with open(path, "rb", opener=_open) as file:
        user = os.geteuid() or path.parent.stat().st_uid
        if complaint := exposed(os.fstat(file.fileno()), user):
            raise ExposedSecret(f"{path}: {complaint}")
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ExposedSecret(f"{path}: larger than {MOST_BYTES} bytes, which no secret of the realm is")
    return data


def write_secret(path: Path, data: bytes) -> None:
    """Put `data` into the file at `path`, mode 0600; after a crash it holds the old contents or the new."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"a secret has at most {MOST_BYTES} bytes")
    write_whole(path, data, MODE)


def exposed(status: os.stat_result, user: int) -> str | None:
    """What is wrong with the owner and mode of a secret that `user` (uid) reads, or None.

    A file of our own must be closed to group and others.  One of root's may be open to a group,
    for that is how root hands over a secret: by a group, or by an ACL as systemd's credentials
    have it, which shows in the group's bits.
    """
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if status.st_uid not in (user, 0):
        return f"belongs to user {status.st_uid}, who could change it; `chown` it to user {user}"
    if mode & (0o077 if status.st_uid == user else 0o037):
        return (
            f"mode {mode:04o} lets others at this secret; take it for known and replace it, or `chmod 600` it"
        )
    return None


def _open(path: str, flags: int) -> int:
    """Without O_NONBLOCK, opening a named pipe waits for somebody to write to it."""
    return os.open(path, flags | os.O_NONBLOCK)
