"""What a realm says on relays: once, in order, sparingly, and again after whatever happened."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import pytest
import pytest_twisted
from msgspec.structs import replace
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol

from realmd.identity import bech32, gift_wrap, nostr_event, schnorr
from realmd.identity.nostr_event import Event
from realmd.nostr import assembly
from realmd.nostr.events import classic, log, presence, sync
from tests.realm import Wire, reactor
from tests.relay.scene import SECRET, LocalRelay, until

from .scene import HASTY, ROOM, eventually, logged, reader, realm_on, stored


@pytest_twisted.ensureDeferred
async def test_a_realm_is_found_again_as_the_same(tmp_path: Path) -> None:
    """After a restart it has the same key and channel; with nothing but its key left, the same channel."""
    with LocalRelay() as relay:
        async with realm_on(tmp_path, relay.url) as (realm, bridge):
            await until(lambda: bridge.room.channel_id, "a channel")
            first, pubkey = bridge.room.channel_id, bridge.key.pubkey
            assert (await realm.ipc("room-invite"))["invite"]["channelId"] == first
            names = (await realm.http("GET", "/.well-known/nostr.json?name=_")).json
            assert names["names"] == {"_": pubkey}
        secret = (tmp_path / "var" / "nostr-key").read_bytes()
        async with realm_on(tmp_path, relay.url) as (realm, bridge):
            await until(lambda: bridge.room.channel_id, "the channel again")
            assert (bridge.room.channel_id, bridge.key.pubkey) == (first, pubkey)
            assert not [line for line in realm.log if secret.decode().strip() in str(line)]
        other = tmp_path / "other"
        (other / "var").mkdir(parents=True)
        (other / "var" / "nostr-key").write_bytes(secret)
        (other / "var" / "nostr-key").chmod(0o600)
        async with realm_on(other, relay.url) as (realm, bridge):
            await until(lambda: bridge.room.channel_id, "the channel, from the relay")
            assert bridge.room.channel_id == first
        async with reader(relay.url) as scene:
            (made,) = await stored(scene, relay.url, pubkey, classic.CHANNEL)
            assert made.id == first


@pytest_twisted.ensureDeferred
async def test_old_and_new_readers_find_the_room(tmp_path: Path) -> None:
    """Who looks for rooms finds ours by either entry, learns who runs it, and hears when it closes."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene:
            async with realm_on(
                tmp_path, relay.url, server={"port": 0, "public_url": "https://realm.example"}
            ) as (_, bridge):
                pubkey = ""

                async def announced() -> list[Event]:
                    nonlocal pubkey
                    pubkey = bridge.key.pubkey
                    found = await stored(scene, relay.url, pubkey, 0, 10002, 30078, 30312)
                    return found if {e.kind for e in found} == {0, 10002, 30078, 30312} else []

                found = {event.kind: event for event in await eventually(announced, "all entries")}
                now = int(found[0].created_at)
                entry, space = (presence.read_world(found[kind], now) for kind in (30078, 30312))
                assert entry.url == space.url.rstrip("/") == "https://realm.example"
                assert (entry.id, space.id, entry.relays) == (ROOM, ROOM, (relay.url,))
                assert json.loads(found[0].content)["nip05"] == "_@realm.example"
                assert found[10002].tags == (("r", relay.url),)

            async def closed() -> bool:
                (space,) = await stored(scene, relay.url, pubkey, 30312)
                return ("status", "closed") in space.tags

            await eventually(closed, "the room is closed")


@pytest_twisted.ensureDeferred
async def test_positions_are_one_event_and_durable_events_few(tmp_path: Path) -> None:
    """Fifty agents that walk about cost a relay one event a second, and what they say comes in batches."""
    heard: list[Event] = []
    # By default it takes 60 events a minute: at two a second a machine under load gets beyond that.
    with LocalRelay(notes_per_minute=1_000_000) as relay:
        began = time.monotonic()
        async with reader(relay.url) as scene, realm_on(
            tmp_path, relay.url, nostr={"publish_messages": False}, world={"tick_ms": 50, "walk_speed": 1.0},
            room={"max_agents": 60},
        ) as (realm, bridge):  # fmt: skip
            await until(lambda: bridge.key.pubkey, "a key")
            scene.pool.subscribe([{"authors": [bridge.key.pubkey]}], lambda event, _: heard.append(event))
            names = [f"agent-{n}" for n in range(50)]
            for name in names:
                assert (await realm.ipc("register", agentId=name, name=name))["ok"]
                assert (await realm.ipc("world-chat", agentId=name, text=f"{name} here"))["ok"]

            def syncs() -> list[Event]:
                return [event for event in heard if event.kind == sync.KIND]

            def full() -> list[sync.Places]:
                read = [sync.read_sync(event, bridge.key.pubkey, ROOM) for event in syncs()]
                return [places for places in read if len(places.rows) == 50]

            await until(lambda: full(), "all agents in one sync")
            first = len(syncs())
            since = full()[-1].t
            step = 0
            while full()[-1].t - since < 4000:
                step += 1
                for n, name in enumerate(names):
                    await realm.ipc("world-move", agentId=name, x=(n % 10) + step % 3 - 5, z=n // 10 - 5)
            passed = (full()[-1].t - since) / 1000
            assert abs(len(syncs()) - first - passed) <= 1
            moved = {row.agent_id: (row.x, row.z) for row in full()[-1].rows}
            assert moved.keys() == set(names)
            await until(
                lambda: len(logged([e for e in heard if e.kind == log.KIND])) >= 100, "the log has it all"
            )
            counted = Counter(event.kind for event in heard)
            assert counted[classic.MESSAGE] == 0
            assert counted[log.KIND] <= time.monotonic() - began + 1, "one batch a second at most"
            values = (await realm.http("GET", "/metrics")).body.decode()
            assert f"realmd_nostr_log_seq {float(bridge.logbook.committed)}" in values
            assert f'realmd_relay_connected{{relay="{relay.url}"}} 1.0' in values
            assert (await realm.http("GET", "/health")).json["checks"]["relays"]["status"] == "ok"


@pytest_twisted.ensureDeferred
async def test_an_outage_and_a_restart_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """The relay dies, things happen, the daemon restarts, the relay is back: all comes, in order, once."""
    relay = LocalRelay()
    async with realm_on(tmp_path, relay.url) as (realm, bridge):
        await realm.ipc("register", agentId="ada", name="Ada")
        await until(lambda: bridge.room.channel_id, "a channel")
        await realm.ipc("world-chat", agentId="ada", text="before")
        await until(lambda: bridge.logbook.lag == 0 and not len(bridge.outbox), "all is published")
        relay.kill()
        await realm.ipc("world-chat", agentId="ada", text="away 1")
        await realm.ipc("register", agentId="bob", name="Bob")
        sent = await realm.ipc("agent-message", agentId="ada", toAgentId="bob", content="a secret")
        assert sent["ok"]
        await until(lambda: bridge.logbook.lag <= 1, "what happened is signed")
        await until(lambda: len(bridge.outbox) >= 2, "and waits")
        health = (await realm.http("GET", "/health")).json
        assert (health["status"], health["checks"]["relays"]["reason"]) == (
            "degraded",
            "no relay is connected",
        )
    async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
        await realm.ipc("world-chat", agentId="ada", text="away 2")
        with relay.again() as again:
            await until(lambda: bridge.pool.connected(), "the relay is back")
            await realm.ipc("world-chat", agentId="ada", text="after")
            await until(lambda: bridge.logbook.lag == 0 and not len(bridge.outbox), "all is published")
            journalled = (await realm.ipc("room-events", limit=200))["events"]
            batches = await stored(scene, again.url, bridge.key.pubkey, log.KIND)
            messages = await stored(scene, again.url, bridge.key.pubkey, classic.MESSAGE)
            for event in (*batches, *messages):
                nostr_event.check(event)
            # The relay keeps nothing over its death: it has what came after.
            told = [one["seq"] for one in logged(sorted(batches, key=lambda e: int(dict(e.tags)["seq"])))]
            assert told == sorted(set(told))
            assert told == [e["seq"] for e in journalled if e["seq"] >= told[0]]
            assert [e["text"] for e in logged(batches) if e["worldType"] == "chat"][-3:] == [
                "away 1",
                "away 2",
                "after",
            ]
            said = [json.loads(event.content) for event in messages]
            assert Counter(one["seq"] for one in said).most_common(1)[0][1] == 1
            assert {"away 1", "away 2", "after"} <= {one.get("text") for one in said}
            assert "a secret" not in str([event.content for event in (*batches, *messages)])


@pytest_twisted.ensureDeferred
async def test_a_relay_that_hangs_holds_up_neither_the_world_nor_its_end(tmp_path: Path) -> None:
    """With a relay that takes nothing any more the world goes on; the realm ends in time."""
    with LocalRelay() as relay:
        async with realm_on(tmp_path, relay.url) as (realm, bridge):
            await until(lambda: bridge.room.channel_id and not len(bridge.outbox), "a channel")
            os.kill(relay.process.pid, signal.SIGSTOP)
            await realm.ipc("register", agentId="ada", name="Ada")
            assert (await realm.ipc("world-chat", agentId="ada", text="is anybody there?"))["ok"]
            await until(lambda: bridge.logbook.lag == 0, "it is in the log")
            began = time.monotonic()
            await realm.daemon.stopService()
            assert time.monotonic() - began < 4
            assert realm.logged("takes too long") == []
        os.kill(relay.process.pid, signal.SIGCONT)
        async with realm_on(tmp_path, relay.url) as (realm, bridge):
            await until(lambda: bridge.pool.connected() and not len(bridge.outbox), "it has all")


@pytest_twisted.ensureDeferred
async def test_the_operator_is_told_where_nobody_else_can_read(tmp_path: Path) -> None:
    """A text for the operator comes as a gift wrap, by the realm's key, once a relay is there to take it."""
    operator = schnorr.public_key(SECRET)
    with LocalRelay() as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (_, bridge):
            send = assembly.messenger(bridge, bech32.encode("npub", operator))
            assert send is not None
            await send("the disk is full")
            await until(lambda: bridge.pool.connected() and not len(bridge.outbox), "it is taken")
            wanted = [{"kinds": [gift_wrap.STORED], "#p": [operator.hex()]}]
            (wrap,) = await scene.pool.clients[relay.url].query(wanted)
            rumor = gift_wrap.unwrap(wrap, SECRET)
            assert (rumor.kind, rumor.content, rumor.pubkey) == (14, "the disk is full", bridge.key.pubkey)
            assert "disk" not in wrap.content
    with pytest.raises(assembly.RelayError, match="operator_npub"):
        assembly.messenger(bridge, "npub1" + "q" * 58)


@pytest_twisted.ensureDeferred
async def test_a_test_alert_counts_as_sent_when_a_relay_has_it(tmp_path: Path) -> None:
    """`alert test` sends a real message by Nostr, and says why when no relay takes it."""
    operator = schnorr.public_key(SECRET)
    alerts = {"operator_npub": bech32.encode("npub", operator)}

    async def tried() -> list[dict[str, str]]:
        path = str(tmp_path / "var" / "control.sock")
        wire: Wire = await connectProtocol(UNIXClientEndpoint(reactor, path), Wire())
        wire.write(b'{"v":1,"command":"alert-test"}\n')
        await wire.until(lambda: b"\n" in wire.buffer)
        wire.hang_up()
        found: list[dict[str, str]] = json.loads(wire.buffer)["sinks"]
        return found

    with LocalRelay() as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url, alerts=alerts) as (_, bridge):
            await until(lambda: bridge.pool.connected(), "a relay")
            assert await tried() == [{"sink": "nostr", "error": ""}]
            wanted = [{"kinds": [gift_wrap.STORED], "#p": [operator.hex()]}]
            (wrap,) = await scene.pool.clients[relay.url].query(wanted)
            assert "this is a test of realmctl" in gift_wrap.unwrap(wrap, SECRET).content
            relay.kill()
            await until(lambda: not bridge.pool.connected(), "it is gone")
            assert await tried() == [{"sink": "nostr", "error": "no relay is connected"}]


@pytest_twisted.ensureDeferred
async def test_without_relays_there_is_a_key_and_nothing_else(tmp_path: Path) -> None:
    """A realm without relays connects to nothing, is well, and still has an identity to delegate to."""
    async with realm_on(tmp_path) as (realm, bridge):
        assert not bridge.enabled
        assert len(bridge.room.pubkey) == 64
        assert "relays" not in (await realm.http("GET", "/health")).json["checks"]
    with pytest.raises(assembly.RelayError, match=r"room\.relays"):
        async with realm_on(tmp_path, "ws://user@127.0.0.1:1"):
            pass


@pytest_twisted.ensureDeferred
async def test_the_operator_says_how_fast_relays_are_told(tmp_path: Path) -> None:
    """Whose relay lets the realm publish more may say so; nothing else of its manners changes."""
    with patch.object(assembly, "Pool", wraps=assembly.Pool) as pool:
        async with realm_on(tmp_path, nostr={"events_per_second": 3.5}):
            pass
    assert pool.call_args.kwargs["bounds"] == replace(HASTY, rate=3.5)
