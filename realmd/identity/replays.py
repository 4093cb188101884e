"""Proofs that were used, remembered for longer than they could be used again."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from .errors import BadProof
from .proof import HTTP_WINDOW, Proof

REMEMBERED: Final = 65_536
#: How long (ms of time that passes) a used proof has a place: from the first moment at which one is in
#: time to the last, and a second more, for dates are in whole seconds.
LIFE: Final = 2 * HTTP_WINDOW + 1000
#: A key, and an address, may have this part of the places that are free; a network that one.
NARROW: Final = 8
WIDE: Final = 4
#: Spans of dates (ms) that are told apart: those farther from one another than this, and so many.
APART: Final = LIFE
MOST_SPANS: Final = 16


class _Use(Struct, frozen=True, gc=False):
    """A proof that has a place until `ends` (ms of time that passes), and on whose shares it is."""

    ends: int
    mark: bytes
    created: int
    shares: tuple[str, ...]


class Replays:
    """Takes each proof once.  Holds at most `most` of them, about 400 bytes each.

    Every proof has its place equally long, by a clock that never steps: dating it ahead gains nothing.
    A key, an address and a network may each have a part of what is *free* (dynamic thresholds, Choudhury
    and Hahne 1998): the more have many places, the fewer each gets, and some always remain for those
    who have none.  Who is over it gets `busy`; nothing is forgotten in its time, for that would let
    whoever can sign many events replay one that was overheard.

    When the time of day is set back, proofs that were out of date are in time again.  So those whose time
    is over are kept, too, while there is room; of those that had to go the dates are: what is dated
    like them is `stale`, and nothing else is, whatever the clock says.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._used: set[bytes] = set()
        self._placed: deque[_Use] = deque()
        self._over: deque[tuple[bytes, int]] = deque()
        self._shares: Counter[str] = Counter()
        self._forgotten: list[tuple[int, int]] = []

    def __len__(self) -> int:
        """How many have their place."""
        return len(self._placed)

    def __contains__(self, event_id: str) -> bool:
        """Whether the event of this id (hex) was used."""
        return bytes.fromhex(event_id) in self._used

    def forget(self, first: int, last: int) -> None:
        """Proofs of these dates (ms since the epoch) may have been used, and which is not known."""
        spans = sorted([*self._forgotten, (first, last)])
        joined = [spans[0]]
        for low, high in spans[1:]:
            if low <= joined[-1][1] + APART:
                joined[-1] = joined[-1][0], max(joined[-1][1], high)
            else:
                joined.append((low, high))
        if len(joined) > MOST_SPANS:  # the two that are nearest become one
            at = min(range(1, len(joined)), key=lambda n: joined[n][0] - joined[n - 1][1])
            joined[at - 1 : at + 1] = [(joined[at - 1][0], joined[at][1])]
        self._forgotten = joined

    def admit(self, proof: Proof, now: int, address: str = "", network: str = "") -> None:
        """Take `proof`, which was checked, at `now` (ms of time that passes, from any zero).

        `address` and `network` are where it came from, if that is to have a share.  Raises `BadProof`:
        replayed, stale, or busy when there is no place for it.
        """
        self._release(now)
        mark = bytes.fromhex(proof.event_id)
        if mark in self._used:
            raise BadProof("replayed")
        if any(low <= proof.created <= high for low, high in self._forgotten):
            raise BadProof("stale")
        free = self._most - len(self._placed)
        parts = {network: WIDE, address: NARROW, proof.pubkey: NARROW}
        parts.pop("", None)
        if not free or any(self._shares[who] >= max(1, free // part) for who, part in parts.items()):
            raise BadProof("busy")
        self._used.add(mark)
        self._placed.append(_Use(now + LIFE, mark, proof.created, tuple(parts)))
        self._shares.update(parts.keys())
        self._make_room()

    def _release(self, now: int) -> None:
        """Places whose time is over are free again."""
        while self._placed and self._placed[0].ends <= now:
            use = self._placed.popleft()
            self._over.append((use.mark, use.created))
            self._give_back(use.shares)

    def _give_back(self, shares: Iterable[str]) -> None:
        for who in shares:
            self._shares[who] -= 1
            if not self._shares[who]:
                del self._shares[who]

    def _make_room(self) -> None:
        while len(self._used) > self._most:
            mark, created = self._over.popleft()
            self._used.discard(mark)
            if not any(low <= created <= high for low, high in self._forgotten):
                self.forget(created, created)
