"""How often: growing pauses between tries."""

from __future__ import annotations

from random import Random


class Pauses:
    """Pauses (s) that double from `first` to `longest`, each shortened by up to half at random."""

    def __init__(self, rng: Random, first: float, longest: float) -> None:
        self._rng = rng
        self._first = first
        self._longest = longest
        self.failures = 0

    def next(self) -> float:
        """The next pause; each is longer than the one before until the longest."""
        # An exponent without bound would overflow after a month of failures.
        pause = min(self._longest, self._first * 2.0 ** min(self.failures, 40))
        self.failures += 1
        return pause * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        self.failures = 0
