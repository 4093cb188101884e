"""How much a server holds, by bisection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from msgspec import Struct

T = TypeVar("T")
#: What a probe says: it holds; it does not; the load side gave out, so nobody knows.
Verdict = Literal["holds", "fails", "unknown"]


class Found(Struct, Generic[T], frozen=True):
    """The most that held, and every probe in the order made.

    `limit` is False when nothing failed: the server holds at least `most`, and it was the
    load side, or the highest number allowed, that ended the search.
    """

    most: int
    limit: bool
    probes: list[tuple[int, Verdict, T]]


def bisect(
    probe: Callable[[int], tuple[Verdict, T]], start: int, highest: int, precision: float = 0.1
) -> Found[T]:
    """Double from `start` until a probe does not hold, then halve the gap until it is within `precision`."""
    probes: list[tuple[int, Verdict, T]] = []

    def holds(number: int) -> Verdict:
        verdict, found = probe(number)
        probes.append((number, verdict, found))
        return verdict

    most, number = 0, min(start, highest)
    verdict = holds(number)
    while verdict == "holds":
        most = number
        if number >= highest:
            return Found(most, False, probes)
        number = min(2 * number, highest)
        verdict = holds(number)
    over, limit = number, verdict == "fails"
    while over - most > max(1, int(most * precision)):
        number = (most + over) // 2
        verdict = holds(number)
        if verdict == "holds":
            most = number
        else:
            over, limit = number, verdict == "fails"
    return Found(most, limit, probes)
