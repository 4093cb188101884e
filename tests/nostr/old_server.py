"""A stand-in for the old server on its relay: what it hears in the room's channel, and what it says there.

Its rules, as measured on that server: it takes the first channel of the room's name, whoever made it, or
makes one; its key lives as long as its process.  Of each message there by another key it does what is
said if it knows the agent, and, as of its own agents' commands, publishes the very same message under
its own key at the next tick.  `worldType` and `agentId` have to be there; all other fields pass through.
"""

from __future__ import annotations

import json
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from realmd.identity import nostr_event, schnorr
from realmd.identity.nostr_event import Event

#: An agent's commands in a second; more are passed over.
RATE = 20
#: How long (s) its history is, and how far back it listens when it starts.
HISTORY, SINCE = 200, 300


class OldServer:
    """`publish` hands an event to its relay, `wall` tells ms since the epoch.

    `tick` is called 20 times a second.  With `forgetful` it makes each message anew of the fields it
    knows, as a server could.
    """

    def __init__(
        self, room: str, relay: str, publish: Callable[[Event], object], wall: Callable[[], int],
        forgetful: bool = False,
    ) -> None:  # fmt: skip
        self.secret = secrets.token_bytes(32)
        self.pubkey = schnorr.public_key(self.secret).hex()
        self.channel = ""
        self.known: set[str] = set()
        self.present: set[str] = set()
        #: What happened, as its clients can ask; positions and actions are not kept.
        self.history: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self._name = f"openclaw-world-{room}"
        self._relay = relay
        self._publish = publish
        self._wall = wall
        self._forgetful = forgetful
        self._pending: list[dict[str, Any]] = []
        self._lately: dict[str, list[int]] = {}

    def open(self, channels: Iterable[Event]) -> dict[str, Any]:
        """Take the channel, of those that the relay has, or make one; what it then subscribes to."""
        found = (one.id for one in channels if json.loads(one.content).get("name") == self._name)
        self.channel = next(found, "") or self._made()
        return {"kinds": [42], "#e": [self.channel], "since": self._wall() // 1000 - SINCE}

    def hear(self, event: Event, relay: str = "") -> None:
        """An event of its subscription."""
        if event.pubkey == self.pubkey:
            return
        message = json.loads(event.content)
        if message.get("worldType") and message.get("agentId") in self.known:
            self._enqueue(message)

    def ask(self, kind: str, agent: str, **fields: Any) -> None:
        """A command of one of its own clients, by HTTP."""
        if kind == "join":
            self.known.add(agent)
            fields = {"name": agent, "color": "#e67e22", "bio": "", "capabilities": [], **fields}
        assert agent in self.known, "Unknown or unregistered agentId"
        self._enqueue({"worldType": kind, "agentId": agent, **fields, "timestamp": self._wall()})

    def tick(self) -> None:
        """Do what waits, and publish it."""
        pending, self._pending = self._pending, []
        for message in pending:
            self._apply(message)
            tags = (("e", self.channel, self._relay, "root"),)
            self._say(42, json.dumps(self._remade(message) if self._forgetful else message), tags)

    def said(self) -> list[str]:
        """The texts of its history."""
        return [one["text"] for one in self.history if one["worldType"] == "chat"]

    def _enqueue(self, message: dict[str, Any]) -> None:
        now, agent = self._wall(), message["agentId"]
        lately = self._lately[agent] = [at for at in self._lately.get(agent, []) if at > now - 1000]
        if len(lately) < RATE and len(message.get("text", "")) <= 500:
            lately.append(now)
            self._pending.append(message)

    def _apply(self, message: dict[str, Any]) -> None:
        kind, agent = message["worldType"], message["agentId"]
        if kind not in ("position", "action"):
            self.history.append(message)
        if kind in ("join", "position"):
            self.present.add(agent)
        elif kind == "leave":
            self.present.discard(agent)

    def _remade(self, message: dict[str, Any]) -> dict[str, Any]:
        known = ("worldType", "agentId", "text", "emote", "name", "color", "bio", "capabilities", "x", "z")
        return {name: message[name] for name in known if name in message}

    def _made(self) -> str:
        about = {"name": self._name, "about": "", "picture": ""}
        return self._say(40, json.dumps(about), ())

    def _say(self, kind: int, content: str, tags: tuple[tuple[str, ...], ...]) -> str:
        event = nostr_event.sign(
            self.secret,
            os.urandom(32),
            kind=kind,
            created_at=self._wall() // 1000,
            tags=tags,
            content=content,
        )
        self._publish(event)
        return event.id
