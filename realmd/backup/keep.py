"""How long backups are kept: by age, then by space, and never without a good one left."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from ..host.files import sync
from .files import remove
from .manifest import KINDS, Kept, Kind, listed
from .record import read

DAY_MS: Final = 86_400_000
#: The newest of each kind that age alone does not take: a clock set wrongly makes all of them old.
FLOOR: Final = 3


def surplus(
    kept: Iterable[Kept], now: int, ages: Mapping[Kind, int], most_bytes: int, good: Collection[str] = ()
) -> list[Kept]:
    """The archives to take away, the oldest first.

    `ages` is how long (ms) each kind is kept; a kind without an age is kept for ever, space
    allowing.  The newest of each kind and those named in `good` stay whatever happens.
    """
    kept = sorted(kept)
    by_kind = {kind: [one for one in kept if one.kind == kind] for kind in KINDS}
    safe = {one for ones in by_kind.values() for one in ones[-1:]} | {o for o in kept if o.path.name in good}
    spared = {one for ones in by_kind.values() for one in ones[-FLOOR:]}
    gone = [
        one
        for one in kept
        if one not in safe | spared and one.kind in ages and one.taken < now - ages[one.kind]
    ]
    size = sum(one.bytes for one in kept) - sum(one.bytes for one in gone)
    for one in kept:
        if size > most_bytes and one not in safe and one not in gone:
            gone.append(one)
            size -= one.bytes
    return sorted(gone)


def prune(folder: Path, now: int, ages: Mapping[Kind, int], most_bytes: int) -> list[Kept]:
    """Take away what `surplus` says, and return it.  The last archive that was verified is good."""
    verified = read(folder).verify_ok
    gone = surplus(listed(folder), now, ages, most_bytes, {verified.file} if verified else ())
    for one in gone:
        remove(one.path)
    if gone:
        sync(folder)
    return gone
