"""The viewers of a run: connected in a ramp, a few of them reading along, some replaced as it goes on."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from picows import WSError

from .keepalive import Site
from .ledger import Ledger
from .model import Plan, Stream
from .sockets import BATCH, DEFLATE, Sampler, Socket, Tally, connect

#: How many read along; how many connect at once.
SAMPLED: Final = 8
AT_ONCE: Final = 64
#: Connections from one address: the ephemeral ports of a usual Linux, with some to spare.
PORTS: Final = 20_000


class Crowd:
    """All viewers of a run; every other one offers compression when half of them shall."""

    def __init__(self, plan: Plan, site: Site, ledger: Ledger, tally: Tally) -> None:
        self._plan = plan
        self._site = site
        self._ledger = ledger
        self._tally = tally
        self.sockets: list[Socket] = []
        self.not_connected: Counter[str] = Counter()
        self._arrived = 0

    async def enter(self, pause: float) -> None:
        """Connect all, `pause` seconds between two."""
        waiting = list(range(self._plan.viewers))
        every = max(1, self._plan.viewers // SAMPLED)

        async def usher() -> None:
            while waiting:
                number = waiting.pop(0)
                await self._admit(number % every == every // 2)
                await asyncio.sleep(pause * AT_ONCE)

        await asyncio.gather(*(usher() for _ in range(min(AT_ONCE, len(waiting)))))

    async def churn(self, rate: float, end: Callable[[], bool]) -> None:
        """Replace `rate` viewers a second, the eldest first; those that read along stay."""
        while rate > 0 and not end():
            await asyncio.sleep(1 / rate)
            old = next((s for s in self.sockets if not isinstance(s, Sampler)), None)
            if old is not None:
                self.sockets.remove(old)
                old.leave()
                # It is the same place in the crowd, and goes on being counted.
                await self._admit(False, old.frames, old.bytes)

    async def look(self, rate: float, end: Callable[[], bool]) -> None:
        """Every viewer says where it looks, `rate` times a second, as pages do."""
        turn = 0
        while rate > 0 and not end():
            await asyncio.sleep(0.02)
            turn += 1
            slots = max(1, round(50 / rate))
            for socket in self.sockets[turn % slots :: slots]:
                socket.send(type="viewport", x=0, z=0)

    def begin(self) -> None:
        """Count from now on."""
        for socket in self.sockets:
            socket.frames = socket.bytes = 0

    def leave(self) -> None:
        for socket in self.sockets:
            socket.leave()

    async def _admit(self, samples: bool, frames: int = 0, received: int = 0) -> None:
        number = self._arrived
        self._arrived += 1
        socket = Sampler(self._tally, self._ledger) if samples else Socket(self._tally)
        socket.frames, socket.bytes = frames, received
        headers = DEFLATE if _is_of(number, self._plan.deflate) else {}
        headers = {**headers, **BATCH} if _is_of(number, self._plan.batch) else headers
        source = None
        if self._plan.viewers > PORTS and self._site.host.startswith("127."):
            source = f"127.0.0.{2 + number // PORTS % 250}"
        try:
            await connect(socket, self._site, headers=headers, source=source)
        except (OSError, WSError) as error:
            self.not_connected[f"viewer: {type(error).__name__}"] += 1
        else:
            self.sockets.append(socket)


def _is_of(number: int, share: float) -> bool:
    """Whether the `number`th belongs to a share: of 0.25, every fourth does."""
    return int((number + 1) * share) > int(number * share)


def stream(sockets: Sequence[Socket], seconds: float) -> Stream:
    """What these sockets got a second, on average."""
    frames = [socket.frames for socket in sockets]
    share = len(sockets) * seconds
    return Stream(
        sockets=len(sockets),
        frames=sum(frames) / share if share else 0.0,
        bytes=sum(socket.bytes for socket in sockets) / share if share else 0.0,
        fewest=min(frames, default=0),
        most=max(frames, default=0),
    )


def raise_descriptors() -> int:
    """Allow this process, and those it starts, as many open files as it may; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (1_000_000, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
            return wanted
        except (ValueError, OSError):  # only root may go above the hard limit
            continue
    return soft
