"""However much comes by relay, whoever else is in the realm does not notice."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from realmd.identity.gift_wrap import STORED
from realmd.identity.nostr_event import Event
from tests.framing import upgrade
from tests.realm import Socket, Wire, reactor
from tests.relay.scene import LocalRelay, until

from .agents import Agent
from .scene import eventually, reader, realm_on
from .test_remote import ready, refusals


async def pour(url: str, events: Iterable[Event]) -> Wire:
    """Publish all of it at once over a connection of its own."""
    parts = urlsplit(url)
    endpoint = TCP4ClientEndpoint(reactor, parts.hostname, parts.port)
    connecting: Deferred[Wire] = connectProtocol(endpoint, Wire())
    wire = await connecting
    wire.write(upgrade("/"))
    assert (await wire.answer()).status == 101
    socket = Socket(wire)
    for event in events:
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        socket.send(["EVENT", fields])
    return wire


@pytest_twisted.ensureDeferred
async def test_a_flood_by_relay_harms_nobody_else(tmp_path: Path) -> None:
    """One key's flood is held to its share, strangers' to theirs; agents by relay and by HTTP are served."""
    with LocalRelay(notes_per_minute=1_000_000) as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
            key = await ready(bridge)
            ada, eve = Agent(scene, key), Agent(scene, key)
            assert (await ada.ask("register", agentId="ada"))[1]["ok"]
            assert (await eve.ask("register", agentId="eve"))[1]["ok"]
            strangers = [Agent.__new__(Agent) for _ in range(150)]
            for stranger in strangers:  # a key each, and nobody listens for its answers
                stranger.realm, stranger.room = key, eve.room
                stranger.secret = secrets.token_bytes(32)
            flood = [eve.asking("world-chat", agentId="eve", text=f"Noise {n}") for n in range(300)]
            flood += [stranger.asking("room-events") for stranger in strangers]
            flood += [eve.wrapped(eve.asking("room-info"), STORED) for _ in range(40)]
            wire = await pour(relay.url, flood)
            slowest = 0.0
            for n in range(5):
                began = time.monotonic()
                assert (await realm.ipc("room-info"))["ok"]
                slowest = max(slowest, time.monotonic() - began)
                assert (await ada.ask("world-chat", agentId="ada", text=f"Word {n}"))[1]["ok"]
            assert slowest < 2.0

            async def settled() -> bool:
                # Of Eve's 340 some thirty are her share, of the strangers' 150 about a hundred theirs.
                return await refusals(realm, "limited") >= 300

            await eventually(settled, "the flood is held to its shares")
            events = (await realm.ipc("room-events", limit=200))["events"]
            said = [e["text"] for e in events if e["worldType"] == "chat"]
            assert [text for text in said if text.startswith("Word")] == [f"Word {n}" for n in range(5)]
            assert 0 < sum(text.startswith("Noise") for text in said) < 60
            health = (await realm.http("GET", "/health")).json
            assert health["status"] in ("ok", "degraded")
            assert await realm.metric("realmd_nostr_replies_waiting") <= 256
            wire.hang_up()
            await until(lambda: wire.ended, "the end of the flood")


@pytest_twisted.ensureDeferred
async def test_oversize_and_nonsense_by_relay_change_nothing(tmp_path: Path) -> None:
    """Wraps that hold nothing are passed over, asks that are none told what is wrong; the realm goes on."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
            ada = Agent(scene, await ready(bridge))
            us = ("p", ada.realm)
            for content in ("", "garbage", "AgAB" * 100):
                await ada.say(ada.sign(1059, content, us))
            for content in ("[]", "{}", json.dumps({"cmd": "x" * 99, "args": {}, "nonce": "n"}), "[" * 5000):
                event = ada.sign(20043, content, us, ("d", ada.room))
                await ada.say(event)
                assert "error" in (await ada.answer_to(event))[1]
            await eventually(lambda: refusals(realm, "unreadable"), "the wraps are passed over")
            assert (await ada.ask("register", agentId="ada"))[1]["ok"]
