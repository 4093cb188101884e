"""Proofs that were used, remembered for as long as they could be used again."""

from __future__ import annotations

from heapq import heappop, heappush

from .errors import BadProof
from .proof import Proof

REMEMBERED = 65_536


class Replays:
    """Takes each proof once.  Holds at most `most` of them, about 200 bytes each.

    When it is full it refuses new proofs, and forgets none before its time: forgetting would let
    whoever can sign many events (keys cost nothing) replay one that was overheard, while refusing
    costs a login that can be tried again.  The default is 500 logins a second for the two minutes that
    an HTTP proof can live, well above what rate limits by address let in.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._ends: list[tuple[int, bytes]] = []
        self._used: set[bytes] = set()
        self._now = 0

    def __len__(self) -> int:
        return len(self._used)

    def __contains__(self, event_id: str) -> bool:
        """Whether the event of this id (hex) was used."""
        return bytes.fromhex(event_id) in self._used

    def admit(self, proof: Proof, now: int) -> None:
        """Take `proof` at `now` (ms); raises `BadProof`: replayed, stale, or busy when full."""
        # A clock that is set back must not revive proofs that were forgotten on time.
        self._now = max(self._now, now)
        while self._ends and self._ends[0][0] < self._now:
            self._used.discard(heappop(self._ends)[1])
        if proof.until < self._now:
            raise BadProof("stale")
        mark = bytes.fromhex(proof.event_id)
        if mark in self._used:
            raise BadProof("replayed")
        if len(self._used) >= self._most:
            raise BadProof("busy")
        self._used.add(mark)
        heappush(self._ends, (proof.until, mark))
