"""The tick: drains the intake, lets time pass, journals, and has the news fanned out."""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..host.clock import milliseconds
from ..primitives.errors import Rejection
from ..world import events
from ..world.caller import Caller
from ..world.commands import Command
from ..world.engine import Outcome, World
from .fanout import Fanout
from .intake import Intake, Reply
from .journal import Journal

#: A change of the time of day (ms) that is no drift.
JUMP: Final = 5000


class Counters(Protocol):
    """What the tick reports to the metrics."""

    def command(self, name: str, outcome: str) -> None: ...
    def event(self, name: str) -> None: ...
    def tick(self, seconds: float) -> None: ...


class Ticker:
    """One tick after another; `Periodic` calls `tick`."""

    log = Logger()

    def __init__(
        self,
        world: World,
        intake: Intake,
        journal: Journal,
        fanout: Fanout,
        clock: IReactorTime,
        counters: Counters,
    ) -> None:
        self._world = world
        self._intake = intake
        self._journal = journal
        self._fanout = fanout
        self._clock = clock
        self._counters = counters
        #: Duration (s) of the last tick's own work.
        self.seconds = 0.0
        self._offset: int | None = None

    def tick(self, count: int = 1) -> None:
        """Everything that happens in one tick; `count` > 1 merges late ones.

        Raises at the end, all else done, what some agent's rule raised while time passed.
        """
        began = self._clock.seconds()
        now = milliseconds(self._clock)
        world = self._world
        self._follow_clock(began, now)
        world.durable = self._journal.accepting()
        replies: list[tuple[Reply, Outcome]] = []
        happened: list[events.Event] = []
        for command, reply, caller in self._intake.drain():
            outcome = self._apply(command, now, caller)
            if isinstance(outcome, Rejection):
                self._tell(reply, outcome)
                continue
            happened.extend(outcome)
            # That nothing happened may rest on what is not committed yet, so it waits as well.
            if not outcome or any(isinstance(event, events.Durable) for event in outcome):
                replies.append((reply, outcome))
            else:
                self._tell(reply, outcome)
        happened.extend(world.advance(now))
        self._spread(happened, replies)
        self._fanout.tick()
        self.seconds = self._clock.seconds() - began
        self._counters.tick(self.seconds)
        faults, world.faults = world.faults, []
        if faults:  # one agent's share of the tick; the rest is done
            raise faults[0]

    def _follow_clock(self, began: float, now: int) -> None:
        """When somebody sets the system's clock, nobody has been silent for longer or shorter."""
        offset = now - int(began * 1000)
        jumped = offset - self._offset if self._offset is not None else 0
        self._offset = offset
        if abs(jumped) >= JUMP:
            self.log.warn("clock jumped by={by}s", by=round(jumped / 1000))
            self._world.shift(jumped)

    def _apply(self, command: Command, now: int, caller: Caller) -> Outcome:
        name = str(command.__struct_config__.tag)
        try:
            outcome = self._world.apply(command, now, caller)
        except Exception:
            self.log.failure("a rule failed command={name}", name=name)
            outcome = Rejection("internal_error", "internal_error")
        self._counters.command(name, outcome.code if isinstance(outcome, Rejection) else "ok")
        return outcome

    def _spread(self, happened: list[events.Event], replies: list[tuple[Reply, Outcome]]) -> None:
        durable: list[events.Durable] = []
        for event in happened:
            self._counters.event(str(event.__struct_config__.tag))
            if isinstance(event, events.Durable):
                durable.append(event)
            else:
                self._fanout.note(event)
        if durable or replies:
            self._journal.add(durable, replies)

    def _tell(self, reply: Reply, outcome: Outcome) -> None:
        try:
            reply(outcome)
        except Exception:
            self.log.failure("a reply could not be given")
