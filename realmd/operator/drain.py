"""Emptying the realm before it stops: nobody comes in any more, those inside are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..gateway.websocket import Gateway
from ..host.clock import milliseconds
from ..primitives.errors import REFUSALS
from ..world.engine import World
from .sanctioned import opened

#: How often (s) it is looked whether everybody has gone.
LOOK: Final = 0.25


class Drain:
    """Lets nobody in while `on`.  `ready` is told whether newcomers are welcome."""

    log = Logger()

    def __init__(
        self, world: World, gateway: Gateway, clock: IReactorTime, ready: Callable[[bool], None]
    ) -> None:
        self._world = world
        self._gateway = gateway
        self._clock = clock
        self._ready = ready

    @property
    def on(self) -> bool:
        return self._world.draining

    def left(self) -> int:
        """Agents and players still inside; the inhabitants do not count."""
        return self._world.seats_taken()

    async def run(self, seconds: float, reason: str) -> dict[str, Any]:
        """Begin, and wait until all have gone, `seconds` have passed, or it is undone."""
        end = self._clock.seconds() + seconds
        if not self.on:
            self.log.info("draining agents={n} seconds={s:g}", n=self.left(), s=seconds)
        self._world.draining = True
        self._ready(False)
        until = milliseconds(self._clock) + int(seconds * 1000)
        for connection in opened(self._gateway):
            connection.tell("draining", reason=reason or REFUSALS["draining"], until=until)
        while self.on and self.left() and self._clock.seconds() < end:
            await deferLater(self._clock, min(LOOK, max(0.0, end - self._clock.seconds())))
        self.log.info("drained agents={n}", n=self.left())
        return {"draining": self.on, "left": self.left()}

    def undo(self) -> None:
        """Let everybody in again."""
        self._world.draining = False
        self._ready(True)
        self.log.info("drained no more")
