"""Reading the durable log back: batches from relays, put in order and held against each other.

Relays lose events, serve old ones and are asked one after the other; a realm that was set back to
an old disk writes a second chain over the first.  Nothing of that is repaired here: what follows
from signed batches without doubt is given, and everything else is named.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, Literal

from msgspec import Struct

from .draft import Published, Unreadable
from .log import Batch, Head, Public, read_batch

#: Batches that one reading takes: a million events in batches of ten.
MOST_BATCHES: Final = 100_000
#: Faults of one kind that are listed.
MOST_LISTED: Final = 100

Verdict = Literal["none", "matched", "ahead", "absent", "differs"]


class Gap(Struct, frozen=True):
    """Batches that are missing, and the event numbers that they held (None: not known where they began)."""

    from_batch: int
    to_batch: int
    from_seq: int | None
    to_seq: int


class Fork(Struct, frozen=True):
    """More than one batch of the same number, by the same author."""

    batch: int
    ids: tuple[str, ...]


class Refused(Struct, frozen=True):
    """An event that is no sound batch of this log; `code` as in `Unreadable`."""

    id: str
    code: str


class Report(Struct, frozen=True):
    """What a chain holds, and everything that is wrong with it.

    `entries` are the published events, in order, of the batches that are beyond doubt; `omitted` the
    numbers they name as too large to publish.  `head` is where to go on.  `gaps` say which batches are
    missing before, between and (by the checkpoint) after them; `forks` where there are two; `strays`
    are sound batches that do not belong to the chain that was read, or not beyond doubt; `tips` the
    ends of all chains if there are forks, to choose one by.  Lists of faults end at `MOST_LISTED`.

    checkpoint: none was given; matched; ahead (the chain's end is missing); absent (its batch is in a
    gap); differs (it names another batch than the chain has).
    """

    entries: tuple[Public, ...]
    omitted: tuple[int, ...]
    batches: int
    head: Head
    gaps: tuple[Gap, ...]
    forks: tuple[Fork, ...]
    tips: tuple[str, ...]
    strays: tuple[str, ...]
    refused: tuple[Refused, ...]
    checkpoint: Verdict

    @property
    def complete(self) -> bool:
        """Whether every event that was ever published in this chain is here, as far as can be known."""
        sound = self.checkpoint in ("none", "matched") and bool(self.batches)
        return sound and not (self.gaps or self.strays)


def verify_chain(
    found: Iterable[Published],
    author: str,
    room_id: str,
    checkpoint: Head | None = None,
    *,
    branch: str | None = None,
) -> Report:
    """The log of the room by `author` (pubkey, hex) in `found`: events in any order, doubles among them.

    Ids and signatures must have been checked.  Of several chains the one is read that `branch` (id of
    a batch) or else the checkpoint is in; without either, what all have in common.
    """
    batches, refused = _sort(found, author, room_id)
    by_number: dict[int, list[Batch]] = {}
    for batch in batches.values():
        by_number.setdefault(batch.batch, []).append(batch)
    anchor = batches.get(branch if branch is not None else checkpoint.id if checkpoint else "")
    if branch is not None and anchor is None:
        raise ValueError("the branch to read is not among these events")
    chosen = _choose(by_number, anchor)
    kept = {batch.id for batch in chosen}
    contested = {n for n, rivals in by_number.items() if len(rivals) > 1}
    forks = [
        Fork(n, tuple(sorted(batch.id for batch in by_number[n])))
        for n in sorted(contested)
        if n - 1 not in contested
    ]
    followed = {batch.prev for batch in batches.values()}
    tips = sorted(mark for mark in batches if mark not in followed) if forks else []
    return Report(
        entries=tuple(entry for batch in chosen for entry in batch.entries),
        omitted=tuple(seq for batch in chosen for seq in batch.omitted),
        batches=len(chosen),
        head=chosen[-1].head if chosen else Head(),
        gaps=tuple(_gaps(chosen, checkpoint)),
        forks=tuple(forks[:MOST_LISTED]),
        tips=tuple(tips[:MOST_LISTED]),
        strays=tuple(sorted(batches.keys() - kept)[:MOST_LISTED]),
        refused=tuple(refused),
        checkpoint=_verdict(chosen, checkpoint),
    )


def _sort(found: Iterable[Published], author: str, room_id: str) -> tuple[dict[str, Batch], list[Refused]]:
    """Sound batches by id, and the others."""
    batches: dict[str, Batch] = {}
    refused: dict[str, Refused] = {}
    for event in found:
        if event.id in batches or event.id in refused:
            continue
        try:
            batch = read_batch(event, author, room_id)
        except Unreadable as error:
            if len(refused) < MOST_LISTED:
                refused[event.id] = Refused(event.id, error.code)
            continue
        if len(batches) >= MOST_BATCHES:
            raise Unreadable("full")
        batches[batch.id] = batch
    return batches, list(refused.values())


def _choose(by_number: dict[int, list[Batch]], anchor: Batch | None) -> list[Batch]:
    """The batches beyond doubt, rising."""
    numbers = sorted(by_number)
    if anchor is None:
        return _upward([], numbers, by_number, anchored=False)
    down = _downward(anchor, [n for n in reversed(numbers) if n < anchor.batch], by_number)
    return _upward(down, [n for n in numbers if n > anchor.batch], by_number, anchored=True)


def _downward(anchor: Batch, numbers: list[int], by_number: dict[int, list[Batch]]) -> list[Batch]:
    """What leads to `anchor`, rising; below a gap only what has no rival."""
    chosen = [anchor]
    for n in numbers:
        above = chosen[-1]
        if n == above.batch - 1:
            fitting = [batch for batch in by_number[n] if above.follows(batch)]
        else:
            fitting = [batch for batch in by_number[n] if batch.to_seq < above.from_seq]
            fitting = fitting if len(by_number[n]) == 1 else []
        chosen += fitting[:1]
    return chosen[::-1]


def _upward(
    chosen: list[Batch], numbers: list[int], by_number: dict[int, list[Batch]], *, anchored: bool
) -> list[Batch]:
    """`chosen` and what follows it; nothing from where it is not clear which batch does."""
    for n in numbers:
        rivals = by_number[n]
        below = chosen[-1] if chosen else None
        if below is not None and n == below.batch + 1:
            fitting = [batch for batch in rivals if batch.follows(below)]
            clear = len(fitting) == 1 and (anchored or len(rivals) == 1)
        else:
            fitting = [batch for batch in rivals if below is None or batch.from_seq > below.to_seq]
            clear = len(fitting) == len(rivals) == 1
        if not clear:
            break
        chosen.append(fitting[0])
    return chosen


def _gaps(chosen: list[Batch], checkpoint: Head | None) -> Iterable[Gap]:
    if chosen and chosen[0].batch > 1:
        yield Gap(1, chosen[0].batch - 1, None, chosen[0].from_seq - 1)
    for below, above in pairwise(chosen):
        if above.batch > below.batch + 1:
            yield Gap(below.batch + 1, above.batch - 1, below.to_seq + 1, above.from_seq - 1)
    last = chosen[-1].head if chosen else Head()
    if checkpoint is not None and checkpoint.batch > last.batch:
        yield Gap(last.batch + 1, checkpoint.batch, last.to_seq + 1 if chosen else None, checkpoint.to_seq)


def _verdict(chosen: list[Batch], checkpoint: Head | None) -> Verdict:
    if checkpoint is None:
        return "none"
    if not chosen or checkpoint.batch > chosen[-1].batch:
        return "ahead"
    same = [batch for batch in chosen if batch.batch == checkpoint.batch]
    if not same:
        return "absent"
    return "matched" if same[0].head == checkpoint else "differs"
