"""The realm as another implementation sees it: nostr-tools finds it, joins it, talks with Daily."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure

from realmd.identity.gift_wrap import EPHEMERAL, STORED
from realmd.nostr.events import asks
from tests.realm import reactor
from tests.relay.scene import LocalRelay

from .scene import ROOM, eventually, realm_on
from .test_remote import ready

pytestmark = pytest.mark.needs("node")
PROGRAM: Final = Path(__file__).with_name("agent.mjs")
ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE: Final = 20.0


class Driver(ProcessProtocol):
    """The process of agent.mjs: what it is told to do, and what it answers."""

    def __init__(self, realm: str = "") -> None:
        self.realm = realm
        self.complaints = b""
        self.ended: Deferred[None] = Deferred()
        self._buffer = b""
        self._waiting: dict[int, Deferred[Any]] = {}

    def outReceived(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in map(json.loads, lines):
            self._waiting.pop(line["id"]).callback(line)

    def errReceived(self, data: bytes) -> None:
        self.complaints += data

    def processEnded(self, reason: Failure) -> None:
        reason.trap(ProcessDone, ProcessTerminated)
        self.ended.callback(None)

    async def do(self, deed: str, **how: Any) -> Any:
        """What it answers; AssertionError if it cannot."""
        mark = max(self._waiting, default=0) + 1
        answer: Deferred[Any] = Deferred()
        self._waiting[mark] = answer
        assert self.transport is not None
        self.transport.write(json.dumps({"id": mark, "do": deed, **how}).encode() + b"\n")
        line = await answer.addTimeout(PATIENCE, reactor)
        assert "error" not in line, (line, self.complaints)
        return line["result"]

    async def ask(self, cmd: str, wrapped: bool = False, **args: Any) -> tuple[int, Any]:
        """The kind that the answer came in, and the answer."""
        found = await self.do("ask", realm=self.realm, room=ROOM, cmd=cmd, args=args, wrapped=wrapped)
        assert found["by"] == self.realm
        return found["kind"], found["answer"]

    async def query(self, **filter: Any) -> Any:
        return await self.do("query", filter={name.replace("tag_", "#"): v for name, v in filter.items()})


@asynccontextmanager
async def nostr_tools(relay: str, realm: str = "") -> AsyncIterator[Driver]:
    """An agent of nostr-tools, until the block ends."""
    node, driver = shutil.which("node"), Driver(realm)
    assert node
    process = reactor.spawnProcess(driver, node, [node, str(PROGRAM), relay], env=dict(os.environ))
    try:
        yield driver
    finally:
        process.closeStdin()
        await driver.ended.addTimeout(PATIENCE, reactor)
        assert driver.complaints == b""


@pytest_twisted.ensureDeferred
async def test_another_implementation_finds_the_room(tmp_path: Path) -> None:
    """From a relay alone it learns of the room, its key, address and channel, and what was said there."""
    server = {"port": 0, "public_url": "https://realm.example"}
    with LocalRelay() as relay:
        async with realm_on(tmp_path, relay.url, server=server) as (realm, bridge):
            realm_key = await ready(bridge)
            token = (await realm.ipc("register", agentId="ada", name="Ada"))["token"]
            chat = await realm.ipc("world-chat", agentId="ada", text="Is anybody out there?", token=token)
            assert chat["ok"]
            async with nostr_tools(relay.url) as agent:

                async def found() -> Any:
                    spaces = await agent.query(kinds=[30312], tag_t=["openclaw-world"])
                    entries = await agent.query(kinds=[30078], tag_d=["openclaw-world"])
                    return spaces and entries and (spaces[0], entries[0])

                space, entry = await eventually(found, "both announcements")
                assert space["pubkey"] == entry["pubkey"] == realm_key
                tags = {tag[0]: tag[1:] for tag in space["tags"]}
                assert tags["d"] == [ROOM]
                assert (tags["status"], tags["service"]) == (["open"], ["https://realm.example/"])
                room = json.loads(entry["content"])
                assert room["roomId"] == ROOM
                assert room["nostrChannelId"] == bridge.room.channel_id
                (channel,) = await agent.query(ids=[room["nostrChannelId"]])
                assert channel["kind"] == 40
                assert json.loads(channel["content"])["name"] == f"openclaw-world-{ROOM}"

                async def spoken() -> Any:
                    messages = await agent.query(kinds=[42], tag_e=[channel["id"]], authors=[realm_key])
                    told = [json.loads(message["content"]) for message in messages]
                    return {m["worldType"]: m for m in told} if len(told) >= 2 else None

                said = await eventually(spoken, "the channel's messages")
                assert said["join"]["name"] == "Ada"
                assert said["chat"]["text"] == "Is anybody out there?"


@pytest_twisted.ensureDeferred
async def test_another_implementation_joins_and_talks_with_daily(tmp_path: Path) -> None:
    """By signed events it registers, walks, works; an inhabitant answers it, as it reads in the channel."""
    patient = {"interval_ms": 2000, "budget_ms": 1500}  # a slow machine sends no mind to sleep
    with LocalRelay() as relay:
        async with realm_on(tmp_path, relay.url, inhabited=True, think=patient) as (_, bridge):
            key = await ready(bridge)
            async with nostr_tools(relay.url, key) as ada:
                skills = [{"skillId": "memory", "name": "Remembering"}]
                kind, answer = await ada.ask("register", agentId="ada", name="Ada", skills=skills)
                assert (kind, answer["ok"]) == (EPHEMERAL, True)
                assert answer["profile"]["pubkey"] == await ada.do("pubkey")
                kind, answer = await ada.ask("register", wrapped=True, agentId="ada", bio="From afar")
                assert (kind, answer["ok"], bool(answer["token"])) == (STORED, True, True)
                kind, answer = await ada.ask("world-walk", agentId="ada", workstationId="memory-archive")
                assert (kind, answer["ok"]) == (asks.KIND, True), answer
                goal = answer["walkingTo"]
                kind, answer = await ada.ask(
                    "world-chat", wrapped=True, agentId="ada", text="Daily, how are you?"
                )
                assert (kind, answer["ok"]) == (STORED, True)

                async def reply() -> Any:
                    channel = bridge.room.channel_id
                    said = [json.loads(m["content"]) for m in await ada.query(kinds=[42], tag_e=[channel])]
                    ours = next((m["seq"] for m in said if m.get("agentId") == "ada" and "text" in m), 0)
                    return [m["text"] for m in said if m["agentId"] == "daily" and m.get("seq", 0) > ours > 0]

                assert await eventually(reply, "Daily's answer in the channel", within=40.0)
                _, there = await ada.ask("room-events", limit=200)
                assert any(e["worldType"] == "chat" and e["agentId"] == "daily" for e in there["events"])
                _, answer = await ada.ask("go-to-workstation", agentId="ada", workstationId="memory-archive")
                assert answer["ok"], answer

                async def holds_it() -> bool:
                    _, profile = await ada.ask("profile", agentId="ada")
                    return bool(profile.get("workstationId") == "memory-archive")

                await eventually(holds_it, "arrival at the workstation")
                _, profile = await ada.ask("profile", agentId="ada")
                where = profile["position"]
                assert abs(where["x"] - goal["x"]) < 3
                assert abs(where["z"] - goal["z"]) < 3
                for cmd, args in (("work-start", {}), ("work-finish", {"note": "Filed."})):
                    assert (await ada.ask(cmd, agentId="ada", **args))[1]["ok"], cmd


@pytest_twisted.ensureDeferred
async def test_another_implementation_gets_what_is_private(tmp_path: Path) -> None:
    """A private message reaches it in a gift wrap that it can open; another key is refused its agent."""
    with LocalRelay() as relay:
        async with realm_on(tmp_path, relay.url) as (realm, bridge):
            key = await ready(bridge)
            async with nostr_tools(relay.url, key) as ada, nostr_tools(relay.url, key) as eve:
                assert (await ada.ask("register", wrapped=True, agentId="ada"))[1]["ok"]
                await realm.ipc("register", agentId="bob")
                await realm.ipc("agent-message", agentId="bob", toAgentId="ada", content="Between us")

                async def brought() -> Any:
                    return [one for one in await ada.do("heard") if one["content"].get("type") == "private"]

                (message,) = await eventually(brought, "the message")
                assert (message["kind"], message["pubkey"]) == (STORED, key)
                assert message["content"]["message"]["content"] == "Between us"
                _, answer = await eve.ask("world-chat", agentId="ada", text="I am Ada")
                assert answer["code"] == "not_yours"
                _, answer = await eve.ask("agent-inbox", wrapped=True, agentId="ada")
                assert answer["code"] == "not_yours"
                assert [one for one in await eve.do("heard") if "message" in one["content"]] == []


@pytest_twisted.ensureDeferred
async def test_the_program_of_the_document_works(tmp_path: Path) -> None:
    """What docs/nostr.rst shows can be copied and run: it finds the room, joins, walks and speaks."""
    text = (ROOT / "docs" / "nostr.rst").read_text("utf-8")
    commands, _, rest = text.partition("as it stands here, by that command::\n")
    (command,) = [line.split() for line in commands.splitlines() if line.startswith("    node ")]
    _, name, url = command
    assert url.startswith("wss://")
    (tmp_path / name).write_text(textwrap.dedent(rest.partition("\n**Who speaks.**")[0]), "utf-8")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    with LocalRelay() as relay:
        async with realm_on(tmp_path, relay.url) as (realm, bridge):
            await ready(bridge)
            running: Any = getProcessOutputAndValue(
                shutil.which("node"),
                [name, relay.url],
                dict(os.environ),
                str(tmp_path),
                reactor,
            )
            out, complaints, status = await running.addTimeout(2 * PATIENCE, reactor)
            assert (status, complaints) == (0, b""), complaints.decode()
            assert out.count(b"ok: true") == 5
            assert b"Hello from afar" in out
            events = (await realm.ipc("room-events"))["events"]
            assert [e["text"] for e in events if e["worldType"] == "chat"] == ["Hello from afar"]
