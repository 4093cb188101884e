"""Percentiles of many durations in little memory: a histogram whose buckets grow by 1 %."""

from __future__ import annotations

from math import ceil, log
from typing import Final

#: Shortest duration told apart (s), and how much longer each bucket reaches than the one before.
FLOOR: Final = 1e-5
RATIO: Final = 1.01
_LOG: Final = log(RATIO)


class Histogram:
    """Durations in seconds; a percentile is at most 1 % too long, the greatest is exact."""

    def __init__(self) -> None:
        self.count = 0
        self.greatest = 0.0
        self._buckets: dict[int, int] = {}

    def add(self, seconds: float, times: int = 1) -> None:
        """Count a duration; what clocks make negative counts as nothing."""
        bucket = ceil(log(seconds / FLOOR) / _LOG) if seconds > FLOOR else 0
        self._buckets[bucket] = self._buckets.get(bucket, 0) + times
        self.count += times
        self.greatest = max(self.greatest, seconds)

    def percentile(self, percent: float) -> float | None:
        """The duration (s) that `percent` of the samples do not exceed; None without samples."""
        wanted = max(1, ceil(self.count * percent / 100))
        for bucket in sorted(self._buckets):
            wanted -= self._buckets[bucket]
            if wanted <= 0:
                return min(FLOOR * RATIO**bucket, self.greatest)
        return None

    def merge(self, other: Histogram) -> None:
        """Take in the samples of `other`."""
        for bucket, times in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + times
        self.count += other.count
        self.greatest = max(self.greatest, other.greatest)
