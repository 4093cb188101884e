"""Agents that reach the realm only by relay, each with a key of its own."""

from __future__ import annotations

import json
import os
import random
import secrets
import time
from typing import Any, Final

from realmd.identity import gift_wrap, nostr_event, schnorr
from realmd.identity.nostr_event import Event
from realmd.nostr.events import asks
from realmd.nostr.events.draft import Draft
from tests.relay.scene import Scene, until

from .scene import ROOM

WRAPS: Final = (gift_wrap.STORED, gift_wrap.EPHEMERAL)


class Agent:
    """Signs with a key of its own, and hears what is addressed to that key."""

    def __init__(self, scene: Scene, realm: str, room: str = ROOM) -> None:
        self.scene = scene
        self.realm = realm
        self.room = room
        self.secret = secrets.token_bytes(32)
        self.pubkey = schnorr.public_key(self.secret).hex()
        #: What came: the kind it came in, tags, content.
        self.heard: list[tuple[int, Any, Any]] = []
        scene.pool.subscribe([{"kinds": [asks.KIND, *WRAPS], "#p": [self.pubkey]}], self._hear)

    def _hear(self, event: Event, relay: str) -> None:
        said: Any = gift_wrap.unwrap(event, self.secret) if event.kind in WRAPS else event
        if said.pubkey == self.realm:
            self.heard.append((event.kind, said.tags, json.loads(said.content)))

    def sign(self, kind: int, content: str, *tags: tuple[str, ...], at: int | None = None) -> Event:
        when = int(time.time()) if at is None else at
        return nostr_event.sign(
            self.secret, os.urandom(32), kind=kind, created_at=when, tags=tags, content=content
        )

    def asking(self, cmd: str, at: int | None = None, answer_in: int = 0, **args: Any) -> Event:
        """The command as an event, signed."""
        wish = {"wrap": answer_in} if answer_in else {}
        content = json.dumps({"cmd": cmd, "args": args, "nonce": secrets.token_hex(8), **wish})
        return self.sign(asks.KIND, content, ("p", self.realm), ("d", self.room), at=at)

    def wrapped(self, event: Event, kind: int) -> Event:
        """The event, unsigned, in a gift wrap of that kind."""
        draft = Draft(event.kind, event.created_at, event.tags, event.content)
        return gift_wrap.wrap(
            draft, self.secret, self.realm, int(time.time()), entropy=os.urandom, rng=random.Random(),
            ephemeral=kind == gift_wrap.EPHEMERAL,
        )  # fmt: skip

    async def ask(self, cmd: str, wrap: int = 0, **args: Any) -> tuple[int, Any]:
        """The answer, and the kind of event that it came in."""
        event = self.asking(cmd, **args)
        await self.say(self.wrapped(event, wrap) if wrap else event)
        return await self.answer_to(event)

    async def say(self, event: Event) -> None:
        """Publish it; every relay takes it."""
        assert [outcome.reason for outcome in await self.scene.pool.publish(event)] == [""]

    async def answer_to(self, event: Event) -> tuple[int, Any]:
        kind, _, fields = await until(lambda: self.answers(event), "an answer by relay")
        return kind, fields

    def answers(self, event: Event) -> tuple[int, Any, Any] | None:
        return next((one for one in self.heard if ("e", event.id) in one[1]), None)

    def private(self) -> list[Any]:
        """The private events that were brought."""
        return [fields["message"] for _, _, fields in self.heard if fields.get("type") == "private"]
