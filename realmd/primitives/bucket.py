"""How much and how often: token buckets, alone and by key.

A share refills steadily and holds a burst.  The time (s) is an argument, of whatever clock, but always of
the same one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from msgspec import Struct

#: No share owes more than it fills in this time (s), whatever is taken of it, unless its rate says otherwise.
LONGEST_DEBT: Final = 10.0
#: How many of the longest unused buckets are looked at when a table is full.
LOOKED_AT: Final = 4
#: Clocks are coarse and floats are rounded: what is missing by so little is not missing.
ROUNDING: Final = 1e-7


class Rate(Struct, frozen=True):
    """`per_second` on average, `burst` at once; what may be owed is paid in `longest_debt` s."""

    per_second: float
    burst: float
    longest_debt: float = LONGEST_DEBT

    @property
    def floor(self) -> float:
        """The level below which no bucket falls."""
        return -self.longest_debt * self.per_second


class Bucket:
    """What is left of a share; it starts full."""

    __slots__ = ("_at", "_level")

    def __init__(self, rate: Rate, now: float) -> None:
        self._level = rate.burst
        self._at = now

    def take(self, rate: Rate, cost: float, now: float, reserve: float = 0.0) -> float:
        """0 if `cost` was there, and is gone now; else how long (s) until it will be.

        At least `reserve` stays.  What is more than a whole burst is let by a full bucket, which then owes
        the rest.
        """
        self._fill(rate, now)
        missing = min(cost + reserve, rate.burst) - self._level
        if missing > ROUNDING:
            return missing / rate.per_second
        self._level = max(rate.floor, self._level - cost)
        return 0.0

    def owe(self, rate: Rate, cost: float, now: float) -> float:
        """Take `cost`, there or not, but no more than may be owed.  How much was taken."""
        self._fill(rate, now)
        before = self._level
        self._level = max(rate.floor, before - cost)
        return before - self._level

    def debt(self, rate: Rate, now: float) -> float:
        """How long (s) until nothing is owed any more."""
        self._fill(rate, now)
        return max(0.0, -self._level / rate.per_second)

    def is_full(self, rate: Rate, now: float) -> bool:
        """Whether to forget it would give its owner nothing."""
        self._fill(rate, now)
        return self._level >= rate.burst

    def shift(self, by: float) -> None:
        """The clock was set by `by` (s), which fills nothing."""
        self._at += by

    def _fill(self, rate: Rate, now: float) -> None:
        if now > self._at:
            self._level = min(rate.burst, self._level + (now - self._at) * rate.per_second)
            self._at = now


class Table:
    """Buckets by key, at most `size`.

    Only a full one is forgotten, so nobody refills a share by crowding out its bucket.
    While there is none to forget, all newcomers share one bucket: the known are not harmed.
    """

    def __init__(self, rate: Rate, size: int) -> None:
        self.rate = rate
        self._size = size
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._newcomers: Bucket | None = None

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, cost: float, now: float) -> float:
        """See `Bucket.take`."""
        return self._of(key, now).take(self.rate, cost, now)

    def owe(self, key: str, cost: float, now: float) -> float:
        """See `Bucket.owe`."""
        return self._of(key, now).owe(self.rate, cost, now)

    def _of(self, key: str, now: float) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is not None:
            self._buckets.move_to_end(key)
        elif len(self._buckets) < self._size or self._forget(now):
            bucket = self._buckets[key] = Bucket(self.rate, now)
        else:
            bucket = self._newcomers = self._newcomers or Bucket(self.rate, now)
        return bucket

    def _forget(self, now: float) -> bool:
        """Make room, if one of the longest unused is full."""
        for _ in range(LOOKED_AT):
            key = next(iter(self._buckets))
            if self._buckets[key].is_full(self.rate, now):
                del self._buckets[key]
                return True
            self._buckets.move_to_end(key)
        return False
