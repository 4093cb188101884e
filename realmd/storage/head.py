"""The head: a second witness, in a file beside the database, of how far the realm has acknowledged.

A database that lost its tail (a write-ahead log that is cut, or whose bytes flipped) is whole as far
as it goes and looks like one that ended there.  The head says where it ended.

Two slots are written in turn, so that a torn write leaves the one before.  A slot is a line of text:
CRC-32 in hex, a blank, JSON; zeros fill it up.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..host.files import sync
from .interface import StorageError

#: Bytes from one slot to the next: no write of a disk's sector or a page reaches into both.
SLOT: Final = 4096
#: Numbers that are reserved at once: so many commits at least share one sync.
BLOCK: Final = 1000
#: What was noted is synced no later than by the first commit after so long (s).
SYNC_AFTER: Final = 1.0


class Mark(Struct, frozen=True):
    """What the head says.

    `seq`: the last event acknowledged; `commits`: how many commits there were.  `reserved`: no event
    above it was ever acknowledged.  `boot`: which run of the machine wrote it, for as long as that
    lasts nothing written is lost, synced or not.  `turn` tells the newer slot.
    """

    seq: int = 0
    commits: int = 0
    reserved: int = 0
    epoch: str = ""
    boot: str = ""
    turn: int = 0

    def given(self, boot: str) -> int:
        """The last number that may have been given, as one knows in the machine's run `boot`."""
        return self.seq if boot and boot == self.boot else max(self.seq, self.reserved)


def this_boot() -> str:
    """Which run of the machine this is; "" where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, UnicodeError):
        return ""


def head_file(location: str | Path) -> Path:
    """Where the head of the database at `location` is."""
    return Path(f"{location}.head")


def read(path: Path) -> Mark | None:
    """The newer of the marks at `path` that are whole; None if there is none.  Raises `OSError`."""
    try:
        data = path.read_bytes()[: 2 * SLOT]
    except FileNotFoundError:
        return None
    found = [mark for at in (0, SLOT) if (mark := _decode(data[at : at + SLOT])) is not None]
    return max(found, key=lambda mark: mark.turn, default=None)


def _encode(mark: Mark) -> bytes:
    body = msgspec.json.encode(mark)
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _decode(slot: bytes) -> Mark | None:
    code, _, body = slot.partition(b"\n")[0].partition(b" ")
    if code != b"%08x" % zlib.crc32(body):
        return None
    try:
        return msgspec.json.decode(body, type=Mark)
    except (msgspec.MsgspecError, UnicodeError):
        return None


class Head:
    """The head at `path`, for whoever holds the database's lock.

    Nothing is made before `begin`.  Raises `StorageError` where it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.boot = this_boot()
        #: What it says; None: nothing that can be read.
        self.mark: Mark | None
        #: Why what was committed could not be noted, or "".
        self.fault = ""
        self._file = -1
        self._synced = 0.0
        try:
            self.mark = read(path)
        except OSError as error:
            raise StorageError(f"{path} cannot be read ({error.strerror}).") from error

    def begin(self, mark: Mark, mode: int = 0o640) -> None:
        """Say `mark`, durably, making the file if it is missing; from now on it may be noted in."""
        turn = self.mark.turn + 1 if self.mark else 1
        self.mark = replace(mark, boot=self.boot, turn=turn)
        try:
            if self._file < 0:
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.open(self.path, flags, mode)
                os.ftruncate(self._file, 2 * SLOT)
            self._write(sync=True)
            sync(self.path.parent)
        except OSError as error:
            raise self._unwritable(error) from error

    def reserve(self, seq: int, now: float) -> None:
        """See to it, before the event `seq` is committed, that the head knows of such a number."""
        assert self.mark is not None
        if seq <= self.mark.reserved:
            return
        before, self.mark = self.mark, replace(self.mark, reserved=seq + BLOCK, turn=self.mark.turn + 1)
        try:
            self._write(sync=True)
        except OSError as error:
            self.mark = before
            raise self._unwritable(error) from error
        self._synced = now

    def note(self, seq: int, commits: int, now: float) -> None:
        """Everything up to `seq`, in so many commits, is committed.  Never raises: see `fault`.

        It survives the process at once; the machine, by the next sync.  `now` is in s.
        """
        assert self.mark is not None
        self.mark = replace(self.mark, seq=seq, commits=commits, turn=self.mark.turn + 1)
        sync = now - self._synced >= SYNC_AFTER
        try:
            self._write(sync)
            self.fault = ""
        except OSError as error:
            self.fault = str(self._unwritable(error))
        if sync:
            self._synced = now

    def end(self) -> None:
        """Nothing comes any more: no number is reserved beyond the last."""
        if self.mark is not None and self._file >= 0:
            self.begin(replace(self.mark, reserved=self.mark.seq))

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, sync: bool) -> None:
        assert self.mark is not None
        os.pwrite(self._file, _encode(self.mark).ljust(512, b"\0"), self.mark.turn % 2 * SLOT)
        if sync:
            os.fdatasync(self._file)

    def _unwritable(self, error: OSError) -> StorageError:
        return StorageError(f"{self.path} cannot be written ({error.strerror}).")


def write(path: Path, mark: Mark) -> None:
    """Make the head of a database that nobody has open.  Raises `StorageError`."""
    head = Head(path)
    try:
        head.begin(mark)
    finally:
        head.close()
