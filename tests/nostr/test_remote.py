"""An agent that can reach only a relay lives in the realm like any other, and nobody else as it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from realmd.identity.gift_wrap import EPHEMERAL, STORED
from realmd.nostr.bridge.bridge import Bridge
from realmd.world.commands import Impose
from realmd.world.model import Sanction
from realmd.world.rules.sanctions import identify
from tests.realm import Running
from tests.relay.scene import LocalRelay, until

from .agents import Agent
from .scene import eventually, reader, realm_on

#: A kind of gift wrap, or none.
WAYS = pytest.mark.parametrize("way", [0, EPHEMERAL, STORED], ids=["open", "ephemeral wrap", "stored wrap"])


async def ready(bridge: Bridge) -> str:
    """The realm's pubkey, once it has a channel and listens to its relays."""
    clients: Any = bridge.pool.clients.values()

    def listening() -> bool:
        places = [place for client in clients for place in client._subscriptions._places.values()]
        return len(places) >= 4 * len(clients) and all(place.caught for place in places)

    await until(lambda: bridge.room.channel_id and listening(), "a channel and all subscriptions")
    return bridge.key.pubkey


async def refusals(realm: Running, reason: str) -> float:
    """How many commands by relay were not taken for this reason."""
    text = (await realm.http("GET", "/metrics")).body.decode()
    name = f'realmd_nostr_asks_refused_total{{reason="{reason}"}}'
    return next((float(line.split()[1]) for line in text.splitlines() if line.split(" ")[0] == name), 0.0)


async def said(realm: Running) -> list[str]:
    return [e["text"] for e in (await realm.ipc("room-events"))["events"] if e["worldType"] == "chat"]


@WAYS
@pytest_twisted.ensureDeferred
async def test_an_agent_joins_by_relay(tmp_path: Path, way: int) -> None:
    """It registers, walks, works, speaks and reads; answers come as its asks did, and its token wrapped."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
            ada = Agent(scene, await ready(bridge))
            kind, answer = await ada.ask(
                "register", way, agentId="ada", name="Ada", skills=[{"skillId": "memory", "name": "S"}]
            )
            assert kind == (way or EPHEMERAL)
            assert answer["ok"]
            assert answer["token"]
            assert answer["profile"]["pubkey"] == ada.pubkey
            kind, walk = await ada.ask(
                "go-to-workstation", way, agentId="ada", workstationId="memory-archive"
            )
            assert (kind, walk["ok"]) == (way or 20043, True)

            async def arrived() -> bool:
                events = (await ada.ask("room-events", way))[1]["events"]
                return any(e["worldType"] == "arrived" and e["agentId"] == "ada" for e in events)

            await eventually(arrived, "arrival at the workstation")
            assert (await ada.ask("work-start", way, agentId="ada"))[1]["ok"]
            assert (await ada.ask("work-finish", way, agentId="ada", note="Filed."))[1]["ok"]
            assert (await ada.ask("world-chat", way, agentId="ada", text="Hello from afar"))[1]["ok"]
            assert await said(realm) == ["Hello from afar"]
            _, wrong = await ada.ask("world-walk", way, agentId="ada", x="far")
            assert "finite numbers" in wrong["error"]
            _, refused = await ada.ask("world-move", way, agentId="ada", x=1000, z=0)
            assert refused["code"] == "out_of_bounds"
            _, listed = await ada.ask("worlds-list", way)
            assert listed == {"ok": True, "worlds": []}


@pytest_twisted.ensureDeferred
async def test_an_answer_comes_in_the_wrap_that_is_asked_for(tmp_path: Path) -> None:
    """Who asks openly, and opens no ephemeral wraps, gets its token and its messages in stored ones."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
            ada = Agent(scene, await ready(bridge))
            kind, answer = await ada.ask("register", answer_in=STORED, agentId="ada")
            assert (kind, answer["ok"], bool(answer["token"])) == (STORED, True, True)
            await realm.ipc("register", agentId="bob")
            await realm.ipc("agent-message", agentId="bob", toAgentId="ada", content="For you alone")
            await until(ada.private, "the message")
            assert [kind for kind, _, fields in ada.heard if fields.get("type") == "private"] == [STORED]
            kind, answer = await ada.ask("room-info", answer_in=STORED)
            assert (kind, answer["ok"]) == (20043, True), "what is for all is told to all"
            kind, answer = await ada.ask("agent-inbox", STORED, answer_in=EPHEMERAL, agentId="ada")
            assert (kind, answer["ok"]) == (EPHEMERAL, True)


@pytest_twisted.ensureDeferred
async def test_nobody_speaks_for_another(tmp_path: Path) -> None:
    """Whatever `auth` says, another key cannot act as an agent, read its messages or get its token."""
    with LocalRelay() as relay:
        async with (
            reader(relay.url) as scene,
            realm_on(tmp_path, relay.url, auth={"mode": "open"}) as (realm, bridge),
        ):
            pubkey = await ready(bridge)
            ada, eve = Agent(scene, pubkey), Agent(scene, pubkey)
            assert (await ada.ask("register", agentId="ada"))[1]["ok"]
            assert (await realm.ipc("register", agentId="local"))["ok"]
            for agent_id in ("ada", "local"):
                for cmd, args in (
                    ("world-chat", {"text": "I am not who I say"}), ("register", {"name": "Eve"}),
                    ("world-leave", {}), ("login", {}), ("token-rotate", {}),
                ):  # fmt: skip
                    _, answer = await eve.ask(cmd, agentId=agent_id, **args)
                    assert answer["code"] == "not_yours", (cmd, answer)
                _, answer = await eve.ask("agent-inbox", STORED, agentId=agent_id)
                assert answer["code"] == "not_yours"
            _, answer = await eve.ask("clawhub-publish", id="x", name="X")
            assert answer["code"] == "token_required"
            _, answer = await eve.ask("agent-inbox", agentId="ada")
            assert "gift wrap" in answer["error"]
            assert await said(realm) == []
            room = await realm.ipc("room-info")
            assert room["agents"] == 2


@pytest_twisted.ensureDeferred
async def test_newcomers_by_relay_have_the_shares_of_addresses(tmp_path: Path) -> None:
    """A key registers as much as one address may, and all keys together as much as one network."""
    limits = {"address_registrations": 1}
    with LocalRelay() as relay:
        async with (
            reader(relay.url) as scene,
            realm_on(tmp_path, relay.url, limits=limits) as (realm, bridge),
        ):
            pubkey = await ready(bridge)
            ada, eve = Agent(scene, pubkey), Agent(scene, pubkey)
            assert (await ada.ask("register", agentId="ada"))[1]["ok"]
            assert (await ada.ask("register", agentId="ada", name="Ada"))[1]["ok"]  # is no newcomer
            assert (await ada.ask("register", agentId="ada-2"))[1]["code"] == "rate_limited"
            for number in range(3):
                answer = (await Agent(scene, pubkey).ask("register", agentId=f"other-{number}"))[1]
                assert answer["ok"]
            assert (await eve.ask("register", agentId="eve"))[1]["code"] == "rate_limited"
            assert (await realm.ipc("room-info"))["agents"] == 4


@pytest_twisted.ensureDeferred
async def test_what_was_heard_once_is_not_obeyed_twice(tmp_path: Path) -> None:
    """A relay that repeats what it heard changes nothing: not at once, wrapped anew, nor after a restart."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene:
            async with realm_on(tmp_path, relay.url) as (realm, bridge):
                ada = Agent(scene, await ready(bridge))
                await ada.ask("register", agentId="ada")
                chat = ada.asking("world-chat", agentId="ada", text="Once")
                await ada.say(ada.wrapped(chat, STORED))
                assert (await ada.answer_to(chat))[1]["ok"]
                await ada.say(ada.wrapped(chat, EPHEMERAL))
                await eventually(lambda: refusals(realm, "replayed"), "the same rumor in a new wrap is known")
                open_chat = ada.asking("world-chat", agentId="ada", text="Openly")
                await ada.say(open_chat)
                await ada.answer_to(open_chat)
            async with realm_on(tmp_path, relay.url) as (realm, bridge):
                await ready(bridge)
                await ada.say(open_chat)
                await ada.say(ada.wrapped(chat, EPHEMERAL))

                async def all_known() -> bool:
                    # The stored wrap was brought by the relay itself.
                    return await refusals(realm, "replayed") == 3

                await eventually(all_known, "what was obeyed before the restart is known")
                assert (await ada.ask("world-chat", agentId="ada", text="Anew"))[1]["ok"]
                assert await said(realm) == ["Once", "Openly", "Anew"]


@pytest_twisted.ensureDeferred
async def test_what_is_not_fresh_or_not_for_us_is_not_obeyed(tmp_path: Path) -> None:
    """A command of two minutes ago or ahead, or for another realm or room, is passed over in silence."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
            pubkey = await ready(bridge)
            ada, lost = Agent(scene, pubkey), Agent(scene, pubkey, "another-room")
            await ada.ask("register", agentId="ada")
            now = int(time.time())
            chat: dict[str, Any] = {"agentId": "ada", "text": "Too late"}
            late, early = (ada.asking("world-chat", now + away, **chat) for away in (-70, 70))
            await ada.say(ada.wrapped(late, STORED))
            await ada.say(ada.wrapped(early, STORED))
            astray = lost.asking("register", agentId="lost")
            await lost.say(astray)
            await eventually(lambda: refusals(realm, "unreadable"), "what is for another room is passed over")

            async def both() -> bool:
                return await refusals(realm, "stale") == 2

            await eventually(both, "stale commands are passed over")
            assert (await ada.ask("room-info"))[1]["agents"] == 1
            assert [agent.answers(event) for agent, event in ((ada, late), (ada, early), (lost, astray))] == [
                None
            ] * 3
            assert await said(realm) == []


@pytest_twisted.ensureDeferred
async def test_private_messages_come_by_relay_to_whom_nothing_else_reaches(tmp_path: Path) -> None:
    """A message to a remote agent comes in a gift wrap, and one to another agent does not."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
            pubkey = await ready(bridge)
            ada, eve = Agent(scene, pubkey), Agent(scene, pubkey)
            await ada.ask("register", STORED, agentId="ada")
            await eve.ask("register", agentId="eve")
            await realm.ipc("register", agentId="bob")
            sent = await realm.ipc("agent-message", agentId="bob", toAgentId="ada", content="For you alone")
            assert sent["ok"]
            await until(ada.private, "the message")
            assert [(m["agentId"], m["content"]) for m in ada.private()] == [("bob", "For you alone")]
            assert [kind for kind, _, fields in ada.heard if fields.get("type") == "private"] == [STORED]
            assert (
                await ada.ask("agent-message", EPHEMERAL, agentId="ada", toAgentId="eve", content="And you")
            )[1]["ok"]
            await until(eve.private, "the answer")
            assert len(ada.private()) == 1
            _, inbox = await ada.ask("agent-inbox", EPHEMERAL, agentId="ada")
            assert [m["content"] for m in inbox["messages"]] == ["For you alone", "And you"]


@pytest_twisted.ensureDeferred
async def test_old_clients_speak_in_the_channel(tmp_path: Path) -> None:
    """Kind 42 is obeyed for an agent that its key registered; by another key, or of before, it is not."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
            pubkey = await ready(bridge)
            old, eve = Agent(scene, pubkey), Agent(scene, pubkey)
            channel = ("e", str(bridge.room.channel_id), relay.url, "root")

            def speech(agent: Agent, at: int | None = None, **message: Any) -> Any:
                stamp = int(time.time() * 1000)
                return agent.sign(42, json.dumps({"timestamp": stamp, **message}), channel, at=at)

            await realm.ipc("register", agentId="local")
            await old.say(speech(old, worldType="join", agentId="old", name="Old", color="#123456"))

            async def joined() -> bool:
                return bool((await realm.ipc("profile", agentId="old")).get("present"))

            await eventually(joined, "the old client is in the world")
            for agent_id in ("old", "local", "daily"):
                await eve.say(speech(eve, worldType="chat", agentId=agent_id, text="I am Eve"))
            await old.say(
                speech(old, int(time.time()) - 90, worldType="chat", agentId="old", text="Long ago")
            )
            await old.say(speech(old, worldType="chat", agentId="old", text="Good day"))

            async def heard() -> bool:
                return "Good day" in await said(realm)

            await eventually(heard, "the old client is heard")
            assert await said(realm) == ["Good day"]
            assert old.heard == eve.heard == []


@pytest_twisted.ensureDeferred
async def test_a_banned_key_is_refused_by_relay_too(tmp_path: Path) -> None:
    """Who was banned by key can do nothing by relay, and is told so."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
            ada = Agent(scene, await ready(bridge))
            await ada.ask("register", agentId="ada")
            ban = Sanction(
                id=identify("ban", "pubkey", ada.pubkey), kind="ban", scope="pubkey", target=ada.pubkey,
                reason="Spam.", by="test", since=int(time.time() * 1000), until=0,
            )  # fmt: skip
            bridge._realm.intake.submit(Impose(sanction=ban))

            async def gone() -> bool:
                return not (await realm.ipc("profile", agentId="ada"))["present"]

            await eventually(gone, "the ban takes effect")
            for cmd, args in (("world-chat", {"text": "Hi"}), ("register", {"name": "A"})):
                assert (await ada.ask(cmd, agentId="ada", **args))[1]["code"] == "banned"
            assert (await ada.ask("register", agentId="ada2"))[1]["code"] == "banned"
            assert (await ada.ask("room-events"))[1]["code"] == "banned"


@WAYS
@pytest_twisted.ensureDeferred
async def test_a_muted_key_takes_no_new_name_by_relay(tmp_path: Path, way: int) -> None:
    """Who was muted by key comes as it was and under no other id, and points at nothing that is a text."""
    with LocalRelay() as relay:
        async with reader(relay.url) as scene, realm_on(tmp_path, relay.url) as (realm, bridge):
            ada = Agent(scene, await ready(bridge))
            await ada.ask("register", agentId="ada")
            mute = Sanction(
                id=identify("mute", "pubkey", ada.pubkey), kind="mute", scope="pubkey", target=ada.pubkey,
                reason="Spam.", by="test", since=int(time.time() * 1000), until=0,
            )  # fmt: skip
            bridge._realm.intake.submit(Impose(sanction=mute))
            for agent_id, words in (
                ("Buy now", {}),
                ("ada2", {"name": "Buy now"}),
                ("ada", {"bio": "Buy now"}),
            ):
                _, answer = await ada.ask("register", way, agentId=agent_id, **words)
                assert answer["code"] == "muted", agent_id
            assert (await ada.ask("register", way, agentId="ada"))[1]["ok"]
            _, answer = await ada.ask("world-action", way, agentId="ada", targetAgentId="Buy now")
            assert answer["ok"]
            for asked in ("room-events", "profiles"):
                assert "Buy now" not in str(await realm.ipc(asked))
