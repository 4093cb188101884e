"""Reading HTTP answers off a kept connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.bench.keepalive import Site, outcome, parse_answer

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: a\r\ncontent-length: %d\r\n\r\n%b"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_an_answer_is_whole_or_not_there_yet(body: bytes, next_one: bytes) -> None:
    """However the network cuts it, an answer is read once complete, and nothing after it is touched."""
    stream = PLAIN % (len(body), body)
    assert all(parse_answer(stream[:end]) is None for end in range(len(stream)))
    answer = parse_answer(stream + next_one)
    assert answer == (200, body, True, len(stream))


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.booleans(), st.binary(max_size=20))
def test_chunks_are_put_together(chunks: list[bytes], trailer: bool, next_one: bytes) -> None:
    """Servers that do not know the length beforehand are read as well, trailers and all."""
    stream = CHUNKED + b"".join(b"%x;k=v\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n"
    stream += b"Checksum: 1\r\n\r\n" if trailer else b"\r\n"
    assert all(parse_answer(stream[:end]) is None for end in range(len(stream)))
    assert parse_answer(stream + next_one) == (200, b"".join(chunks), True, len(stream))


@pytest.mark.parametrize("stream", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"])
def test_what_is_no_http_answer_is_an_error(stream: bytes) -> None:
    """Something else on the port, or an answer without an end, is not waited for."""
    with pytest.raises(ValueError, match=r"HTTP|length"):
        parse_answer(stream)


def test_a_connection_that_closes_is_not_used_again() -> None:
    """Connection: close and HTTP/1.0 end the connection with the answer."""
    for head in (b"HTTP/1.1 200 OK\r\nConnection: close", b"HTTP/1.0 200 OK"):
        answer = parse_answer(head + b"\r\nContent-Length: 0\r\n\r\n")
        assert answer is not None
        assert not answer.stays


def test_answers_that_are_no_json_are_refusals() -> None:
    """A proxy's error page becomes its status, a lost connection its reason."""
    assert outcome(502, b"<html>")["error"] == "HTTP 502"
    assert outcome(0, b"closed")["error"] == "closed"
    assert outcome(200, b'{"ok":true}') == {"ok": True}


def test_addresses_are_taken_as_people_write_them() -> None:
    """Without a scheme, behind a path, over TLS: the WebSocket is beside /ipc."""
    assert Site("localhost:18800").websocket == "ws://localhost:18800/ws"
    assert Site("https://realm.example/a/").websocket == "wss://realm.example:443/a/ws"
    assert Site("http://[::1]:80").netloc == "[::1]:80"
    with pytest.raises(ValueError, match="not an address"):
        Site("ftp://realm.example")
