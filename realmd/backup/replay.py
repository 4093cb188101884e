"""Journalled events → the durable tables, for as much as an event tells.

What no event tells stays as it was: an avatar, tokens, where somebody stood after moving at once.
Whoever joined stands at `spawn` until an event says where.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from ..identity import bech32
from ..world import events
from ..world.model import Body, Claim, Identity, Installed, Plugin, Post, Profile, Request
from ..world.rules.catalogue import ROOM
from ..world.tables import Tables


class Replay:
    """Applies events to `tables`, in the order of their seq.

    Whom events know by its key and `tables` did not gets `serial`; no token may have that: the time of the
    replay (ms since the epoch).
    """

    def __init__(self, tables: Tables, spawn: tuple[float, float] = (0.0, 0.0), *, serial: int = 0) -> None:
        self.tables = tables
        self._spawn = spawn
        self._serial = serial

    def apply(self, event: events.Durable) -> None:
        """Do what `event` says was done."""
        rule = _RULES.get(type(event))
        if rule is not None:
            rule(self, event)
        self.tables.seq = max(self.tables.seq, event.seq)

    def _profile(self, event: events.Join) -> None:
        old = self.tables.profiles.get(event.agent_id)
        if old is None:
            at = event.timestamp
            old = Profile(event.agent_id, event.name, "", "", (), event.color, at, at)
        told = replace(
            old, name=event.name, color=event.color, bio=event.bio, capabilities=event.capabilities,
            skills=event.skills, last_seen=max(old.last_seen, event.timestamp),
        )  # fmt: skip
        if event.pubkey is not UNSET:
            npub = bech32.encode("npub", bytes.fromhex(event.pubkey)) if event.pubkey else UNSET
            told = replace(told, pubkey=event.pubkey, npub=npub)
            self._claim(event.agent_id, event.pubkey)
        self.tables.put("profiles", event.agent_id, told)

    def _claim(self, agent_id: str, pubkey: str) -> None:
        """The agent is who has this key; with none, whom the operator gives a token."""
        old = self.tables.identities.get(agent_id) or Identity(agent_id, self._serial)
        if old.pubkey != pubkey or agent_id not in self.tables.identities:
            self.tables.put("identities", agent_id, replace(old, pubkey=pubkey))

    def _join(self, event: events.Join) -> None:
        self._profile(event)
        x, z = self._spawn
        self.tables.put("bodies", event.agent_id, Body(event.agent_id, x, z, timestamp=event.timestamp))

    def _leave(self, event: events.Leave) -> None:
        self.tables.drop("bodies", event.agent_id)
        profile = self.tables.profiles.get(event.agent_id)
        if profile is not None and profile.last_seen < event.timestamp:
            self.tables.put("profiles", event.agent_id, replace(profile, last_seen=event.timestamp))

    def _stand(self, event: events.Arrived | events.Blocked) -> None:
        body = self.tables.bodies.get(event.agent_id) or Body(event.agent_id, event.x, event.z)
        there = replace(
            body, x=event.x, z=event.z, timestamp=event.timestamp, walk=None, action="idle", dozing=False
        )
        self.tables.put("bodies", event.agent_id, there)

    def _work(self, event: events.Work) -> None:
        key = event.workstation_id
        if event.phase == "left":
            self.tables.drop("claims", key)
            return
        held = self.tables.claims.get(key)
        if event.phase == "claimed" or held is None or held.agent_id != event.agent_id:
            held = Claim(key, event.agent_id, event.timestamp)
        working = event.timestamp if event.phase == "started" else 0
        self.tables.put("claims", key, replace(held, working_since=working))

    def _board(self, event: events.Board) -> None:
        post = Post(event.post_id, event.title, event.agent_id, event.content, event.timestamp)
        self.tables.put("posts", event.post_id, post)

    def _catalogue(self, event: events.Catalogue) -> None:
        if event.phase == "published" and event.plugin is not UNSET:
            self.tables.put("plugins", event.skill_id, _published(event, event.plugin))
        elif event.phase == "installed" and event.installed is not UNSET:
            self.tables.put("installed", event.skill_id, _installed(event, event.installed))
        elif event.phase == "uninstalled":
            self.tables.drop("installed", event.skill_id)
        elif event.phase == "unpublished":
            self.tables.drop("plugins", event.skill_id)

    def _requested(self, event: events.Requested) -> None:
        asked = Request(
            event.request_id, event.agent_id, event.to_agent_id, event.request_type, event.timestamp
        )
        self.tables.put("requests", event.request_id, asked)

    def _responded(self, event: events.Responded) -> None:
        self.tables.drop("requests", event.request_id)


def _published(event: events.Catalogue, plugin: Plugin) -> Plugin:
    """The plugin as its publisher's; in an old event, `author` was any text, and is a credit now."""
    author = "" if event.agent_id == ROOM != plugin.author else event.agent_id
    credit = plugin.credit if plugin.author == author else plugin.author or UNSET
    return replace(plugin, author=author, credit=credit)


def _installed(event: events.Catalogue, installed: Installed) -> Installed:
    """What is installed, with who did it; an old event told that only by its `agentId`."""
    sender = "" if event.agent_id == ROOM else event.agent_id
    return replace(installed, installed_by=installed.installed_by or sender)


#: Event → what it did to the tables; chat, emotes and messages did nothing to them.
_RULES: Final[dict[type[events.Durable], Callable[[Replay, Any], None]]] = {
    events.Join: Replay._join,
    events.ProfileChanged: Replay._profile,
    events.Leave: Replay._leave,
    events.Arrived: Replay._stand,
    events.Blocked: Replay._stand,
    events.Work: Replay._work,
    events.Board: Replay._board,
    events.Catalogue: Replay._catalogue,
    events.Requested: Replay._requested,
    events.Responded: Replay._responded,
}
