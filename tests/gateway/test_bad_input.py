"""HTTP that clients should not send, over real sockets: each gets its answer, and nobody else notices."""

from __future__ import annotations

import http.client
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from tests.framing import ipc, request
from tests.realm import drained, realm_up, turn, undisturbed

KIB = 1024
LIMIT = 64 * KIB


@pytest.mark.parametrize(
    ("command", "field"),
    [
        ("world-chat", "text"), ("register", "agentId"), ("agent-request", "payload"),
        ("room-events", "since"), ("open-preview", "agentId"),
    ],
)  # fmt: skip
@pytest_twisted.ensureDeferred
async def test_any_wrong_body_is_a_400_that_says_what_is_wrong(
    command: str, field: str, tmp_path: Path
) -> None:
    """Malformed, mistyped, deep and unencodable bodies are answered; fields nobody knows are ignored."""
    async with undisturbed(tmp_path) as realm:
        wire = await realm.wire()
        deep = b"[" * 30_000 + b"]" * 30_000
        start = (
            b'{"command":"%b","args":{"agentId":"a","toAgentId":"b","requestType":"task",' % command.encode()
        )
        start += b'"%b":' % field.encode()
        for body in [
            b"", b"{", b"null", b"[]", b'"x"', b"7", b"\xff\xfe{}", b"\x00", deep, b"{" * LIMIT,
            b'{"command":7}', b'{"command":"\xff"}', b'{"command":"%b' % (b"x" * 60_000),
            b'{"command":"%b","args":7}' % command.encode(),
            start, start + b'NaN}}', start + b"Infinity}}", start + b"1e999}}", start + b'"\\ud8"}}',
            start + b'"\xed\xa0\x80"}}', start + b'1,"unknown":%b}}' % deep, start + b"%b}}" % deep,
        ]:  # fmt: skip
            wire.write(request("POST", "/ipc", body, content_length=str(len(body))))
            answer = await wire.answer()
            assert answer.status == 400, (body[:80], answer)
            assert list(answer.json) == ["error"]
            assert answer.headers["access-control-allow-origin"] == "*"
        good = {
            "agentId": "bystander",
            "text": "x",
            "since": 0,
            "toAgentId": "bystander",
            "requestType": "task",
        }
        wire.write(request("POST", "/ipc", ipc(command, **good, unknown={"a": [1e300, None, "\u2028"]})))
        assert (await wire.answer()).json["ok"]


@pytest_twisted.ensureDeferred
async def test_numbers_of_any_size_are_stored_and_given_back(tmp_path: Path) -> None:
    """A payload that is taken comes out as it went in, whatever numbers and depth it has."""
    async with undisturbed(tmp_path) as realm:
        deep: Any = [10**30, -(2**64), 1e-300, "\U0001f600", None]
        for _ in range(60):
            deep = [deep]
        asked = await realm.ipc(
            "agent-request", agentId="bystander", toAgentId="bystander", requestType="info", payload=deep
        )
        assert asked["ok"]
        (message,) = (await realm.ipc("agent-inbox", agentId="bystander"))["messages"]
        assert message["payload"] == deep


@pytest.mark.parametrize("way", ["length", "chunked", "expect", "one chunk", "a length no computer counts"])
@pytest_twisted.ensureDeferred
async def test_a_body_over_the_limit_is_answered_while_it_is_still_coming(way: str, tmp_path: Path) -> None:
    """413 as soon as that is known; the rest is read and thrown away, so that the answer is not lost."""
    size, status = 8 * KIB * KIB, 413
    async with undisturbed(tmp_path) as realm:
        wire = await realm.wire()
        head = b"POST /ipc HTTP/1.1\r\nHost: x\r\n"
        if way == "length":
            wire.write(head + b"Content-Length: %d\r\n\r\n" % size)
        elif way == "expect":
            wire.write(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size)
        elif way == "a length no computer counts":
            wire.write(head + b"Content-Length: %b\r\n\r\n" % (b"9" * 5000))
            status = 400
        else:
            wire.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
        if way == "one chunk":
            wire.write(b"%x\r\n" % size)
        tracemalloc.start()
        for _ in range(size // LIMIT):
            wire.write(b"10000\r\n%b\r\n" % (b"x" * LIMIT) if way == "chunked" else b"x" * LIMIT)
            await drained(wire)
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert answer.headers["access-control-allow-origin"] == "*"
        if status == 413:
            assert answer.json == {"error": f"Request body too large (limit {LIMIT} bytes)"}
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * KIB * KIB
        wire.transport.loseConnection()  # type: ignore[union-attr]
        assert b"100 Continue" not in await wire.end()


@pytest_twisted.ensureDeferred
async def test_a_client_that_reads_only_when_it_has_sent_all_gets_its_413(tmp_path: Path) -> None:
    """Ordinary HTTP libraries see the answer, not a connection that was reset under them."""
    async with undisturbed(tmp_path) as realm:

        def post() -> tuple[int, bytes]:
            client = http.client.HTTPConnection("127.0.0.1", realm.port, timeout=20)
            client.request("POST", "/ipc", b"x" * 4 * KIB * KIB)
            answer = client.getresponse()
            try:
                return answer.status, answer.read()
            finally:
                client.close()

        status, body = await deferToThread(post)
        assert (status, body) == (413, b'{"error":"Request body too large (limit 65536 bytes)"}')


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"x" * 20_000,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)),
        b"GET /" + b"x" * 20_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500 + b"\r\n\r\n",
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_no_http_is_a_400(text: bytes, tmp_path: Path) -> None:
    """Whoever does not speak HTTP, or floods us with headers, is told so once and hung up on."""
    async with undisturbed(tmp_path) as realm:
        wire = await realm.wire()
        wire.write(text)
        answer = await wire.answer()
        assert answer.status == 400
        assert answer.json == {"error": "Malformed HTTP request"}
        assert await wire.end() == b""


@pytest.mark.parametrize(
    "ask",
    [
        b"",
        b"GET / HT",
        b"POST /ipc HTTP/1.1\r\nHost: x\r\nContent-Le",
        b"POST /ipc HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{",
        b"POST /ipc HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nab",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nPOST /ipc HTTP/1.1\r\nContent-Length: 60000\r\n\r\n{",
        b"POST /ipc HTTP/1.1\r\nHost: x\r\nContent-Length: 22\r\n\r\n" + b'{"command":"profiles"}GET / HT',
    ],
)
@pytest.mark.parametrize("trickling", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_request_that_does_not_end_is_not_waited_for(
    ask: bytes, trickling: bool, tmp_path: Path
) -> None:
    """Slow headers, slow bodies and silent connections are closed in time and logged, trickling or not."""
    async with undisturbed(tmp_path, server={"port": 0, "handshake_timeout_s": 0.3}) as realm:
        wire = await realm.wire()
        wire.write(ask)
        while wire.ended is None:
            if trickling:
                wire.write(b"x")  # as long as something comes, the connection is not idle
            await turn()
        assert len(realm.logged("connection timeout door=http")) == realm.factory.losses.timeouts == 1


@pytest_twisted.ensureDeferred
async def test_a_connection_kept_alive_is_closed_when_nothing_comes(tmp_path: Path) -> None:
    """Half-open connections do not pile up: after an answer one may be silent for a while, not for ever."""
    async with undisturbed(
        tmp_path, server={"port": 0, "idle_timeout_s": 0.2, "handshake_timeout_s": 5.0}
    ) as realm:
        wire = await realm.wire()
        wire.write(request("GET", "/health/live"))
        assert (await wire.answer()).status == 200
        assert await wire.end() == b""
        assert realm.factory.losses.timeouts == 0


@pytest_twisted.ensureDeferred
async def test_an_answer_that_nobody_takes_does_not_hold_its_connection(tmp_path: Path) -> None:
    """Who asks for much, with or without keep-alive, and does not read is hung up on in time."""
    server = {"port": 0, "idle_timeout_s": 0.3, "handshake_timeout_s": 5.0}
    async with undisturbed(tmp_path, server=server, world={"commands_per_second": 10_000}) as realm:
        talker = await realm.socket()
        for _ in range(200):
            talker.send({"type": "world-chat", "agentId": "bystander", "text": "é" * 500})
        await talker.ask("world-emote", agentId="bystander")
        for connection in ("close", "keep-alive"):
            wire = await realm.wire()
            while not realm.factory.channels:
                await turn()
            (channel,) = realm.factory.channels
            line: Any = wire.transport
            channel.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.pause()
            wire.write(request("POST", "/ipc", ipc("room-events", limit=200), connection=connection) * 3)
            while channel.transport.connected:
                channel.abortTimeout = 0.1
                await turn()
            wire.hang_up()


@pytest_twisted.ensureDeferred
async def test_the_connection_over_the_limit_is_told_so(tmp_path: Path) -> None:
    """A full house answers 503 with Retry-After and counts; when somebody goes, there is room again."""
    async with realm_up(tmp_path, server={"port": 0, "max_connections": 3}) as realm:
        held = [(await realm.socket()).wire for _ in range(3)]
        while realm.factory.open < 3:
            await turn()
        for _ in range(3):
            over = await realm.wire()
            answer = await over.answer()
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert (answer.json["error"], answer.json["code"]) == ("Too many connections", "busy")
            assert await over.end() == b""
        assert realm.factory.crowd.refused["total"] == 3
        lines = realm.logged("connection limit reached limit={limit}")
        assert [line["log_level"].name for line in lines] == ["warn"] * 3
        for number, wire in enumerate(held[:2]):
            wire.hang_up()
            while realm.factory.open > 2 - number:
                await turn()
        assert (await realm.http("GET", "/health/live")).status == 200
