"""What every body does: set out and find out, show an action for a while."""

from __future__ import annotations

from msgspec import Struct

from ..commands import Action, Command, WorldAction
from .view import View

SECOND = 1000
#: From a command to its visible effect (ms); a walk that shows none by then was refused.
SETTLE = 4 * SECOND
#: A walk that takes longer than this (ms) is given up.
PATIENCE = 120 * SECOND
#: How long an action is shown (ms).
SHOWN = 4 * SECOND


class Bearing(Struct):
    """When the latest step began, when it ends at the latest, how long an action is shown (ms)."""

    began: int = 0
    until: int = 0
    shown_until: int = 0

    def begin(self, now: int, lasting: int) -> None:
        self.began, self.until = now, now + lasting

    def unsettled(self, now: int) -> bool:
        """Whether it is too early to see what came of the latest step."""
        return now < self.began + SETTLE

    def under_way(self, view: View, now: int) -> bool:
        return view.me.walk is not None and now < self.until

    def refused(self, view: View) -> bool:
        """Whether the world refused the latest walk: the body never moved."""
        return view.me.timestamp < self.began

    def show(self, view: View, now: int, action: Action) -> list[Command]:
        """Show an action for a few seconds, unless walking (which is itself shown)."""
        if view.me.walk is not None:
            return []
        self.shown_until = now + SHOWN
        return [WorldAction(agent_id=view.me.agent_id, action=action)]

    def relax(self, view: View, now: int) -> list[Command]:
        """Stop showing the action when its time is over."""
        if not self.shown_until or now < self.shown_until:
            return []
        self.shown_until = 0
        return [] if view.me.walk is not None else [WorldAction(agent_id=view.me.agent_id, action="idle")]
