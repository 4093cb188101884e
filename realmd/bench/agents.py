"""The agents of a run: registered over HTTP, then moving at a given rate over HTTP or WebSocket."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
from picows import WSError

from .histogram import Histogram
from .keepalive import Channel, Site, ask, outcome
from .ledger import Ledger
from .model import Plan
from .sockets import Sampler, Socket, Speaker, Tally, connect
from .walk import Ground, Walker

#: Connections of one HTTP agent, so that it can move again before its last answer has come;
#: how long it waits for an answer (s); how many agents register at once.
CHANNELS: Final = 2
PATIENCE: Final = 10.0
AT_ONCE: Final = 16
#: How far the timetable of moves may fall behind before the moves missed are skipped (s).
BEHIND: Final = 0.5
#: How many agents' own sockets are sampled.
SAMPLED: Final = 16


class Score:
    """What the agents have met together since `begin`."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.asked = self.skipped = self.answered = self.bytes = 0
        self.errors: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.answers = Histogram()


class Agent(ABC):
    """One agent: where it walks, and its way to the server."""

    def __init__(self, name: str, walker: Walker, site: Site, ledger: Ledger, score: Score) -> None:
        self.name = name
        self.walker = walker
        self.site = site
        self.ledger = ledger
        self.score = score

    @abstractmethod
    async def start(self) -> None:
        """Connect; raises OSError or what else keeps it out."""

    @abstractmethod
    def move(self, seconds: float) -> None:
        """Take the step of so many seconds, and tell the server."""

    @abstractmethod
    def say(self, text: str) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...


class HttpAgent(Agent):
    """Moves by POST /ipc."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._channels: list[Channel] = []
        self._opening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._channels.append(await self.site.connect())

    def move(self, seconds: float) -> None:
        self.score.asked += 1
        channel = self._free()
        if channel is None:
            self.score.skipped += 1
            return
        x, z, rotation = self.walker.step(seconds)
        now = time.perf_counter()
        seq, x, z = self.ledger.send(self.name, x, z, now)
        args = {"agentId": self.name, "x": x, "y": 0, "z": z, "rotation": rotation}
        self._post(channel, "world-move", args, lambda: self.ledger.refuse(self.name, seq))

    def say(self, text: str) -> None:
        channel = self._free()
        if channel is not None:
            self._post(channel, "world-chat", {"agentId": self.name, "text": text}, lambda: None)

    def stop(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        for channel in self._channels:
            channel.close()

    def _post(
        self, channel: Channel, command: str, args: dict[str, Any], refused: Callable[[], None]
    ) -> None:
        began = time.perf_counter()
        late = asyncio.get_running_loop().call_later(PATIENCE, channel.close)
        before = channel.sent_bytes

        def done(status: int, text: bytes) -> None:
            late.cancel()
            if status == 0:
                self.score.errors[text.decode("utf-8", "replace")] += 1
                refused()
                return
            self.score.answered += 1
            self.score.answers.add(time.perf_counter() - began)
            # The common answer is not worth a JSON decoder.
            if not text.startswith(b'{"ok":true') and not (fields := outcome(status, text)).get("ok"):
                self.score.refused[str(fields.get("error"))[:60]] += 1
                refused()

        channel.post("/ipc", msgspec.json.encode({"command": command, "args": args}), done)
        self.score.bytes += channel.sent_bytes - before

    def _free(self) -> Channel | None:
        """A connection that waits for nothing; if there is none, another one is opened for the next time."""
        self._channels = [channel for channel in self._channels if channel.open]
        for channel in self._channels:
            if not channel.waiting:
                return channel
        if len(self._channels) < CHANNELS and (self._opening is None or self._opening.done()):
            self._opening = asyncio.ensure_future(self._open())
        return None

    async def _open(self) -> None:
        try:
            self._channels.append(await self.site.connect())
        except OSError as error:
            self.score.errors[f"connect: {type(error).__name__}"] += 1


class SocketAgent(Agent):
    """Moves by messages over a WebSocket, which also gets what the server shows it."""

    def __init__(self, socket: Socket, follows: bool, *args: Any) -> None:
        super().__init__(*args)
        self.socket = socket
        self._query = f"?agent={self.name}" if follows else ""

    async def start(self) -> None:
        await connect(self.socket, self.site, self._query)

    def move(self, seconds: float) -> None:
        self.score.asked += 1
        if self.socket.transport is None:
            self.score.skipped += 1
            return
        x, z, rotation = self.walker.step(seconds)
        _, x, z = self.ledger.send(self.name, x, z, time.perf_counter())
        self.score.bytes += self.socket.send(
            type="world-move", agentId=self.name, x=x, y=0, z=z, rotation=rotation
        )

    def say(self, text: str) -> None:
        self.score.bytes += self.socket.send(type="world-chat", agentId=self.name, text=text)

    def stop(self) -> None:
        self.socket.leave()


class Herd:
    """All agents of a run."""

    def __init__(self, plan: Plan, site: Site, ledger: Ledger, tally: Tally) -> None:
        self._plan = plan
        self._site = site
        self._ledger = ledger
        self._tally = tally
        self.score = Score()
        self.agents: list[Agent] = []
        self.sockets: list[Socket] = []
        self.watched: list[str] = []
        #: Why agents did not come in, and how many.
        self.kept_out: Counter[str] = Counter()

    def make(self, names: list[str], ground: Ground, reach: float) -> None:
        """Make the agents, each at its place."""
        every = max(1, len(names) // SAMPLED)
        for number, name in enumerate(names):
            walker = Walker(ground, reach, random.Random(f"{self._plan.seed} {name}"))
            base = (name, walker, self._site, self._ledger, self.score)
            if self._plan.via == "http":
                self.agents.append(HttpAgent(*base))
                continue
            socket: Socket = Speaker(self._tally)
            if self._plan.agents_view and number % every == 0:
                socket = Sampler(self._tally, self._ledger)
                self.watched.append(name)
            self.sockets.append(socket)
            self.agents.append(SocketAgent(socket, self._plan.agents_view, *base))

    async def enter(self, pause: float) -> None:
        """Register all, `pause` seconds between two, then connect them."""
        waiting = list(reversed(self.agents))

        async def usher() -> None:
            channel = await self._site.connect()
            while waiting:
                agent = waiting.pop()
                fields = await ask(channel, "register", agentId=agent.name, name=f"Load {agent.name}")
                if fields.get("ok"):
                    await self._start(agent)
                else:
                    self.kept_out[f"register: {str(fields.get('error'))[:40]}"] += 1
                    self.agents.remove(agent)
                await asyncio.sleep(pause * AT_ONCE)
                if not channel.open:
                    channel = await self._site.connect()
            channel.close()

        await asyncio.gather(*(usher() for _ in range(min(AT_ONCE, len(self.agents)))))

    async def _start(self, agent: Agent) -> None:
        try:
            await agent.start()
        except (OSError, WSError) as error:
            self.kept_out[f"agent: {type(error).__name__}"] += 1
            self.agents.remove(agent)

    async def walk(self, end: Callable[[], bool]) -> None:
        """Move all at the plan's rate, evenly spread over time, until `end` says so."""
        count, rate = len(self.agents), self._plan.rate
        if not count or rate <= 0:
            return
        began, number = time.perf_counter(), 0
        while not end():
            due = int((time.perf_counter() - began) * count * rate)
            if due - number > count * rate * BEHIND:  # this side was late: no flood to make up for it
                self.score.asked += due - number
                self.score.skipped += due - number
                number = due
            while number < due:
                self.agents[number % count].move(1 / rate)
                number += 1
            await asyncio.sleep(max(0.001, began + (number + 1) / (count * rate) - time.perf_counter()))

    def chat(self, number: int) -> None:
        """One of them says something."""
        if self.agents:
            self.agents[number % len(self.agents)].say(f"line {number} of the load")

    async def leave(self) -> None:
        """Take all out of the world, and hang up."""
        waiting = list(self.agents)
        for agent in waiting:
            agent.stop()

        async def usher() -> None:
            channel = await self._site.connect()
            while waiting and channel.open:
                await ask(channel, "world-leave", agentId=waiting.pop().name)
            channel.close()

        with suppress(OSError, TimeoutError):  # it is gone, or too busy: they will fall silent
            await asyncio.gather(*(usher() for _ in range(min(AT_ONCE, len(waiting)))))
