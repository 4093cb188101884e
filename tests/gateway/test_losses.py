"""What the log and the metrics say of connections that are slow, silent or cut off."""

from __future__ import annotations

import socket as sockets
import struct
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet.task import Clock
from twisted.logger import Logger, capturedLogs

from realmd.host.network import Losses, Sparing
from tests.framing import PING, PONG, request
from tests.realm import Running, Wire, realm_up, turn

BRISK = {"ping_interval_s": 0.1, "ping_timeout_s": 0.3}


async def until(realm: Running, words: str) -> list[dict[str, Any]]:
    """Wait for a line of the log."""
    while not realm.logged(words):
        await turn()
    return realm.logged(words)


def cut(wire: Wire) -> None:
    """End the connection by a reset, as a machine that lost its power does."""
    transport: Any = wire.transport
    transport.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abortConnection()


@pytest_twisted.ensureDeferred
async def test_a_reset_is_logged_by_its_name(tmp_path: Path) -> None:
    """ECONNRESET is in the log, with the door, when a client cuts off; one that closes leaves no line."""
    async with realm_up(tmp_path) as realm:
        good = await realm.wire()
        good.write(request("GET", "/health", connection="close"))
        await good.answer()
        await good.end()
        assert realm.logged("ECONNRESET") == []
        cut(await realm.wire())
        await until(realm, "ECONNRESET door=http")
        cut((await realm.socket()).wire)
        await until(realm, "ECONNRESET door=websocket")
        assert await realm.metric("realmd_http_resets_total") == 1
        assert await realm.metric("realmd_websocket_resets_total") == 1


@pytest_twisted.ensureDeferred
async def test_a_websocket_that_answers_no_ping_is_given_up_and_told(tmp_path: Path) -> None:
    """`connection timeout door=websocket` is in the log when a client went away without a word."""
    async with realm_up(tmp_path, server=BRISK) as realm:
        await realm.socket()
        [event] = await until(realm, "connection timeout door=websocket")
        assert (event["peer"], event["log_namespace"]) == ("127.0.0.1", "realmd.gateway.websocket")
        while realm.gateway.connections:
            await turn()
        assert await realm.metric("realmd_websocket_timeouts_total") == 1
        assert realm.logged("ECONNRESET") == []  # it was us


@pytest_twisted.ensureDeferred
async def test_pings_measure_how_far_clients_are(tmp_path: Path) -> None:
    """Each pong to a ping of ours is one measured round trip, however busy the client is otherwise."""
    async with realm_up(tmp_path, server={"ping_interval_s": 0.1, "ping_timeout_s": 10.0}) as realm:
        client = await realm.socket()
        for _ in range(3):
            while (frame := await client.receive())[0] != PING:
                pass
            client.send({"type": "subscribe"})  # Autobahn counts no pong after anything else
            client.frame(PONG, b"a pong that nobody asked for")
            client.frame(PONG, frame[1])
            client.frame(PONG, frame[1])
        while await realm.metric("realmd_websocket_ping_seconds_count") < 3:
            pass
        assert await realm.metric("realmd_websocket_ping_seconds_count") == 3
        assert 0 < await realm.metric("realmd_websocket_ping_seconds_sum") < 3


@pytest_twisted.ensureDeferred
async def test_what_goes_wrong_is_counted_by_its_kind(tmp_path: Path) -> None:
    """The share of messages that go wrong can be told from the metrics, and whose fault they are."""
    async with realm_up(tmp_path) as realm:
        client = await realm.socket()
        client.send(b"nonsense")
        await client.next("error")
        await realm.http("POST", "/ipc", b"nonsense")
        text = (await realm.http("GET", "/metrics")).body.decode()
    lines = dict(
        line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("realmd_message_errors")
    )
    assert {name.split('"')[1]: float(value) for name, value in lines.items()} == {
        "malformed": 2, "busy": 0, "storage": 0, "internal": 0,
    }  # fmt: skip


def test_clients_cannot_fill_the_disk_with_lines() -> None:
    """Of a flood a few lines are written each minute, and then one that counts the rest."""
    clock = Clock()
    with capturedLogs() as events:
        losses = Losses("http", clock)
        for _ in range(5000):
            losses.timed_out("192.0.2.1")
        clock.advance(60)
        losses.timed_out("192.0.2.1")
    assert (losses.timeouts, len(events)) == (5001, 22)
    assert events[20]["log_format"] == "lines kept back n={n}"
    assert events[20]["n"] == 4980


def test_a_clock_put_back_does_not_silence_the_log() -> None:
    """After the clock was put back, lines are written again at once."""
    clock = Clock()
    clock.advance(10_000)
    sparing = Sparing(Logger(), clock, most=1)
    with capturedLogs() as events:
        sparing.info("a")
        clock.rightNow = 5.0
        sparing.info("b")
    assert [event["log_format"] for event in events] == ["a", "b"]
