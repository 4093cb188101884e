"""Which rule obeys which command."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from ..caller import Caller
from ..commands import Command
from ..events import Event
from ..state import State

#: (the world, the command, on whose behalf) → what happened.
Rule = Callable[[State, Any, Caller], Iterable[Event]]
RULES: Final[dict[type[Command], Rule]] = {}


def rule(command: type[Command]) -> Callable[[Rule], Rule]:
    """Declare a function as the rule of `command`."""

    def declare(function: Rule) -> Rule:
        RULES[command] = function
        return function

    return declare
