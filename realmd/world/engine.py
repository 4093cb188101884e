"""The world: applies commands, lets time pass, tells what happened.

One writer calls `apply` and `advance`; both return events in the order they happened.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from ..primitives.errors import Refused, Rejection
from . import events
from .atlas import Atlas
from .caller import INSIDE, Caller
from .commands import Command, Register
from .limits import Limits
from .model import Body
from .rules import board, movement, permission, presence, sanctions
from .rules.registry import RULES
from .state import State


class Masked(tuple[events.Event, ...]):
    """What happened, with a word or a secret of the sender's masked in it."""

    __slots__ = ()


#: What a command led to: what happened, or why nothing did.
Outcome = tuple[events.Event, ...] | Rejection

SWEEP_MS: Final = 1000
#: The bucket of commands that all who never registered share; no agentId is empty.
STRANGERS: Final = ""


class World(State):
    """A state, and the two ways to change it: by a command, and by letting time pass."""

    def __init__(self, atlas: Atlas, limits: Limits, rng: random.Random) -> None:
        super().__init__(atlas, limits, rng)
        #: What rules raised while time passed, until the ticker takes it.
        self.faults: list[Exception] = []
        self._allowance: dict[str, tuple[float, int]] = {}
        self._advanced = 0
        self._swept = 0

    def begin(self, now: int) -> None:
        super().begin(now)
        self._advanced = self._swept = now

    def disregard(self, agent_id: str) -> None:
        super().disregard(agent_id)
        self._allowance.pop(agent_id, None)

    def apply(self, command: Command, now: int, caller: Caller = INSIDE) -> Outcome:
        """Do what `command` asks on behalf of `caller`, wholly or not at all."""
        self.now = now
        if not caller.inside and (rejection := permission.authorise(self, command, caller)) is not None:
            return rejection
        agent_id: str | None = command.agent_id  # type: ignore[attr-defined]
        if agent_id is not None and not command.stranger and agent_id not in self.tables.profiles:
            return Rejection("unknown_agent", "Unknown or unregistered agentId")
        if agent_id in self.tables.profiles and not caller.inside:
            self.activity.note(agent_id, caller, now)
        if command.public and not self._allow(command, agent_id):
            return Rejection("rate_limited", "rate_limited")
        mark = self.tables.mark()
        body = self.tables.bodies.get(agent_id) if agent_id is not None else None
        self.cleaner.masked = False
        try:
            woken = self._hear(agent_id) if agent_id is not None else ()
            happened = (*woken, *RULES[type(command)](self, command, caller))
            return Masked(happened) if self.cleaner.masked else happened
        except Refused as refusal:
            self._take_back(mark, body)
            return refusal.rejection
        except BaseException:
            self._take_back(mark, body)
            raise

    def advance(self, now: int) -> list[events.Event]:
        """Let the time up to `now` pass: walkers walk; once a second, leases run out."""
        elapsed = min(max(now - self._advanced, 0), 1000)
        self._advanced = self.now = now
        happened: list[events.Event] = []
        for agent_id in sorted(self.walking):
            self._attempt(happened, movement.step, agent_id, elapsed)
        if abs(now - self._swept) >= SWEEP_MS:
            self._swept = now
            for agent_id in list(self.tables.bodies):
                self._attempt(happened, presence.expire, agent_id)
            if self.durable:
                board.expire_requests(self)
                sanctions.expire(self)
        return happened

    def shift(self, by: int) -> None:
        """The time of day was set by `by` ms: what lasts goes on as if it had not been."""
        self._advanced += by
        self._swept += by
        self.heard = {agent_id: then + by for agent_id, then in self.heard.items()}
        self._allowance = {who: (tokens, then + by) for who, (tokens, then) in self._allowance.items()}

    # -- inside ------------------------------------------------------------------------

    def _attempt(
        self, happened: list[events.Event], step: Callable[..., Any], agent_id: str, *args: Any
    ) -> None:
        mark, length = self.tables.mark(), len(happened)
        try:
            happened.extend(step(self, agent_id, *args))
        except Exception as error:
            self.rewind(mark)
            # Where it went it was seen to go; what was to be durable did not happen.
            happened[length:] = [e for e in happened[length:] if not isinstance(e, events.Durable)]
            if not isinstance(error, Refused):  # time passes for the others
                self._halt(agent_id)
                self.faults.append(error)
            # Refused: it needs the store, which is away; tried again at the next tick.

    def _halt(self, agent_id: str) -> None:
        """End a walk that cannot go on, so that it does not fail at every tick."""
        body = self.tables.bodies.get(agent_id)
        if body is not None:
            self.place(replace(body, walk=None, action="idle"))
        self.walking.discard(agent_id)

    def _take_back(self, mark: tuple[int, int], body: Body | None) -> None:
        """Nothing of a refused command remains, where its agent stands included."""
        self.rewind(mark)
        if body is not None and self.tables.bodies.get(body.agent_id) is not body:
            self.place(body)
            self.derive()

    def _allow(self, command: Command, agent_id: str | None) -> bool:
        """Token bucket: `commands_per_second` on average and at once."""
        if agent_id not in self.tables.profiles:
            if isinstance(command, Register):  # seats bound those
                return True
            agent_id = STRANGERS  # one bucket for all: the table stays bounded
        elif agent_id in self.atlas.inhabitants:
            return True
        assert agent_id is not None
        rate = self.limits.commands_per_second
        tokens, then = self._allowance.get(agent_id, (float(rate), self.now))
        tokens = min(float(rate), tokens + max(self.now - then, 0) * rate / 1000)
        allowed = tokens >= 1.0
        self._allowance[agent_id] = (tokens - 1.0 if allowed else tokens, self.now)
        return allowed

    def _hear(self, agent_id: str) -> tuple[events.Event, ...]:
        if agent_id not in self.tables.profiles:
            return ()
        self.heard[agent_id] = self.now
        body = self.tables.bodies.get(agent_id)
        if body is None or not body.dozing:
            return ()
        self.place(replace(body, dozing=False))
        return (events.Action(agent_id=agent_id, timestamp=self.now, action=body.action, dozing=False),)
