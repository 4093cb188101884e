"""Which moves were sent, and when each was seen: the latency from a move to its position.

Every position that an agent sends carries its number, modulo 100, in the thousandths of
x and z.  A viewer that gets the same agentId with exactly the same x and z has seen that
move.  A server that shows only an agent's last position of a tick drops nothing: moves
passed over by a newer one count as collapsed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from msgspec import Struct

from .histogram import Histogram

#: Moves of one agent that may be under way; a position seen later than that matches none.
RING: Final = 100


def stamp(x: float, z: float, seq: int) -> tuple[float, float]:
    """The point (units) moved by less than a hundredth, so that it tells `seq` modulo 100."""
    tens, ones = divmod(seq % RING, 10)
    return (round(x * 100) * 10 + tens) / 1000, (round(z * 100) * 10 + ones) / 1000


def stamped(x: float, z: float) -> int:
    """The number modulo 100 that `stamp` put into a point."""
    return round(x * 1000) % 10 * 10 + round(z * 1000) % 10


class Totals(Struct, frozen=True):
    """What became of the moves sent; of those not refused, each is in one of the last four."""

    sent: int
    refused: int
    #: Seen by a sampling viewer; passed over by a newer one; nothing newer of that agent came either.
    seen: int
    collapsed: int
    unseen: int
    #: Of agents that no sampling viewer is there to see.
    unwatched: int
    #: Positions of our agents that match no move: altered by the server, or very late.
    unmatched: int


class _Move(Struct):
    seq: int
    x: float
    z: float
    sent: float
    refused: bool = False


class _Track(Struct):
    """One agent: numbers count from 1 and never start again."""

    ring: list[_Move | None]
    seq: int = 0
    base: int = 0
    seen_to: int = 0
    seen: int = 0
    refused: int = 0
    #: Refused with a number above `seen_to`.
    refused_after: int = 0


class Ledger:
    """The moves of all agents; times are seconds of one monotonic clock.

    `latency` gets a sample for each viewer that sees a move, `recent` too, for whoever empties it.
    """

    def __init__(self, agents: Iterable[str]) -> None:
        self._tracks = {name: _Track([None] * RING) for name in agents}
        self._unmatched = 0
        self.latency = Histogram()
        self.recent = Histogram()
        #: Agents sure to be in some sampling viewer's sight; None: whoever was seen once.
        self.watched: Collection[str] | None = None

    def begin(self) -> None:
        """Forget all that was counted; moves sent before are not counted when they are seen."""
        for track in self._tracks.values():
            track.base = track.seen_to = track.seq
            track.seen = track.refused = track.refused_after = 0
        self._unmatched = 0
        self.latency, self.recent = Histogram(), Histogram()

    def send(self, agent: str, x: float, z: float, now: float) -> tuple[int, float, float]:
        """Note a move about to be sent; returns its number and the x and z to send."""
        track = self._tracks[agent]
        track.seq += 1
        x, z = stamp(x, z, track.seq)
        track.ring[track.seq % RING] = _Move(track.seq, x, z, now)
        return track.seq, x, z

    def refuse(self, agent: str, seq: int) -> None:
        """The server refused that move: nobody will see it."""
        track = self._tracks[agent]
        if seq > track.base:
            track.refused += 1
        move = track.ring[seq % RING]
        if move is not None and move.seq == seq:
            move.refused = True
        if seq > track.seen_to:
            track.refused_after += 1

    def see(self, last: dict[str, int], agent: str, x: float, z: float, now: float) -> None:
        """A viewer got a position; `last` is its own memory: agentId → number last seen."""
        track = self._tracks.get(agent)
        if track is None:
            return
        move = track.ring[stamped(x, z)]
        if move is None or (move.x, move.z) != (x, z):
            self._unmatched += 1
            return
        if move.seq <= max(track.base, last.get(agent, 0)):
            return
        last[agent] = move.seq
        self.latency.add(now - move.sent)
        self.recent.add(now - move.sent)
        if move.seq > track.seen_to:
            track.seen_to = move.seq
            track.seen += 1
            if track.refused_after:
                track.refused_after = sum(
                    1 for m in track.ring if m is not None and m.refused and m.seq > move.seq
                )

    def totals(self) -> Totals:
        """What became of the moves since `begin`."""
        sent = refused = seen = collapsed = unseen = unwatched = 0
        for name, track in self._tracks.items():
            number = track.seq - track.base
            sent += number
            refused += track.refused
            if track.seen == 0 if self.watched is None else name not in self.watched:
                unwatched += number - track.refused
                continue
            tail = track.seq - track.seen_to - track.refused_after
            seen += track.seen
            unseen += tail
            collapsed += number - track.refused - track.seen - tail
        return Totals(sent, refused, seen, collapsed, unseen, unwatched, self._unmatched)
