"""The one way into the world: a bounded queue that the tick drains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..primitives.errors import Rejection
from ..primitives.figures import Figures
from ..world.caller import INSIDE, Caller
from ..world.commands import Command, LinkClosed, LinkOpened
from ..world.engine import Outcome

Reply = Callable[[Outcome], None]
Asked = tuple[Command, Reply, Caller]

#: Facts about sockets, which no refusal undoes; the door bounds how many there can be.
FACTS: Final = (LinkOpened, LinkClosed)


def unheard(outcome: Outcome) -> None:
    """The reply of a command whose sender does not listen."""


class Intake:
    """Commands waiting for the next tick.  When full, all but facts are refused with ``busy``."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.refused = 0
        self._closed = False
        self._waiting: list[Asked] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def submit(self, command: Command, reply: Reply = unheard, caller: Caller = INSIDE) -> None:
        """Queue `command` on behalf of `caller`; `reply` is called once, now or after a tick."""
        if self._closed:
            reply(Rejection("shutting_down", "shutting_down"))
        elif len(self._waiting) >= self.limit and not isinstance(command, FACTS):
            self.refused += 1
            reply(Rejection("busy", "busy"))
        else:
            self._waiting.append((command, reply, caller))

    def drain(self) -> list[Asked]:
        """Everything that waits, in the order it came."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            ("realmd_intake_waiting", "Commands waiting for a tick.", lambda: len(self)),
            ("realmd_intake_refused_total", "Commands refused as busy.", lambda: self.refused),
        ]

    def close(self) -> None:
        """Refuse whatever comes from now on; what waits is still served."""
        self._closed = True
