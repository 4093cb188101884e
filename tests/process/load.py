"""Agents that keep a daemon busy, and remember what it promised them."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from http.client import HTTPException
from typing import Any, Final, NamedTuple

from .client import Closed
from .daemon import SOON, Daemon

#: Messages that a WebSocket agent sends before it waits for their acknowledgements.
BURST: Final = 4
#: Command → the field of its event that holds the agent's own words, and their argument.
WORDS: Final = {
    "register": ("bio", "bio"),
    "world-chat": ("text", "text"),
    "moltbook-post": ("content", "content"),
    "agent-message": ("content", "content"),
    "work-finish": ("note", "note"),
}


class Wish(NamedTuple):
    """A command as it is sent."""

    command: str
    args: dict[str, Any]

    @property
    def words(self) -> str:
        """What makes it unique, or ""."""
        return str(self.args.get(WORDS.get(self.command, ("", ""))[1], ""))


class Agent:
    """One agent, over all the lives of its realm: what it sent, and what it was promised."""

    chances: tuple[tuple[str, int], ...] = (
        ("register", 1),
        ("world-chat", 4),
        ("moltbook-post", 2),
        ("agent-message", 3),
        ("world-move", 4),
    )
    capabilities: tuple[str, ...] = ()

    def __init__(self, agent_id: str, friend: str, rng: random.Random) -> None:
        self.id = agent_id
        self.acked: dict[int, Wish] = {}
        self.sent: list[str] = []
        self.registered = False
        #: Where it asked to stand, and (time, index) of those places that were confirmed.
        self.places: list[tuple[float, float]] = []
        self.stood: list[tuple[float, int]] = []
        self.refused: Counter[str] = Counter()
        self.ended: Exception | None = None
        self._friend = friend
        self._rng = rng
        self._numbers = itertools.count()

    def wish(self) -> Wish:
        """What it does next."""
        commands, weights = zip(*self.chances, strict=True)
        command = self._rng.choices(commands, weights)[0] if self.registered else "register"
        wish = Wish(command, {"agentId": self.id, **self._args(command, next(self._numbers))})
        if wish.words:
            self.sent.append(wish.words)
        return wish

    def _args(self, command: str, number: int) -> dict[str, Any]:
        words = f"{self.id} {number}"
        match command:
            case "register":
                return {"bio": words, "capabilities": self.capabilities}
            case "world-move":
                self.places.append((round(self._rng.uniform(-20, 20), 3), 5 + number / 1000))
                x, z = self.places[-1]
                return {"x": x, "z": z}
            case "moltbook-post":
                return {"title": "Note", "content": words}
            case "agent-message":
                return {"toAgentId": self._friend, "content": words}
            case "go-to-workstation":
                return {"workstationId": "vault-unlocker"}
        return {WORDS[command][1]: words} if command in WORDS else {}

    def answered(self, wish: Wish, answer: dict[str, Any]) -> None:
        """Remember the outcome."""
        if not answer.get("ok"):
            self.refused[str(answer.get("code", answer.get("error")))] += 1
        elif "seq" in answer:
            assert answer["seq"] not in self.acked, "a seq was given twice"
            self.acked[answer["seq"]] = wish
            self.registered = True
        elif wish.command == "world-move":
            self.stood.append((time.monotonic(), self.places.index((wish.args["x"], wish.args["z"]))))


class Worker(Agent):
    """One of those who want the same workstation."""

    chances = (("go-to-workstation", 2), ("work-start", 5), ("work-finish", 5), ("workstation-leave", 1))
    capabilities = ("security",)


class Viewer:
    """Watches, and remembers each event shown."""

    def __init__(self) -> None:
        self.seen: dict[int, dict[str, Any]] = {}
        self.ended: Exception | None = None


class Load:
    """All agents and viewers at work on one daemon, each in a thread and on a connection of its own."""

    def __init__(self, daemon: Daemon, agents: Iterable[Agent], viewers: Iterable[Viewer] = ()) -> None:
        self.daemon = daemon
        #: Set when one of them has no connection any more.
        self.broken = threading.Event()
        ways = itertools.cycle((self._over_http, self._over_websocket))
        jobs: list[tuple[Callable[[Any], None], Any]] = [*zip(ways, agents, strict=False)]
        jobs += [(self._watch, viewer) for viewer in viewers]
        self._everyone = [who for _, who in jobs]
        self._threads = [threading.Thread(target=self._run, args=job, daemon=True) for job in jobs]
        for thread in self._threads:
            thread.start()

    def go_on(self, seconds: float) -> None:
        """Let them work; fails if one of them cannot."""
        assert not self.broken.wait(seconds), "an agent lost its connection"

    def end(self) -> None:
        """Wait until all have noticed that the daemon is gone."""
        for thread in self._threads:
            thread.join(SOON)
            assert not thread.is_alive(), "an agent did not notice that the daemon is gone"
        odd = [who.ended for who in self._everyone if not isinstance(who.ended, OSError | HTTPException)]
        assert odd == [], "more went wrong than a connection that ended"

    def _run(self, job: Callable[[Any], None], who: Any) -> None:
        try:
            job(who)
        except (OSError, HTTPException, AssertionError, LookupError, ValueError) as error:
            who.ended = error
        self.broken.set()

    def _over_http(self, agent: Agent) -> None:
        with self.daemon.http() as http:
            while True:
                wish = agent.wish()
                agent.answered(wish, http.ask(wish.command, **wish.args))

    def _over_websocket(self, agent: Agent) -> None:
        with self.daemon.websocket() as websocket:
            for first in itertools.count(0, BURST):
                wishes = {mark: agent.wish() for mark in range(first, first + BURST)}
                for mark, wish in wishes.items():
                    websocket.send(type=wish.command, id=mark, **wish.args)
                while wishes:  # what needs no commit is acknowledged first
                    ack = websocket.any_ack()
                    agent.answered(wishes.pop(ack["id"]), ack)

    def _watch(self, viewer: Viewer) -> None:
        with self.daemon.websocket() as websocket:
            while True:
                message = websocket.receive()
                if message["type"] == "world" and "seq" in message["message"]:
                    event = message["message"]
                    assert event["seq"] not in viewer.seen, "an event was shown twice"
                    viewer.seen[event["seq"]] = event


def close_code(who: Agent | Viewer) -> int | None:
    """What its WebSocket was closed with."""
    return who.ended.code if isinstance(who.ended, Closed) else None
