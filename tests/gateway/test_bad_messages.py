"""WebSocket messages that clients should not send: each gets its answer, and nobody else notices."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
import pytest_twisted

from realmd.gateway.frames import PASSED_OVER
from tests.framing import BINARY, CLOSE, DEFLATED, MORE, PING, PONG, TEXT, frame, upgrade
from tests.realm import Socket, drained, narrow, realm_up, turn, undisturbed

KIB = 1024
LIMIT = 64 * KIB
#: What this file sends is malformed, not a flood: test_limits.py sends those.
UNLIMITED = {"connection_rate": 1_000_000.0}


async def answered(socket: Socket) -> None:
    """The connection lives."""
    socket.send({"type": "requestProfiles"})
    await socket.next("profiles")


@pytest.mark.parametrize("size", [100, LIMIT, PASSED_OVER * LIMIT])
@pytest_twisted.ensureDeferred
async def test_a_message_over_the_limit_is_an_error_and_the_connection_lives(
    size: int, tmp_path: Path
) -> None:
    """Up to four times the limit, into however many frames it is cut, nothing of it is kept."""
    async with undisturbed(tmp_path, limits=UNLIMITED) as realm:
        socket = await realm.socket()
        await socket.next("snapshot")
        (ours,) = [c for c in realm.gateway.connections if not c.agents]
        payload = b'{"type": "world-chat", "text": "' + b"x" * (PASSED_OVER * LIMIT - 34) + b'"}'
        assert len(payload) == PASSED_OVER * LIMIT
        for at in range(0, len(payload), size):
            socket.frame(MORE if at else TEXT, payload[at : at + size], fin=at + size >= len(payload))
            if at == 2 * LIMIT // size * size:
                socket.frame(PING, b"still there?")
                got = [await socket.receive()]
                while got[-1] != (PONG, b"still there?"):
                    got.append(await socket.receive())
                assert sum(map(len, [*(ours.message_data or []), *(ours.frame_data or [])])) <= LIMIT
        errors = [json.loads(payload) for opcode, payload in got if opcode == TEXT]
        if not errors:
            errors = [await socket.next("error")]
        assert errors == [{"type": "error", "message": f"Message too large (limit {LIMIT} bytes)"}]
        await answered(socket)


@pytest.mark.parametrize(
    "head",
    [
        "81 FF 40 00 00 00 00 00 00 00",  # the whole of it claims 2^62 bytes
        "82 FF 00 00 00 02 00 00 00 00",
        "C1 FF 00 00 00 00 00 04 00 01",  # one byte too many, deflated
        "01 FE FF FF",  # a frame that may be, and one that makes it too much
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_frame_far_over_the_limit_is_refused_by_its_header(head: str, tmp_path: Path) -> None:
    """It is closed with 1009 before any of it has come, owes nothing, and is hung up on in time."""
    brief = {"port": 0, "handshake_timeout_s": 0.3}
    async with undisturbed(tmp_path, server=brief, limits={"connection_rate": 100.0}) as realm:
        wire = await realm.wire()
        wire.write(upgrade(sec_websocket_extensions="permessage-deflate"))
        assert (await wire.answer()).status == 101
        socket = Socket(wire)
        await socket.next("snapshot")
        (ours,) = [c for c in realm.gateway.connections if not c.agents]
        wire.write(bytes.fromhex(head) + bytes(4))
        if head == "01 FE FF FF":
            wire.write(bytes(0xFFFF) + bytes.fromhex("80 FF 00 00 00 00 00 03 00 02") + bytes(4))
        code, reason = await socket.closed()
        assert (code, reason) == (1009, f"Message too large (limit {LIMIT} bytes)")
        assert ours.throttle.admit(ours.client, "websocket", 50.0) is None
        for _ in range(100):
            wire.write(bytes(LIMIT))
        await wire.end()
        assert realm.gateway.messages == 1  # the bystander's


@pytest_twisted.ensureDeferred
async def test_who_goes_on_after_goodbye_is_not_read_for_long(tmp_path: Path) -> None:
    """After a violation only a goodbye is waited for: no flood of frames is worked off meanwhile."""
    async with undisturbed(tmp_path, limits=UNLIMITED) as realm:
        socket = await realm.socket()
        await socket.next("snapshot")
        (ours,) = [c for c in realm.gateway.connections if not c.agents]
        socket.frame(TEXT, b"{}", mask=False)
        socket.frame(TEXT, b"", fin=False)
        socket.wire.write(frame(MORE, b"", fin=False) * 100_000)
        while not (ours._ended or socket.wire.ended):
            await turn()
        assert ours._ended
        assert (await socket.closed())[0] == 1002


@pytest_twisted.ensureDeferred
async def test_a_message_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    """64 KiB are 64 KiB, whole or in pieces, with control frames between them and empty ones among them."""
    async with undisturbed(tmp_path) as realm:
        socket = await realm.socket()
        message = b'{"type": "requestRoomInfo", "pad": "%b"}'
        message = message % (b"x" * (LIMIT - len(message) + 2))
        assert len(message) == LIMIT
        await socket.next("snapshot")
        socket.send(message)
        assert (await socket.next("roomInfo", "error"))["type"] == "roomInfo"
        socket.send(message + b" ")
        assert (await socket.next("roomInfo", "error"))["type"] == "error"
        for at in range(0, LIMIT, 1000):
            socket.frame(MORE if at else TEXT, message[at : at + 1000], fin=False)
            socket.frame(MORE, b"", fin=False)
            socket.frame(PING, b"%d" % at)
        socket.frame(MORE, b"", fin=True)
        pongs = []
        while (frame := await socket.receive())[0] == PONG:
            pongs.append(int(frame[1]))
        assert pongs == list(range(0, LIMIT, 1000))
        assert json.loads(frame[1])["type"] == "roomInfo"


@pytest_twisted.ensureDeferred
async def test_empty_fragments_without_end_take_no_memory(tmp_path: Path) -> None:
    """A message can be begun and never ended; what is kept of it is what it holds."""
    async with undisturbed(tmp_path, limits=UNLIMITED) as realm:
        socket = await realm.socket()
        await socket.next("snapshot")
        (ours,) = [c for c in realm.gateway.connections if not c.agents]
        socket.frame(TEXT, b"{", fin=False)
        for _ in range(5000):
            socket.frame(MORE, b"", fin=False)
        socket.frame(PING)
        await socket.receive()
        assert len(ours.message_data) <= 1
        socket.frame(MORE, b'"type": "requestProfiles"}')
        await socket.next("profiles")


@pytest_twisted.ensureDeferred
async def test_a_deflated_message_is_bounded_by_what_it_inflates_to(tmp_path: Path) -> None:
    """A small frame that holds a large message is an error, too, and neither inflated nor fatal."""
    async with undisturbed(tmp_path) as realm:
        wire = await realm.wire()
        wire.write(upgrade(sec_websocket_extensions="permessage-deflate; client_max_window_bits"))
        shaken = await wire.answer()
        agreed = shaken.headers["sec-websocket-extensions"]
        assert "client_no_context_takeover" in agreed
        assert "server_no_context_takeover" in agreed
        socket = Socket(wire)

        def deflate(text: bytes) -> bytes:
            packer = zlib.compressobj(9, wbits=-15)
            return (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]

        bomb = deflate(b'{"type": "%b"}' % (b"x" * 50_000_000))
        assert len(bomb) < LIMIT
        tracemalloc.start()
        for _ in range(3):
            socket.frame(TEXT | DEFLATED, bomb)
            assert (await socket.next("error"))["message"] == f"Message too large (limit {LIMIT} bytes)"
            half = len(bomb) // 2
            socket.frame(TEXT | DEFLATED, bomb[:half], fin=False)
            socket.frame(MORE, bomb[half:])
            assert (await socket.next("error"))["message"] == f"Message too large (limit {LIMIT} bytes)"
            socket.frame(TEXT | DEFLATED, deflate(b'{"type": "requestProfiles"}'))
            await socket.next("profiles")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * KIB * KIB
        socket.frame(TEXT | DEFLATED, b"\xff\xff\xff\xff not deflated")
        assert (await socket.closed())[0] == 1007


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(TEXT, b"\xff")], 1007),
        ([(TEXT, b'{"type": "\xed\xa0\x80"}')], 1007),
        ([(TEXT, b"caf\xc3")], 1007),
        ([(3, b"reserved")], 1002),
        ([(MORE, b"nothing to go on with")], 1002),
        ([(TEXT | DEFLATED, b"not agreed on")], 1002),
        ([(PING, b"x" * 126)], 1002),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_breaks_the_protocol_ends_the_connection_with_its_code(
    frames: list[tuple[int, bytes]], code: int, tmp_path: Path
) -> None:
    """Invalid UTF-8 is 1007, a wrong frame 1002 (RFC 6455, section 7.4.1); only that client is concerned."""
    async with undisturbed(tmp_path, server={"port": 0, "handshake_timeout_s": 1.0}) as realm:
        socket = await realm.socket()
        socket.send({"type": "register", "id": 1, "agentId": "ada"})  # its ack comes with a tick: too late
        for opcode, payload in frames:
            socket.frame(opcode, payload)
        assert (await socket.closed())[0] == code
        while (await realm.ipc("room-info"))["agents"] < 2:
            pass
        socket.frame(CLOSE, struct.pack("!H", code))
        assert await socket.wire.end() == b""  # and nothing came between the two closes
        unmasked = await realm.socket()
        unmasked.frame(TEXT, b"{}", mask=False)
        assert (await unmasked.closed())[0] == 1002
        while realm.factory.open > 1:  # it does not answer: hung up on in time
            await turn()


@pytest_twisted.ensureDeferred
async def test_wrong_messages_are_answered_one_by_one(tmp_path: Path) -> None:
    """Text or binary, whatever is in a message, there is an answer, in order, and the connection lives."""
    async with undisturbed(tmp_path) as realm:
        socket = await realm.socket()
        await socket.next("snapshot")
        deep = b"[" * 30_000 + b"]" * 30_000
        wrong = [
            (BINARY, b"\xff\xfe\x00"), (BINARY, b'{"type": "follow", "agentId": "\xff"}'),
            (TEXT, b""), (TEXT, b"null"), (TEXT, deep),
            (TEXT, b'{"type": "viewport", "x": NaN}'), (TEXT, b'{"type": "viewport", "x": 1e999, "z": 0}'),
            (TEXT, b'{"type": "follow", "agentId": "\\ud8"}'), (TEXT, b'{"type": "x", "id": 1e999}'),
            (TEXT, b'{"type": ["subscribe"]}'), (TEXT, b'{"type": "follow", "agentId": %b}' % deep),
        ]  # fmt: skip
        for opcode, payload in wrong:
            socket.frame(opcode, payload)
        for _ in wrong:
            assert (await socket.next())["type"] == "error"
        for mark in (2**70, "x" * 64, True):
            socket.send({"type": "no-such", "id": mark})
            assert await socket.next() == {
                "type": "ack",
                "id": mark,
                "ok": False,
                "error": "Unknown command: no-such",
            }
        await answered(socket)


@pytest_twisted.ensureDeferred
async def test_who_pings_and_does_not_read_fills_nothing_but_its_own_line(tmp_path: Path) -> None:
    """Pongs for a client that reads nothing are not kept for it."""
    async with undisturbed(tmp_path, limits=UNLIMITED) as realm:
        socket = await realm.socket()
        await socket.next("snapshot")
        (ours,) = [c for c in realm.gateway.connections if not c.agents]
        narrow(realm, socket)
        socket.wire.pause()
        sent = 0
        while not ours.outbox.behind:
            for _ in range(1000):
                socket.frame(PING, b"x" * 125)
            await drained(socket.wire)
            sent += 1000
            assert sent < 500_000
        for _ in range(2000):
            socket.frame(PING, b"x" * 125)
        await drained(socket.wire)
        await turn()
        assert ours.transport._tempDataLen + len(ours.transport.dataBuffer) < 2 * LIMIT


@pytest_twisted.ensureDeferred
async def test_a_flood_of_commands_is_refused_beyond_the_agents_share(tmp_path: Path) -> None:
    """20 a second each; more are rate_limited, all are answered, and the other agents have their share."""
    async with undisturbed(tmp_path) as realm:
        socket = await realm.socket()
        await socket.ask("register", agentId="flooder")
        for number in range(500):
            socket.send({"type": "world-emote", "id": number, "agentId": "flooder"})
        acks = [await socket.next("ack") for _ in range(500)]
        refused = [ack for ack in acks if not ack["ok"]]
        assert {ack["error"] for ack in refused} == {"rate_limited"}
        assert len(refused) > 400
        assert {ack["id"] for ack in acks} == set(range(500))


@pytest_twisted.ensureDeferred
async def test_more_commands_than_a_tick_can_hold_are_refused_as_busy(tmp_path: Path) -> None:
    """The queue into the world is bounded; who comes too late is told at once, and who left is gone."""
    world = {"tick_ms": 1000, "intake_limit": 50, "commands_per_second": 10_000}
    async with realm_up(tmp_path, world=world) as realm:
        watcher = await realm.socket()
        await watcher.next("snapshot")
        human = await realm.socket()
        human.send({"type": "playerJoin", "name": "Nora"})
        player = (await human.next("playerJoined"))["agentId"]
        socket = await realm.socket()
        await socket.ask("register", agentId="ada")
        for number in range(200):
            socket.send({"type": "world-emote", "id": number, "agentId": "ada"})
        busy: list[str] = []
        while len(busy) < 100:
            ack = await socket.next("ack")
            if not ack["ok"]:
                busy.append(ack["error"])
        human.wire.hang_up()
        while realm.factory.open > 2:
            await turn()
        assert len(realm.factory.door._realm.intake) > 50  # full, but for what cannot wait
        assert set(busy) == {"busy"}
        assert (await watcher.event("leave"))["agentId"] == player
        assert await realm.metric("realmd_intake_refused_total") >= 100
