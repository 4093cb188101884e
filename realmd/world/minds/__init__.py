"""The minds of the realm's inhabitants: pure functions of what they perceive.

To add a behaviour: one file with a `Memory` and a `think`, and one row here; world.toml
names it as an inhabitant's `mind`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from msgspec import Struct

from ..commands import Command
from . import dragon, kobold
from .view import View, view_of


class Mind(Struct, frozen=True):
    """One behaviour: `think(view, memory, now, rng)` returns what to ask of the world.

    `memory` is what `new_memory` made, kept by the caller and changed by `think`; `now` is
    in ms since the epoch.  The same views, memory and seed give the same commands.
    """

    new_memory: Callable[[], Any]
    think: Callable[[View, Any, int, Random], list[Command]]


MINDS: Final[dict[str, Mind]] = {
    "dragon": Mind(dragon.Memory, dragon.think),
    "kobold": Mind(kobold.Memory, kobold.think),
}

__all__ = ["MINDS", "Mind", "View", "view_of"]
