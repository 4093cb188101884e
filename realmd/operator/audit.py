"""The audit log: what operators did, one line of JSON each, only ever added to.

When the file is full it is renamed to `.1`, what was `.1` to `.2`, and so on; the eldest goes.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Final

import msgspec
from msgspec import Struct

#: The file's name in the state folder.
FILE: Final = "audit.log"
MODE: Final = 0o640
#: Bytes of one file, and how many files there are with the one that is written.
MOST_BYTES: Final = 4_194_304
FILES: Final = 5


class Operator(Struct, frozen=True):
    """Who is at the other end of the control socket, as the kernel says."""

    uid: int
    user: str
    pid: int


class Deed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing done; `result` is "ok" or the code of why not, `until` in ms since the epoch."""

    action: str
    result: str
    target: str = ""
    reason: str = ""
    until: int = 0
    detail: str = ""


class Audit:
    """Appends to the file at `path`; may be called in any thread."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES, files: int = FILES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._files = files
        self._lock = Lock()

    def write(self, at: float, who: Operator, deed: Deed) -> None:
        """Note a deed done at `at` (s since the epoch); it is on the disk afterwards.  Raises OSError."""
        when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        fields = {"at": when, **msgspec.structs.asdict(who), **msgspec.to_builtins(deed)}
        line = msgspec.json.encode(fields) + b"\n"
        with self._lock:
            self._make_room(len(line))
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
            try:
                os.fchmod(handle, MODE)
                os.write(handle, line)
                os.fsync(handle)
            finally:
                os.close(handle)

    def _make_room(self, size: int) -> None:
        try:
            if self._path.stat().st_size + size <= self._most_bytes:
                return
        except FileNotFoundError:
            return
        for number in range(self._files - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.replace(older)
