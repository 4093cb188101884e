"""Lets the inhabitants think: when, how long, and what becomes of a mind that fails.

Each inhabitant thinks once per interval, at its own share of it, so that the load is flat.
The world is pictured on the reactor thread; the mind then works in a thread of its own
pool, and a mind that loops stalls no tick.  One that raises or overruns its budget sleeps,
longer each time, and is respawned with a fresh memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from random import Random
from threading import Thread
from typing import Any, Final

from msgspec import Struct
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from ..settings.room import Think
from ..world.commands import Command, Inhabit, WorldAction
from ..world.events import Durable, Event, Private
from ..world.minds import MINDS, Mind, view_of
from ..world.minds.view import HEARD, World
from .periodic import Periodic

#: Runs a function elsewhere and fires with what it returned: `run(function, *args)`.
Run = Callable[..., "Deferred[Any]"]

#: Commands taken from one thought; a mind that wants more is broken.
MOST_COMMANDS: Final = 16


class Spans(Struct, frozen=True):
    """How a mind's time is measured, all in seconds.

    `interval` between two thoughts, `budget` for one; `respawn_after` the first sleep of a
    mind that failed, doubled by each further failure up to `respawn_max`, and back to the
    first after it thought well for `steady`.
    """

    interval: float = 1.0
    budget: float = 0.05
    respawn_after: float = 5.0
    respawn_max: float = 300.0
    steady: float = 60.0

    @classmethod
    def of(cls, think: Think) -> Spans:
        """Those that the settings say."""
        return cls(
            interval=think.interval_ms / 1000,
            budget=think.budget_ms / 1000,
            respawn_after=think.respawn_after_s,
            respawn_max=think.respawn_max_s,
        )


class Inhabitant:
    """One mind at work: its memory, what it heard, and its counters (times: clock seconds)."""

    def __init__(self, agent_id: str, mind: Mind, seed: int) -> None:
        self.agent_id = agent_id
        self.mind = mind
        self.seed = seed
        self.heard: deque[Durable] = deque(maxlen=HEARD)
        self.thoughts = self.failures = self.overruns = self.respawns = 0
        self.skipped = self.unheard = 0
        self.last_ms = 0.0
        self.running = self.overdue = False
        self.asleep_until: float | None = None
        self.slept = 0.0
        self.strikes = 0
        self.reason = ""
        self.awake_since = 0.0
        self.settled = False
        self.reset()

    def reset(self) -> None:
        """A fresh memory, and dice that depend on the seed and the number of lives only."""
        self.memory = self.mind.new_memory()
        self.rng = Random(f"{self.seed}:{self.agent_id}:{self.respawns}")
        self.heard.clear()

    def hear(self, event: Durable) -> None:
        if len(self.heard) == HEARD:
            self.unheard += 1
        self.heard.append(event)


class MindThreads(Service):
    """A few daemon threads for minds; stopping never waits for one that is stuck."""

    def __init__(self, reactor: IReactorFromThreads, size: int) -> None:
        self._reactor = reactor
        self._size = size
        self._pool: ThreadPool | None = None

    def startService(self) -> None:
        super().startService()
        self._pool = ThreadPool(0, self._size, name="minds")
        self._pool.threadFactory = _DaemonThread
        self._pool.start()

    def stopService(self) -> None:
        super().stopService()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()

    def run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Call `function` in a thread; fires on the reactor's."""
        assert self._pool is not None, "not started"
        return deferToThreadPool(self._reactor, self._pool, function, *args)


class _DaemonThread(Thread):
    """Dies with the process, so nobody needs to wait for it: `ThreadPool.stop` joins, and must not block."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, daemon=True)

    def join(self, timeout: float | None = None) -> None:
        super().join(timeout or 0.0)


class Thinker(MultiService):
    """Lets each inhabitant of `world.atlas` think, and hands its commands to `submit`.

    `now` tells the time in ms since the epoch; `run` calls a thought elsewhere (see
    `MindThreads`, made a child of this service).  Raises KeyError for a mind not in `minds`.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        world: World,
        submit: Callable[[Command], object],
        run: Run,
        *,
        now: Callable[[], int],
        seed: int = 0,
        spans: Spans | None = None,
        minds: Mapping[str, Mind] = MINDS,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._world = world
        self._submit = submit
        self._run = run
        self._now = now
        self._spans = spans or Spans()
        self.inhabitants = {
            being.id: Inhabitant(being.id, minds[being.mind], seed)
            for being in world.atlas.inhabitants.values()
        }
        self._loops = {
            name: Periodic(f"think-{name}", self._spans.interval, partial(self._beat, one), clock, now=True)
            for name, one in self.inhabitants.items()
        }
        self._timers: dict[str, IDelayedCall] = {}

    # -- the service -------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        started = self._clock.seconds()
        for place, one in enumerate(self.inhabitants.values()):
            one.awake_since = started
            offset = self._spans.interval * place / len(self.inhabitants)
            self._timers[one.agent_id] = self._clock.callLater(offset, self._start, one)

    def stopService(self) -> Deferred[Any] | None:
        for loop in self._loops.values():
            loop.stopService()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        stopped: Deferred[Any] | None = super().stopService()
        return stopped

    def hear(self, events: Iterable[Event]) -> None:
        """Let every mind hear what happened, before its next thought; private events are left out."""
        for event in events:
            if isinstance(event, Durable) and not isinstance(event, Private):
                for one in self.inhabitants.values():
                    one.hear(event)

    def watch_each(self, watch: Callable[[str, str, str, Callable[[], dict[str, float]]], None]) -> None:
        """The metrics with labels."""
        for key in ("thoughts", "failures", "overruns", "respawns"):
            watch(
                f"realmd_mind_{key}_total",
                f"{key.capitalize()} of each mind.",
                "agent",
                partial(self._sum, key),
            )

    def _sum(self, key: str) -> dict[str, float]:
        return {name: float(getattr(one, key)) for name, one in self.inhabitants.items()}

    def status(self) -> dict[str, Any]:
        """For /health: `ok` when no mind sleeps or is stuck, and each mind's state and counters."""
        minds = {one.agent_id: self._status(one) for one in self.inhabitants.values()}
        return {"ok": all(m["state"] in ("awake", "thinking") for m in minds.values()), "minds": minds}

    def _status(self, one: Inhabitant) -> dict[str, Any]:
        asleep_for = max(0.0, one.asleep_until - self._clock.seconds()) if one.asleep_until is not None else 0
        state = "stuck" if one.overdue else "asleep" if one.asleep_until is not None else "awake"
        return {
            "state": "thinking" if one.running and state == "awake" else state,
            "thoughts": one.thoughts,
            "failures": one.failures,
            "overruns": one.overruns,
            "respawns": one.respawns,
            "failedInARow": one.strikes if one.asleep_until is not None else 0,
            "skipped": one.skipped,
            "unheard": one.unheard,
            "lastMs": round(one.last_ms, 3),
            "asleepFor": round(asleep_for, 1),
        }

    # -- one beat --------------------------------------------------------------------------

    def _start(self, one: Inhabitant) -> None:
        del self._timers[one.agent_id]
        self._loops[one.agent_id].startService()

    def _beat(self, one: Inhabitant, count: int) -> None:
        """Once per interval (beats that were missed are not made up for)."""
        if one.running:
            one.skipped += 1
            return
        try:
            if self._is_awake(one):
                Deferred.fromCoroutine(self._think(one)).addErrback(self._broken, one)
        except Exception:
            self._broken(Failure(), one)

    def _is_awake(self, one: Inhabitant) -> bool:
        """Wake a mind whose sleep is over; see to it that its body is there."""
        if one.asleep_until is not None:
            if self._clock.seconds() < one.asleep_until:
                return False
            self._respawn(one)
        if one.settled and one.agent_id in self._world.tables.bodies:
            return True
        one.settled = True
        self._submit(Inhabit(agent_id=one.agent_id))
        return one.agent_id in self._world.tables.bodies

    async def _think(self, one: Inhabitant) -> None:
        view = view_of(self._world, one.agent_id, tuple(one.heard))
        one.heard.clear()
        one.running = True
        started = self._clock.seconds()
        self._timers[one.agent_id] = self._clock.callLater(self._spans.budget, self._overrun, one)
        try:
            wanted = await self._run(_thought, one.mind, view, one.memory, self._now(), one.rng)
        except Exception:
            wanted = None
            self.log.failure("mind failed agent={agent}", agent=one.agent_id)
        finally:
            one.running = False
            one.last_ms = (self._clock.seconds() - started) * 1000
            timer = self._timers.pop(one.agent_id, None)
            if timer is not None:
                timer.cancel()
        self._conclude(one, wanted)

    def _conclude(self, one: Inhabitant, wanted: list[Command] | None) -> None:
        """What a thought came to; a late one has had its consequences, and its answer is thrown away."""
        if one.overdue:
            one.overdue = False
        elif wanted is None:
            self._sleep(one, "failed")
        elif self.running:
            one.thoughts += 1
            if one.strikes and self._clock.seconds() - one.awake_since >= self._spans.steady:
                one.strikes = 0
            for command in wanted:
                self._submit(command)

    def _overrun(self, one: Inhabitant) -> None:
        del self._timers[one.agent_id]
        one.overdue = True
        one.overruns += 1
        budget = self._spans.budget
        self.log.warn("mind overrun agent={agent} budget={budget:g}s", agent=one.agent_id, budget=budget)
        self._sleep(one, "overrun")

    def _broken(self, failure: Failure, one: Inhabitant) -> None:
        """The realm's side of a thought went wrong (its picture of the world, the intake)."""
        self.log.failure("thought failed agent={agent}", failure, agent=one.agent_id)
        self._sleep(one, "failed")

    # -- sleep and respawn -------------------------------------------------------------------

    def _sleep(self, one: Inhabitant, reason: str) -> None:
        """Back off; the body stays, and is shown idle."""
        one.failures += reason == "failed"
        one.slept = min(self._spans.respawn_max, self._spans.respawn_after * 2.0 ** min(one.strikes, 30))
        one.strikes += 1
        one.reason = reason
        one.asleep_until = self._clock.seconds() + one.slept
        if self.running and one.agent_id in self._world.tables.bodies:
            self._submit(WorldAction(agent_id=one.agent_id, action="idle"))

    def _respawn(self, one: Inhabitant) -> None:
        one.respawns += 1
        one.asleep_until = None
        one.awake_since = self._clock.seconds()
        one.settled = False
        one.reset()
        self.log.info(
            "agent respawn agent={agent} after={after:g}s reason={reason}",
            agent=one.agent_id,
            after=one.slept,
            reason=one.reason,
        )


def _thought(mind: Mind, view: Any, memory: Any, now: int, rng: Random) -> list[Command]:
    """Runs in a thread: one thought, and whether it is one that may be acted on."""
    wanted = list(mind.think(view, memory, now, rng))
    if len(wanted) > MOST_COMMANDS:
        raise ValueError(f"{len(wanted)} commands in one thought")
    for command in wanted:
        if not isinstance(command, Command) or getattr(command, "agent_id", None) != view.me.agent_id:
            raise ValueError(f"not a command of {view.me.agent_id}: {command!r:.200}")
    return wanted
