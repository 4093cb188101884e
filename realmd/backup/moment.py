"""Point in time: which backup to begin with, and the journal's events up to the moment.

A backup holds the realm as it was when it was taken; nothing brings it back before that.  What
came after is in the journal of a later database: a later backup, or the one that is there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from ..storage.interface import Entry
from ..storage.witness import GAP
from . import archive, database, journal
from .manifest import BackupError, Kept, Manifest, WrongWords, listed
from .replay import Replay

#: Events written in one transaction.
STEP: Final = 5000


class Moment(Struct, frozen=True):
    """Up to which event to go: the last by its seq, or the last not after a time (ms)."""

    text: str
    seq: int | None = None
    time: int | None = None

    def reached(self, one: Entry) -> bool:
        """Whether `one` lies beyond."""
        if self.seq is not None:
            return one.seq > self.seq
        return self.time is not None and one.timestamp > self.time

    def covers(self, manifest: Manifest) -> bool:
        """Whether the backup was taken at the moment or before."""
        if manifest.content is None:
            return False
        if self.seq is not None:
            return manifest.content.seq <= self.seq
        return self.time is not None and manifest.taken <= self.time


class Replayed(Struct, frozen=True):
    """How many events were added, up to which seq."""

    events: int
    seq: int


def parse(text: str) -> Moment:
    """A seq (digits), or a time in ISO 8601; one without an offset is the machine's local time."""
    if text.isdecimal():
        return Moment(text, seq=int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WrongWords(
            f"{text!r}: give the seq of an event, or a time like 2026-11-23T10:30 (local) or …T10:30Z."
        ) from None
    return Moment(text, time=round(moment.timestamp() * 1000))


def choose(folder: Path, moment: Moment | None) -> Path:
    """The newest backup in `folder` that holds the database and was taken no later than `moment`."""
    for one in reversed(_with_database(folder)):
        if moment is None or moment.covers(archive.peek(one.path)):
            return one.path
    when = f" taken at {moment.text} or before" if moment else ""
    raise BackupError(f"{folder} has no backup{when}.")


def later(folder: Path, manifest: Manifest, moment: Moment) -> Path | None:
    """The first backup in `folder` after that of `manifest` that reaches the moment, else the newest."""
    found = [one.path for one in _with_database(folder) if one.taken > manifest.taken]
    return next(
        (path for path in found if not moment.covers(archive.peek(path))), found[-1] if found else None
    )


def _with_database(folder: Path) -> list[Kept]:
    return [one for one in listed(folder) if one.kind != "configuration"]


def replay(base: Path, later_database: Path, moment: Moment, spawn: tuple[float, float]) -> Replayed:
    """Bring the database `base` forward to `moment` with the journal of `later_database`.

    Raises `BackupError` when that journal does not go on where `base` ends: another realm's, or
    one from which events in between are gone.  `spawn` is where those stand who joined since.
    """
    seq, notes = int(database.meta(base)["seq"]), database.meta(later_database)
    _check_kin(base, later_database, seq)
    tables = journal.load(base)
    play, new, count = Replay(tables, spawn, serial=time.time_ns() // 1_000_000), list[Entry](), 0
    for one in _up_to(journal.entries(later_database, seq), moment):
        if not _follows(one.seq, tables.seq, notes):
            raise BackupError(
                f"{later_database}: the events {tables.seq + 1} to {one.seq - 1} are missing; the backup "
                f"ends at {seq}. Take a later backup to begin with, or a journal that still has them."
            )
        play.apply(journal.decode(one))
        new.append(one)
        if len(new) >= STEP:
            journal.append(base, new, tables.seal().after, tables.seq)
            count, new = count + len(new), []
    journal.append(base, new, tables.seal().after, tables.seq)
    return Replayed(count + len(new), tables.seq)


def _follows(seq: int, last: int, notes: dict[str, str]) -> bool:
    """Whether `seq` is the next number after `last`: those that were passed over are in no history."""
    while last + 1 < seq and (passed := notes.get(f"{GAP}{last + 1}")) is not None:
        last = int(passed)
    return seq == last + 1


def _up_to(found: Iterable[Entry], moment: Moment) -> Iterable[Entry]:
    # In the order of seq: the clock may have stepped back in between.
    for one in found:
        if moment.reached(one):
            return
        yield one


def _check_kin(base: Path, other: Path, seq: int) -> None:
    """The newest event that the backup holds is the same in the other journal."""
    ends = int(database.meta(other)["seq"])
    if ends < seq:
        raise BackupError(f"{other} ends before the backup does, at event {ends}.")
    last = journal.newest(base)
    if seq and (last is None or journal.entry(other, last.seq) != last):
        what = f"its event {last.seq}" if last else "an event of the backup"
        raise BackupError(
            f"{other} cannot be shown to be the same realm: {what} is missing there or another."
        )
