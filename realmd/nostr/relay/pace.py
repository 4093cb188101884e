"""How often: growing pauses between tries, and a token bucket."""

from __future__ import annotations

from random import Random

from twisted.internet.interfaces import IReactorTime


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


class Bucket:
    """`rate` tokens a second gather in it, up to `burst`; it starts full."""

    def __init__(self, clock: IReactorTime, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled = clock.seconds()

    def take(self, reserve: float = 0.0) -> float:
        """Take one token and return 0; or, if fewer than `reserve` would stay, the seconds to wait."""
        self._fill()
        missing = 1.0 + reserve - self._tokens
        # A clock's seconds are coarse: what is missing by rounding is not missing.
        if missing > 1e-6:
            return missing / self._rate
        self._tokens -= 1.0
        return 0.0

    def spend(self, tokens: float) -> float:
        """Take what was used already, into debt if need be; the seconds until the debt is paid."""
        self._fill()
        self._tokens -= tokens
        return max(0.0, -self._tokens / self._rate)

    def _fill(self) -> None:
        now = self._clock.seconds()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
