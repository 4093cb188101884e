"""The times of addressable events: for each `d` tag, each later than the one before.

Relays keep the newest event of a (kind, pubkey, d) and refuse an older one; of two with the same
second they keep the one with the lower id (NIP-01), which is anybody's guess.
"""

from __future__ import annotations

from typing import Final

#: Names (`d` tags) a realm can have; it uses a handful.
MOST_NAMES: Final = 256
#: Relays refuse events dated further ahead (s) than this, some sooner.
MOST_AHEAD: Final = 600


class Stamps:
    """Gives `created_at` (s since the epoch), strictly rising for each name.  Not for several threads."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def seen(self, name: str, created_at: int) -> None:
        """An event of `name` is known to have been published with that time, in an earlier life perhaps."""
        if name not in self._last and len(self._last) >= MOST_NAMES:
            raise ValueError(f"more than {MOST_NAMES} names")
        self._last[name] = max(created_at, self._last.get(name, 0))

    def next(self, name: str, now: int) -> int:
        """The time for the next event of `name`: `now`, or a second after the last one."""
        stamp = max(now, self._last.get(name, -1) + 1)
        self.seen(name, stamp)
        return stamp

    def wait(self, name: str, now: int) -> int:
        """Seconds until `next` is no more than `MOST_AHEAD` ahead; 0 unless the clock was set back far."""
        return max(0, self._last.get(name, -1) + 1 - MOST_AHEAD - now)
