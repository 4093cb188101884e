"""What agents did lately: from where, and how much.  Nothing of it is kept beyond the process."""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

from .caller import Caller

#: The time (ms) over which a rate is taken; what is older hardly counts.
SPAN: Final = 10_000


class Seen(Struct):
    """Where an agent was last heard from, and its commands a second as they were at `at` (ms)."""

    address: str = ""
    source: str = ""
    network: str = ""
    local: bool = False
    rate: float = 0.0
    at: int = 0

    def rate_at(self, now: int) -> float:
        """Commands a second, the last ones counting most."""
        return self.rate * math.exp(-max(0, now - self.at) / SPAN)


class Activity:
    """One `Seen` an agent; for as many agents as the world knows, which forgets them here, too."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}

    def note(self, agent_id: str, caller: Caller, now: int) -> None:
        """`caller` asked for something in the agent's name."""
        seen = self._seen.setdefault(agent_id, Seen())
        seen.rate, seen.at = seen.rate_at(now) + 1000 / SPAN, now
        seen.address, seen.local = caller.address, caller.local
        seen.source, seen.network = caller.source, caller.network

    def of(self, agent_id: str) -> Seen:
        """What is known of the agent; nothing, since the process began, of one that was not heard."""
        return self._seen.get(agent_id) or Seen()

    def forget(self, agent_id: str) -> None:
        self._seen.pop(agent_id, None)
