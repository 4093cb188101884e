"""One run against a server: connect, settle, measure, leave."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import msgspec

from .agents import Herd
from .crowd import Crowd, raise_descriptors, stream
from .gauge import Gauge, spread, tick_buckets, ticks_between
from .keepalive import Site, fetch
from .ledger import Ledger
from .model import Moves, Plan, Result, Second
from .procfs import find_listener
from .sockets import Tally
from .walk import Ground, ground_of

#: A viewer that never moved sees 40 units far: the corners of this square are within.
REACH: Final = 27.0
#: After the last move, how long a position may take to be seen (s).
GRACE: Final = 1.0

Progress = Callable[[Second, Counter[str]], None]


class Unreachable(Exception):
    """There is no server to drive; says where."""


def run(plan: Plan, progress: Progress = lambda second, closes: None) -> Result:
    """Carry out `plan`; `progress` gets each second of the measurement.  Ends early on SIGINT."""
    raise_descriptors()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(Run(plan, progress).drive())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        from uvloop import new_event_loop
    except ImportError:  # slower, and as correct
        return asyncio.new_event_loop
    return new_event_loop


def run_whole(plan: Plan) -> Result:
    """`run` for a row of many: an interrupt ends them all."""
    result = run(plan)
    if result.seconds < plan.seconds * 0.99:
        raise KeyboardInterrupt
    return result


class Run:
    """One run; an instance is good for one."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._site = Site(plan.url)
        self._tally = Tally()
        self._names = [f"load-{number:05d}" for number in range(plan.agents)]
        self._ledger = Ledger(self._names)
        self._herd = Herd(plan, self._site, self._ledger, self._tally)
        self._crowd = Crowd(plan, self._site, self._ledger, self._tally)
        self._stopped = asyncio.Event()
        self._still = False
        self._tasks: list[asyncio.Task[None]] = []

    async def drive(self) -> Result:
        """Do it all."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._stopped.set)
        ground = ground_of(await self._page("/api/world"))
        pid = self._plan.pid or (find_listener(self._site.port) if _is_local(self._site.host) else None)
        gauge = Gauge(pid, self._ledger, self._traffic)
        self._start(gauge.lag())
        try:
            await self._enter(ground)
            gauge.connected()
            self._set_going()
            await self._wait(self._plan.warmup)
            return await self._measure(gauge)
        finally:
            await self._leave()
            loop.remove_signal_handler(signal.SIGINT)

    async def _enter(self, ground: Ground) -> None:
        reach = self._plan.reach if self._plan.reach is not None else REACH
        self._herd.make(self._names, ground, reach)
        if self._plan.agents_view:
            self._ledger.watched = set(self._herd.watched)
        people = self._plan.viewers + self._plan.agents
        pause = self._plan.ramp / people if people else 0.0
        await self._crowd.enter(pause)
        await self._herd.enter(pause)
        if self._plan.viewers and not self._crowd.sockets:
            raise Unreachable(f"no viewer could connect to {self._site.websocket}")

    def _set_going(self) -> None:
        end = self._stopped.is_set
        self._start(self._herd.walk(lambda: self._still or end()))
        self._start(self._crowd.look(self._plan.looks, end))
        self._start(self._crowd.churn(self._plan.churn, end))
        self._start(self._chat())

    async def _measure(self, gauge: Gauge) -> Result:
        before = await self._ticks()
        self._ledger.begin()
        self._herd.score.begin()
        self._crowd.begin()
        self._tally.refused.clear()
        for agent_socket in self._herd.sockets:
            agent_socket.frames = agent_socket.bytes = 0
        gauge.begin()
        began = time.perf_counter()
        while (left := began + self._plan.seconds - time.perf_counter()) > 0 and not self._stopped.is_set():
            await self._wait(min(1.0, left))
            self._progress(gauge.second(), self._tally.closes)
        seconds = time.perf_counter() - began
        plain, deflated = self._streams(seconds)
        sockets = stream(self._herd.sockets, seconds)
        ticks = ticks_between(before, await self._ticks())
        server, load = gauge.server(ticks), gauge.load()
        upload = self._herd.score.bytes / seconds / max(1, len(self._herd.agents))
        self._still = True
        await asyncio.sleep(GRACE)
        return Result(
            plan=self._plan,
            seconds=seconds,
            moves=self._moves(),
            latency=spread(self._ledger.latency),
            answers=spread(self._herd.score.answers),
            viewers=plain,
            deflated=deflated,
            agent_sockets=sockets,
            upload=upload,
            closes=dict(self._tally.closes),
            not_connected=dict(self._crowd.not_connected + self._herd.kept_out),
            server=server,
            load=load,
            drift=gauge.drift() if self._plan.soak else None,
            series=gauge.series(),
        )

    def _traffic(self) -> tuple[int, int]:
        sockets = [*self._crowd.sockets, *self._herd.sockets]
        return sum(s.frames for s in sockets), sum(s.bytes for s in sockets)

    def _streams(self, seconds: float) -> tuple[Any, Any]:
        sockets = self._crowd.sockets
        return (
            stream([s for s in sockets if not s.compressed], seconds),
            stream([s for s in sockets if s.compressed], seconds),
        )

    def _moves(self) -> Moves:
        score, totals = self._herd.score, self._ledger.totals()
        refused = score.refused + self._tally.refused
        # A refusal over a WebSocket does not say which move it means: nobody saw those either.
        collapsed = max(0, totals.collapsed - sum(self._tally.refused.values()))
        return Moves(
            asked=score.asked,
            sent=totals.sent,
            skipped=score.skipped,
            answered=score.answered,
            refused=dict(refused),
            errors=dict(score.errors),
            seen=totals.seen,
            collapsed=collapsed,
            unseen=totals.unseen,
            unwatched=totals.unwatched,
            unmatched=totals.unmatched,
        )

    async def _leave(self) -> None:
        self._tally.ending = True
        self._stopped.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._crowd.leave()
        await self._herd.leave()

    async def _chat(self) -> None:
        number = 0
        while self._plan.chat > 0:
            await asyncio.sleep(1 / self._plan.chat)
            self._herd.chat(number)
            number += 1

    async def _wait(self, seconds: float) -> None:
        """For so long, or until a part of the run failed: then its error is raised here."""
        done, _ = await asyncio.wait(self._tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    def _start(self, work: Any) -> None:
        self._tasks.append(asyncio.ensure_future(work))

    async def _ticks(self) -> dict[float, int]:
        try:
            page = await self._fetched("/metrics")
        except (Unreachable, TimeoutError):  # it died of the load: that is a result, too
            return {}
        return tick_buckets(page.decode("utf-8", "replace"))

    async def _page(self, path: str) -> dict[str, Any]:
        try:
            page = msgspec.json.decode(await self._fetched(path))
        except msgspec.DecodeError:  # a classic server has no such page
            return {}
        return page if isinstance(page, dict) else {}

    async def _fetched(self, path: str) -> bytes:
        try:
            channel = await self._site.connect()
        except OSError as error:
            raise Unreachable(f"nobody answers at {self._plan.url}: {error}") from None
        status, body = await fetch(channel, path)
        channel.close()
        return body if status == 200 else b""


def _is_local(host: str) -> bool:
    """Whether a host name or address means this machine: one can listen there."""
    for family, kind, _, _, address in socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM):
        with socket.socket(family, kind) as probe:
            try:
                probe.bind((address[0], 0))
            except OSError:
                continue
            return True
    return False


if sys.platform != "linux":  # pragma: no cover
    raise ImportError("realmctl bench reads /proc: it needs Linux")
