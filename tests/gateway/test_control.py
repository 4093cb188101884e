"""The control socket: what operators ask of a running realm, over a real Unix socket."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol

from realmd.identity import bech32
from realmd.identity.keys import MOST_KEYS
from realmd.operator.control import MOST
from realmd.protocol.control import LONGEST_LINE
from tests.framing import ipc, request, upgrade
from tests.realm import HANGS, Running, Wire, drained, reactor, realm_up, turn


class Control:
    """An operator's connection."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    async def line(self) -> Any:
        await self.wire.until(lambda: b"\n" in self.wire.buffer)
        line, _, self.wire.buffer = self.wire.buffer.partition(b"\n")
        return json.loads(line)

    async def ask(self, command: str, **fields: Any) -> Any:
        self.wire.write(json.dumps({"v": 1, "command": command, **fields}).encode() + b"\n")
        return await self.line()


async def control(realm: Running, tmp_path: Path) -> Control:
    path = str(tmp_path / "var" / "control.sock")
    wire: Wire = await connectProtocol(UNIXClientEndpoint(reactor, path), Wire()).addTimeout(HANGS, reactor)
    realm.wires.append(wire)
    return Control(wire)


def audit(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "var" / "audit.log").read_text().splitlines()]


@pytest_twisted.ensureDeferred
async def test_the_operator_sees_who_is_here(tmp_path: Path) -> None:
    """`who` tells each agent with its connections and addresses, and each connection with its agents."""
    async with realm_up(tmp_path) as realm:
        ada = await realm.socket()
        await ada.ask("register", agentId="ada", name="Ada")
        await realm.ipc("register", agentId="bob")
        desk = await control(realm, tmp_path)
        answer = await desk.ask("who")
        agents = {agent["agentId"]: agent for agent in answer["agents"]}
        assert sorted(agents) == ["ada", "bob"]
        assert (agents["ada"]["name"], agents["ada"]["connections"]) == ("Ada", [1])
        assert (agents["bob"]["connections"], agents["bob"]["addresses"]) == ([], ["127.0.0.1"])
        assert agents["ada"]["rate"] > 0
        (connection,) = answer["connections"]
        assert (connection["connection"], connection["agents"], connection["messages"]) == (1, ["ada"], 1)
        assert (answer["totals"]["agents"], answer["totals"]["websockets"]) == (2, 1)
        assert (await desk.ask("status"))["agents"] == 2


@pytest_twisted.ensureDeferred
async def test_who_is_banned_is_told_and_shown_out(tmp_path: Path) -> None:
    """A ban reaches the agent's socket as a message, then ends it with 1008, code, end and reason."""
    async with realm_up(tmp_path) as realm:
        ada, bob = await realm.socket(), await realm.socket()
        await ada.ask("register", agentId="ada")
        await bob.ask("register", agentId="bob")
        desk = await control(realm, tmp_path)
        until = 4_000_000_000_000
        answer = await desk.ask("ban", agent="ada", reason="too loud", until=until)
        assert (answer["departed"], answer["closed"]) == (["ada"], 1)
        told = await ada.next("sanction")
        assert told == {
            "type": "sanction", "kind": "ban", "code": "banned", "reason": "too loud", "until": until
        }  # fmt: skip
        assert await ada.closed() == (1008, "banned until 2096-10-02T07:06:40Z: too loud")
        assert (await bob.event("leave"))["reason"] == "banned"
        refused = await realm.http("POST", "/ipc", ipc("world-chat", agentId="ada", text="x"))
        assert (refused.status, refused.json) == (
            403,
            {"ok": False, "error": "banned", "code": "banned", "reason": "too loud", "until": until},
        )
        assert (await desk.ask("unban", agent="ada"))["ok"]
        assert (await realm.ipc("world-chat", agentId="ada", text="x"))["ok"]


@pytest_twisted.ensureDeferred
async def test_who_is_muted_keeps_its_place_and_is_told(tmp_path: Path) -> None:
    """A muted agent gets the message and a refusal with reason and end; lifting it is told, too."""
    async with realm_up(tmp_path) as realm:
        ada = await realm.socket()
        await ada.ask("register", agentId="ada")
        desk = await control(realm, tmp_path)
        assert (await desk.ask("mute", agent="ada"))["told"] == 1
        assert (await ada.next("sanction"))["code"] == "muted"
        ack = await ada.ask("world-chat", agentId="ada", text="x")
        assert (ack["code"], ack["until"]) == ("muted", None)
        ada.send({"type": "world-chat", "agentId": "ada", "text": "x"})
        error = await ada.next("error")
        assert (error["code"], error["until"], bool(error["reason"])) == ("muted", None, True)
        assert (await desk.ask("unmute", agent="ada"))["ok"]
        assert (await ada.next("sanction"))["code"] == "lifted"
        assert (await ada.ask("world-chat", agentId="ada", text="x"))["ok"]


@pytest_twisted.ensureDeferred
async def test_a_banned_address_gets_nothing_at_any_door(tmp_path: Path) -> None:
    """Every request and every WebSocket of a banned address is a 403 that says why; its sockets end."""
    async with realm_up(tmp_path, server={"trusted_proxies": ("127.0.0.1",)}) as realm:
        proxied: dict[str, Any] = {"x_forwarded_for": "2001:db8::7"}
        wire = await realm.wire()
        wire.write(upgrade("/ws", **proxied))
        assert (await wire.answer()).status == 101
        desk = await control(realm, tmp_path)
        answer = await desk.ask("ban", network="2001:db8::7", reason="scraper")
        assert (answer["sanction"]["target"], answer["closed"]) == ("2001:db8::/64", 1)
        for asked in (
            request("POST", "/ipc", ipc("room-info"), **proxied),
            request("GET", "/", **proxied),
            upgrade("/ws", x_forwarded_for="2001:db8::8"),
        ):
            wire = await realm.wire()
            wire.write(asked)
            told = await wire.answer()
            assert told.status == 403
            assert (told.json["code"], told.json["reason"], told.json["until"]) == ("banned", "scraper", None)
            await wire.end()
        assert (await realm.http("GET", "/health", x_forwarded_for="2001:db8:0:1::1")).status == 200


@pytest_twisted.ensureDeferred
async def test_a_flood_of_a_banned_address_is_cut_without_a_word(tmp_path: Path) -> None:
    """Connections beyond what is told why are cut as they are accepted, and cost the realm nothing more."""
    async with realm_up(tmp_path) as realm:
        desk = await control(realm, tmp_path)
        assert (await desk.ask("ban", network="127.0.0.1"))["ok"]
        told = 0
        for _ in range(300):
            wire = await realm.wire()
            try:
                wire.write(request("GET", "/health"))
                told += (await wire.answer()).status == 403
            except EOFError:
                break
        assert told >= 100
        bans = realm.factory.door.guard.bans
        assert bans is not None
        assert bans.cut >= 1
        assert (await desk.ask("unban", network="127.0.0.1"))["ok"]
        assert (await realm.http("GET", "/health")).status == 200


@pytest_twisted.ensureDeferred
async def test_the_operator_sends_out_and_speaks(tmp_path: Path) -> None:
    """A kick ends a visit, by name or by connection; what the operator says, all hear."""
    async with realm_up(tmp_path) as realm:
        ada, bob = await realm.socket(), await realm.socket()
        await ada.ask("register", agentId="ada")
        desk = await control(realm, tmp_path)
        assert (await desk.ask("kick", agent="ada", reason="enough"))["departed"] == ["ada"]
        assert await ada.closed() == (1008, "kicked: enough")
        assert (await realm.ipc("register", agentId="ada"))["ok"]
        assert (await desk.ask("say", text="Back in five."))["ok"]
        said = await bob.event("chat")
        assert (said["agentId"], said["text"]) == ("operator", "Back in five.")
        assert (await desk.ask("kick", connection=2))["closed"] == 1
        assert (await bob.closed())[0] == 1008
        assert (await desk.ask("kick", connection=2))["code"] == "not_found"
        assert (await desk.ask("kick", agent="ghost"))["code"] == "unknown_agent"


@pytest_twisted.ensureDeferred
async def test_the_operator_takes_tokens_back_and_gives_new_ones(tmp_path: Path) -> None:
    """A revoked token proves nothing, nor does this host; a fresh one does, whichever key signed it."""
    async with realm_up(tmp_path) as realm:
        old = (await realm.ipc("register", agentId="ada"))["token"]
        desk = await control(realm, tmp_path)
        assert (await desk.ask("revoke", agent="ada"))["agents"] == ["ada"]
        refused = await realm.ipc("world-chat", agentId="ada", text="x", token=old)
        assert refused["code"] == "token_revoked"
        fresh = (await desk.ask("token", agent="ada"))["token"]
        assert (await desk.ask("keys-rotate"))["key"]
        newest = (await desk.ask("token", agent="ada"))["token"]
        for token in (fresh, newest):
            assert (await realm.ipc("world-chat", agentId="ada", text="x", token=token))["ok"]
        assert fresh not in (tmp_path / "var" / "audit.log").read_text()


@pytest_twisted.ensureDeferred
async def test_no_more_keys_than_are_kept(tmp_path: Path) -> None:
    """Who rotates too often is told to wait; the newest key goes on signing."""
    async with realm_up(tmp_path) as realm:
        await realm.ipc("register", agentId="ada")
        desk = await control(realm, tmp_path)
        answers = [await desk.ask("keys-rotate") for _ in range(MOST_KEYS)]
        assert [answer["ok"] for answer in answers] == [True] * (MOST_KEYS - 1) + [False]
        assert answers[-1]["code"] == "too_many"
        assert (await desk.ask("token", agent="ada"))["ok"]


@pytest_twisted.ensureDeferred
async def test_draining_waits_for_those_inside(tmp_path: Path) -> None:
    """Clients are told, newcomers and new WebSockets refused; the answer comes when the last has left."""
    async with realm_up(tmp_path) as realm:
        ada = await realm.socket()
        await ada.ask("register", agentId="ada")
        desk = await control(realm, tmp_path)
        desk.wire.write(b'{"v":1,"command":"drain","seconds":600,"reason":"new disk"}\n')
        assert (await ada.next("draining"))["reason"] == "new disk"
        assert (await realm.ipc("register", agentId="bob"))["code"] == "draining"
        wire = await realm.wire()
        wire.write(upgrade())
        answer = await wire.answer()
        assert (answer.status, answer.json["code"]) == (503, "draining")
        assert (await realm.http("GET", "/health/ready")).status == 503
        assert (await ada.ask("world-leave", agentId="ada"))["ok"]
        assert (await desk.line()) == {"v": 1, "ok": True, "draining": True, "left": 0, "stopping": False}
        assert (await desk.ask("drain", undo=True))["draining"] is False
        assert (await realm.ipc("register", agentId="bob"))["ok"]


@pytest_twisted.ensureDeferred
async def test_a_realm_that_stops_ends_a_drain(tmp_path: Path) -> None:
    """A daemon told to stop does not wait for orders under way: who gave them is told, the socket is gone."""
    async with realm_up(tmp_path) as realm:
        await realm.ipc("register", agentId="ada")
        desk = await control(realm, tmp_path)
        desk.wire.write(b'{"v":1,"command":"drain","seconds":600}\n')
        await drained(desk.wire)
        while not realm.logged("draining"):
            await turn()
        await realm.daemon.stopService()
        assert (await desk.line())["code"] == "shutting_down"
        assert not (tmp_path / "var" / "control.sock").exists()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", "malformed"),
        (b"hello", "malformed"),
        (b"[" * 5000, "malformed"),
        (b'{"v":1,"command":"\xff"}', "malformed"),
        (b'{"v":1,"command":"reboot"}', "malformed"),
        (b'{"v":1,"command":"say"}', "malformed"),
        (b'{"v":1,"command":"who","agent":"x"}', "malformed"),
        (b'{"v":2,"command":"who"}', "version"),
        (b'{"command":"who"}', "version"),
        (b'{"v":1,"command":"ban"}', "malformed"),
        (b'{"v":1,"command":"ban","agent":"a","network":"10.0.0.1"}', "malformed"),
        (b'{"v":1,"command":"ban","network":"0.0.0.0/0"}', "malformed"),
        (b'{"v":1,"command":"ban","network":"nowhere"}', "malformed"),
        (b'{"v":1,"command":"ban","pubkey":"npub1nonsense"}', "malformed"),
        (b'{"v":1,"command":"ban","network":"10.0.0.1","until":1}', "malformed"),
        (b'{"v":1,"command":"ban","network":"10.0.0.1","reason":"a\\u001b[2J"}', "malformed"),
        (b'{"v":1,"command":"ban","agent":"ghost"}', "unknown_agent"),
        (b'{"v":1,"command":"mute","network":"10.0.0.1"}', "malformed"),
        (b'{"v":1,"command":"unban","network":"10.0.0.1"}', "not_found"),
        (b'{"v":1,"command":"revoke"}', "malformed"),
        (b'{"v":1,"command":"kick"}', "malformed"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_wrong_order_does_nothing(line: bytes, code: str, tmp_path: Path) -> None:
    """An order that cannot be carried out is refused in a sentence, and the connection goes on."""
    async with realm_up(tmp_path) as realm:
        desk = await control(realm, tmp_path)
        desk.wire.write(line + b"\n")
        answer = await desk.line()
        assert (answer["ok"], answer["code"], bool(answer["error"])) == (False, code, True)
        assert (await desk.ask("sanctions"))["sanctions"] == []


@pytest_twisted.ensureDeferred
async def test_operators_are_bounded_too(tmp_path: Path) -> None:
    """A line without end is cut off, orders come one after another, and there are only so many at once."""
    async with realm_up(tmp_path) as realm:
        await realm.ipc("register", agentId="ada")
        desk = await control(realm, tmp_path)
        desk.wire.write(b"x" * (LONGEST_LINE + 1))
        assert (await desk.line())["code"] == "too_long"
        await desk.wire.end()
        desk = await control(realm, tmp_path)
        desk.wire.write(b'{"v":1,"command":"drain","seconds":600}\n{"v":1,"command":"who"}\n')
        assert (await desk.line())["code"] == "busy"
        others = [await control(realm, tmp_path) for _ in range(MOST)]
        assert (await others[-1].line())["code"] == "busy"
        assert (await others[0].ask("drain", undo=True))["ok"]
        assert (await desk.line())["draining"] is False


@pytest_twisted.ensureDeferred
async def test_what_operators_do_is_noted(tmp_path: Path) -> None:
    """The audit log tells who did what to whom, why, and what came of it; looking leaves no trace."""
    async with realm_up(tmp_path) as realm:
        desk = await control(realm, tmp_path)
        await desk.ask("who")
        await desk.ask("ban", network="203.0.113.77/24", reason="spam")
        await desk.ask("unban", agent="ghost")
        first, second = audit(tmp_path)
        assert (first["uid"], first["pid"]) == (os.getuid(), os.getpid())
        assert (first["action"], first["target"], first["reason"], first["result"]) == (
            "ban", "network 203.0.113.0/24", "spam", "ok",
        )  # fmt: skip
        assert (second["action"], second["result"]) == ("unban", "not_found")
        assert stat.S_IMODE((tmp_path / "var" / "audit.log").stat().st_mode) == 0o640
        assert len(realm.logged("operator user=")) == 2


@pytest_twisted.ensureDeferred
async def test_only_the_realm_and_its_group_may_use_the_socket(tmp_path: Path) -> None:
    """The socket has mode 0660, takes the place of one that a killed daemon left, and is linked to."""
    (tmp_path / "var").mkdir()
    runtime = tmp_path / "run"
    runtime.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(runtime / "control.sock"))
    (tmp_path / "var" / "control.sock").symlink_to(runtime / "control.sock")
    async with realm_up(tmp_path, control={"runtime_dir": str(runtime)}) as realm:
        assert stat.S_IMODE((runtime / "control.sock").stat().st_mode) == 0o660
        assert (await (await control(realm, tmp_path)).ask("status"))["ok"]
    assert not (runtime / "control.sock").exists()
    assert not (tmp_path / "var" / "control.sock").is_symlink()


@pytest_twisted.ensureDeferred
async def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    """A file in the socket's place is not taken away: the realm runs without, and says so."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "control.sock").write_text("mine")
    async with realm_up(tmp_path) as realm:
        assert realm.logged("no control socket")
        assert (await realm.http("GET", "/health")).status == 200
    assert (tmp_path / "var" / "control.sock").read_text() == "mine"


@pytest_twisted.ensureDeferred
async def test_alerts_are_tried_by_the_daemon_itself(tmp_path: Path) -> None:
    """A test alert goes out as a real one would, as the daemon's user; each way that fails says why."""
    program = tmp_path / "sendmail"
    program.write_text("#!/bin/sh\necho no such user >&2\nexit 67\n")
    program.chmod(0o755)
    ways = {
        "webhook": "http://127.0.0.1:1/", "email": "o@example.org", "sendmail": str(program),
        "operator_npub": bech32.encode("npub", bytes.fromhex("79" * 32)),
    }  # fmt: skip
    async with realm_up(tmp_path, alerts=ways) as realm:
        desk = await control(realm, tmp_path)
        tried = {one["sink"]: one["error"] for one in (await desk.ask("alert-test"))["sinks"]}
    assert tried["webhook"] == "ECONNREFUSED"
    assert tried["email"].endswith("no such user")
    assert tried["nostr"] == "only a running realm that is joined to relays can send it"
    assert [note["action"] for note in audit(tmp_path)] == ["alert-test"]


@pytest_twisted.ensureDeferred
async def test_the_operator_takes_a_plugin_out(tmp_path: Path) -> None:
    """Whoever installed or published it; what was done is told, and noted."""
    async with realm_up(tmp_path) as realm:
        await realm.ipc("register", agentId="ada")
        await realm.ipc("clawhub-publish", agentId="ada", id="lamp", name="Lamp")
        await realm.ipc("clawhub-install", agentId="ada", skillId="lamp")
        desk = await control(realm, tmp_path)
        assert (await desk.ask("uninstall", plugin="lamp"))["phases"] == ["uninstalled"]
        assert (await realm.ipc("clawhub-list"))["skills"][0]["installed"] is False
        assert (await desk.ask("uninstall", plugin="lamp", unpublish=True))["phases"] == ["unpublished"]
        assert (await desk.ask("uninstall", plugin="lamp"))["code"] == "not_found"
        assert (await realm.ipc("clawhub-list"))["skills"] == []
        deeds = [(deed["action"], deed["target"], deed["result"]) for deed in audit(tmp_path)]
        assert deeds == [("uninstall", "plugin lamp", result) for result in ("ok", "ok", "not_found")]
