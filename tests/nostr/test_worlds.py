"""Other realms are found on the relays, and only those that are there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest_twisted

from realmd.identity import bech32
from tests.relay.scene import LocalRelay

from .agents import Agent
from .scene import ROOM, eventually, reader, realm_on
from .test_remote import ready


@pytest_twisted.ensureDeferred
async def test_two_realms_find_each_other(tmp_path: Path) -> None:
    """Each lists the other once, though it is announced in two ways on two relays, and never itself."""
    with LocalRelay() as relay, LocalRelay() as other:
        here = realm_on(tmp_path / "here", relay.url, other.url)
        there = realm_on(
            tmp_path / "there", relay.url, other.url,
            room={"id": "hall", "name": "The Hall", "max_agents": 7},
            server={"port": 0, "public_url": "https://hall.example"},
        )  # fmt: skip
        async with here as (realm, bridge), there as (hall, far):

            async def found() -> Any:
                worlds = (await realm.http("GET", "/api/worlds")).json["worlds"]
                return [w for w in worlds if w["agents"] is not None]

            (world,) = await eventually(found, "the other realm")
            assert abs(world.pop("seenAt") - time.time() * 1000) < 60_000
            assert world == {
                "id": "hall", "name": "The Hall", "description": far.room.description,
                "pubkey": far.key.pubkey, "npub": far.key.npub,
                "url": world["url"], "publicUrl": world["url"],
                "relays": [relay.url, other.url], "agents": 0, "maxAgents": 7,
            }  # fmt: skip
            assert world["url"].rstrip("/") == "https://hall.example"

            async def back() -> Any:
                return (await hall.ipc("worlds-list"))["worlds"]

            (world,) = await eventually(back, "this realm, as the other sees it")
            assert (world["id"], world["pubkey"]) == (ROOM, bridge.key.pubkey)
            socket = await realm.socket()
            assert [w["id"] for w in (await socket.ask("worlds-list"))["worlds"]] == ["hall"]


@pytest_twisted.ensureDeferred
async def test_what_strangers_announce_is_not_trusted(tmp_path: Path) -> None:
    """A stale entry is not listed, an address that is no web page is left out, and a name is one line."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
            key = await ready(bridge)
            eve, old, classic = (Agent(scene, key) for _ in range(3))

            def announced(agent: Agent, at: int | None = None, **fields: Any) -> Any:
                return agent.sign(30078, json.dumps(fields), ("d", "openclaw-world"), at=at)

            bad = {"url": "javascript:alert(1)", "relays": ["http://x", "wss://good.example"]}
            await eve.say(
                announced(eve, roomId="lair", name="A\u202e\nLair<b>", description="x" * 4000, **bad)
            )
            await old.say(announced(old, int(time.time()) - 901, roomId="gone", name="Gone"))
            await classic.say(
                announced(classic, roomId="v2", name="Old", agents=3, maxAgents=50, nostrChannelId="")
            )

            async def both() -> Any:
                worlds = (await realm.ipc("worlds-list"))["worlds"]
                return {w["id"]: w for w in worlds} if len(worlds) >= 2 else None

            worlds = await eventually(both, "two other realms")
            assert sorted(worlds) == ["lair", "v2"]
            lair = worlds["lair"]
            assert (lair["name"], lair["url"], lair["relays"]) == ("A Lair<b>", "", ["wss://good.example"])
            assert (len(lair["description"]), lair["agents"]) == (500, None)
            assert lair["npub"] == bech32.encode("npub", bytes.fromhex(eve.pubkey))
            assert (worlds["v2"]["agents"], worlds["v2"]["maxAgents"]) == (3, 50)
            assert await realm.metric("realmd_nostr_worlds") == 2
