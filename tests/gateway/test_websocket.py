"""The WebSocket door over real sockets: who sees what, slow readers, and the end of a connection."""

from __future__ import annotations

import gc
import struct
import weakref
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.web.http import RESPONSES

from tests.framing import BINARY, CLOSE, PING, PONG, ipc, request, upgrade
from tests.realm import Running, Socket, narrow, reactor, realm_up, turn

#: Everybody may shout here.
LOUD: dict[str, Any] = {"commands_per_second": 10_000}


async def present(realm: Running, *agents: tuple[str, float, float]) -> None:
    for agent, x, z in agents:
        await realm.ipc("register", agentId=agent)
        assert (await realm.ipc("world-move", agentId=agent, x=x, z=z))["ok"]


def seen(snapshot: Any) -> set[str]:
    return {agent["profile"]["agentId"] for agent in snapshot["agents"]}


@pytest_twisted.ensureDeferred
async def test_the_first_snapshot_shows_everyone_and_the_next_ones_who_is_near(tmp_path: Path) -> None:
    """A newcomer sees the whole world once; then every few seconds the part that it looks at."""
    async with realm_up(tmp_path, storage={"state_dir": str(tmp_path), "snapshot_interval_s": 0.1}) as realm:
        await present(realm, ("near", 1, 1), ("far", 49, 49))
        socket = await realm.socket()
        assert (await socket.next())["type"] == "roomInfo"
        assert seen(await socket.next("snapshot")) == {"near", "far"}
        socket.send({"type": "viewport", "x": -15, "z": 1})
        while seen(await socket.next("snapshot")) != {"near"}:
            pass
        socket.send({"type": "viewport", "x": 45, "z": 45})
        while "far" not in seen(await socket.next("snapshot")):
            pass
        socket.send({"type": "subscribe"})
        while seen(await socket.next("snapshot")) != {"near", "far"}:
            pass


@pytest_twisted.ensureDeferred
async def test_speech_reaches_everyone_and_movement_those_near(tmp_path: Path) -> None:
    """Join, chat, emote, profile and leave are told to all; position and action within 40 of the view."""
    async with realm_up(tmp_path) as realm:
        viewer, follower = await realm.socket(), await realm.socket("/ws?agent=far")
        for socket in (viewer, follower):
            await socket.next("snapshot")
        viewer.send({"type": "viewport", "x": -15, "z": -15})
        await viewer.ask("room-info")
        far = await realm.socket()
        await far.ask("register", agentId="far")
        await far.ask("world-move", agentId="far", x=49, z=49)
        steps: list[tuple[str, dict[str, Any]]] = [
            ("world-move", {"x": 48, "z": 48}), ("world-action", {"action": "dance"}),
            ("world-emote", {}), ("world-chat", {"text": "hello"}), ("register", {"bio": "new"}),
            ("world-leave", {}),
        ]  # fmt: skip
        for kind, args in steps:
            assert (await far.ask(kind, agentId="far", **args))["ok"]
        told: dict[str, list[str]] = {"viewer": [], "follower": []}
        for name, socket in (("viewer", viewer), ("follower", follower)):
            while told[name][-1:] != ["leave"]:
                told[name].append((await socket.next("world"))["message"]["worldType"])
        assert [kind for kind in told["viewer"] if kind not in ("position", "action")] == [
            "join", "emote", "chat", "profile", "leave",
        ]  # fmt: skip
        after_entering = told["viewer"][told["viewer"].index("emote") :]
        assert "position" not in after_entering
        assert told["viewer"].count("action") == 0
        assert told["follower"].count("action") == 1


@pytest_twisted.ensureDeferred
async def test_closing_the_socket_makes_the_player_leave(tmp_path: Path) -> None:
    """A human who closes the page, or whose line breaks, does not linger; an agent does."""
    async with realm_up(tmp_path) as realm:
        watcher = await realm.socket()
        await watcher.next("snapshot")
        for ending in (lambda s: s.frame(CLOSE, struct.pack("!H", 1000)), lambda s: s.wire.hang_up()):
            human = await realm.socket()
            human.send({"type": "playerJoin", "name": "Nora"})
            human.send({"type": "register", "agentId": "ada"})
            player = (await human.next("playerJoined"))["agentId"]
            ending(human)
            gone = await watcher.event("leave")
            assert (gone["agentId"], gone["reason"]) == (player, "closed")
        assert (await realm.ipc("room-info"))["agents"] == 1


@pytest_twisted.ensureDeferred
async def test_an_open_socket_counts_as_heard(tmp_path: Path) -> None:
    """An agent whose WebSocket is open keeps its seat in silence; one without loses it."""
    async with realm_up(tmp_path, presence={"doze_after_s": 0.1, "leave_after_s": 0.1}) as realm:
        socket = await realm.socket()
        await socket.ask("register", agentId="connected")
        await realm.ipc("register", agentId="gone")
        gone = await socket.event("leave")
        assert (gone["agentId"], gone["reason"]) == ("gone", "silent")
        assert (await realm.ipc("profile", agentId="connected"))["present"]
        assert not (await realm.ipc("profile", agentId="gone"))["present"]


@pytest_twisted.ensureDeferred
async def test_a_close_is_answered_and_nothing_follows(tmp_path: Path) -> None:
    """Who says goodbye hears it back (1000), whatever is going on in the room."""
    async with realm_up(tmp_path, world=LOUD) as realm:
        talker, leaver = await realm.socket(), await realm.socket()
        await talker.ask("register", agentId="ada")
        for _ in range(50):
            talker.send({"type": "world-chat", "agentId": "ada", "text": "blah"})
        leaver.frame(CLOSE, struct.pack("!H", 1000))
        assert (await leaver.closed())[0] == 1000
        assert await leaver.wire.end() == b""


@pytest_twisted.ensureDeferred
async def test_a_connection_that_became_a_websocket_leaves_nothing_behind(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The HTTP side of an upgraded connection is freed at once, the rest when it ends; no cycle is left."""
    gc.disable()
    request.addfinalizer(gc.enable)
    async with realm_up(tmp_path) as realm:
        channels: list[weakref.ref[Any]] = []
        opened = realm.factory.opened

        def watch(channel: Any) -> None:
            channels.append(weakref.ref(channel))
            opened(channel)

        realm.factory.opened = watch  # type: ignore[method-assign]
        sockets = [await realm.socket() for _ in range(5)]
        for socket in sockets:
            await socket.next("snapshot")
        assert (realm.factory.open, len(realm.factory.channels)) == (5, 0)
        connections = [weakref.ref(connection) for connection in realm.gateway.connections]
        assert len(connections) == 5
        for connection in realm.gateway.connections:
            assert connection.transport.producer is connection.outbox
        del connection
        assert [ref() for ref in channels] == [None] * 5
        for socket in sockets[:3]:
            socket.wire.hang_up()
        for socket in sockets[3:]:
            socket.frame(CLOSE, struct.pack("!H", 1000))
            await socket.wire.end()
        while realm.factory.open:
            await turn()
        await turn()
        assert [ref() for ref in connections] == [None] * 5
        assert realm.gateway.connections == set()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/ws", {"sec_websocket_version": "8"}, 400),
        ("/ws", {"sec_websocket_key": "short"}, 400),
        ("/ws", {"connection": "keep-alive"}, 400),
        ("/ws/", {}, 404),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_handshake_that_is_wrong_is_refused(
    path: str, headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    """Who shakes hands badly gets an HTTP answer like any other, none of its own words in the status line,
    and its connection does not linger.
    """
    async with realm_up(tmp_path) as realm:
        wire = await realm.wire()
        wire.write(upgrade(path, **headers))
        line = await wire.line()
        assert line.split(b" ", 2)[1:] == [str(status).encode(), RESPONSES[status]]
        wire.buffer = line + b"\r\n" + wire.buffer
        assert list((await wire.answer()).json) == ["error"]
        wire.transport.loseConnection()  # type: ignore[union-attr]
        while realm.factory.open:
            await turn()


@pytest_twisted.ensureDeferred
async def test_a_ping_is_answered_between_messages(tmp_path: Path) -> None:
    """Keep-alives of the client work, and a binary message is read as text would be."""
    async with realm_up(tmp_path) as realm:
        socket = await realm.socket()
        await socket.next("snapshot")
        socket.frame(PING, b"are you there?")
        assert await socket.receive() == (PONG, b"are you there?")
        socket.frame(BINARY, b'{"type": "requestProfiles"}')
        assert (await socket.next())["type"] == "profiles"


async def shout(socket: Socket, realm: Running, enough: Any) -> int:
    """Chat until `enough()`; how many were said."""
    said = 0
    while not enough():
        for _ in range(20):
            socket.send({"type": "world-chat", "agentId": "ada", "text": "x" * 500})
        said += 21
        assert (await socket.ask("world-chat", agentId="ada", text="x" * 500))["ok"]
        assert said < 200_000
    return said


@pytest_twisted.ensureDeferred
async def test_a_reader_that_never_reads_is_closed_and_nobody_else_notices(tmp_path: Path) -> None:
    """What waits for a client is bounded: beyond it the client is told 1013, counted, logged and dropped."""
    server = {"port": 0, "outbox_bytes": 65_536, "handshake_timeout_s": 1.0}
    async with realm_up(tmp_path, world=LOUD, server=server) as realm:
        talker, listener, sleeper = [await realm.socket() for _ in range(3)]
        narrow(realm, sleeper)
        await talker.ask("register", agentId="ada")
        sleeper.wire.pause()
        said = await shout(talker, realm, lambda: realm.gateway.overflowed)
        for connection in realm.gateway.connections:
            assert connection.outbox._size <= 65_536
        while realm.factory.open > 2:  # it never answers the goodbye, and is hung up on
            await turn()
        assert [event["reason"] for event in realm.logged("buffer overflow")] == ["outbox full"]
        assert await realm.metric("realmd_outbox_overflows_total") == 1
        assert await realm.metric("realmd_outbox_dropped_total") >= 0
        seqs = [(await listener.event("chat"))["seq"] for _ in range(said)]
        assert seqs == list(range(seqs[0], seqs[0] + said))


@pytest_twisted.ensureDeferred
async def test_a_reader_too_slow_for_too_long_is_told_why(tmp_path: Path) -> None:
    """Patience with a client that does not read ends; when it reads at last, it finds 1013."""
    server = {"port": 0, "outbox_patience_s": 0.2}
    async with realm_up(tmp_path, world=LOUD, server=server) as realm:
        talker, sleeper = await realm.socket(), await realm.socket()
        narrow(realm, sleeper)
        await talker.ask("register", agentId="ada")
        sleeper.wire.pause()
        await shout(talker, realm, lambda: realm.gateway.overflowed)
        sleeper.wire.transport.resumeProducing()  # type: ignore[union-attr]
        code, reason = await sleeper.closed()
        assert code == 1013
        assert reason in ("too slow", "outbox full")


@pytest_twisted.ensureDeferred
async def test_a_client_that_says_goodbye_and_does_not_read_is_hung_up_on(tmp_path: Path) -> None:
    """A close that cannot be answered does not hold a connection for ever."""
    async with realm_up(tmp_path, world=LOUD, server={"port": 0, "handshake_timeout_s": 1.0}) as realm:
        talker, sleeper = await realm.socket(), await realm.socket()
        await talker.ask("register", agentId="ada")
        await sleeper.next("snapshot")
        narrow(realm, sleeper)
        (other,) = [c for c in realm.gateway.connections if c.agents == set()]
        sleeper.wire.pause()
        await shout(talker, realm, lambda: other.outbox._size > 20_000)
        sleeper.frame(CLOSE, struct.pack("!H", 1000))
        while other.transport.connected:
            await turn()


@pytest_twisted.ensureDeferred
async def test_a_realm_that_stops_says_so_and_leaves_the_reactor_clean(tmp_path: Path) -> None:
    """Clients are told 1001, what was accepted is answered first, and no timer or socket remains."""
    before = set(map(id, reactor.getDelayedCalls())), set(map(id, reactor.getReaders()))
    async with realm_up(tmp_path, inhabited=True, world={"tick_ms": 1000}) as realm:
        socket, mute, idle = await realm.socket(), await realm.socket(), await realm.wire()
        await socket.ask("register", agentId="ada")
        idle.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await idle.answer()).status == 200
        asking = await realm.wire()
        socket.send({"type": "world-chat", "agentId": "ada", "id": "last", "text": "goodbye"})
        asking.write(request("POST", "/ipc", ipc("register", agentId="bob")))
        intake = realm.factory.door._realm.intake
        while {"ada", "bob"} - {getattr(command, "agent_id", None) for command, *_ in intake._waiting}:
            await turn()
        connections = list(realm.gateway.connections)
        stopping = realm.daemon.stopService()
        assert (await socket.next("ack"))["ok"]
        assert await socket.closed() == (1001, "the realm is stopping")
        socket.frame(CLOSE, struct.pack("!H", 1001))
        assert (await asking.answer()).json["profile"]["agentId"] == "bob"
        await stopping
        assert all(connection.state == connection.STATE_CLOSED for connection in connections)
        for wire in (socket.wire, mute.wire, idle, asking):
            await wire.until(lambda wire=wire: wire.ended is not None)  # type: ignore[misc]
        assert realm.factory.open == 0
        assert [event for event in realm.log if "log_failure" in event] == []
    await turn()
    await turn()
    assert [str(call) for call in reactor.getDelayedCalls() if id(call) not in before[0]] == []
    assert [str(reader) for reader in reactor.getReaders() if id(reader) not in before[1]] == []
