"""The bulletin board of another site, passed on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.web.iweb import IAgent
from zope.interface import implementer

from realmd.gateway.feed import KEPT, KEPT_FAILURE, MOST_BYTES, PATIENCE, Feed
from tests.realm import reactor, realm_up

POSTS = [{"id": "1", "title": "News", "author": "x", "content": "…", "createdAt": 1}]


class Upstream(Protocol):
    """Answers whatever is asked with the factory's bytes, and closes."""

    def dataReceived(self, data: bytes) -> None:
        self.factory.asked += 1  # type: ignore[union-attr]
        self.transport.write(self.factory.text)  # type: ignore[union-attr]
        self.transport.loseConnection()  # type: ignore[union-attr]


def answer(body: bytes, status: str = "200 OK", size: int | None = None) -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if size is None else size}\r\n\r\n".encode() + body
    )


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        (answer(json.dumps({"posts": POSTS}).encode()), 200, None),
        (answer(json.dumps(POSTS).encode()), 200, None),
        (answer(b"[]", "503 Busy"), 502, "it answered 503"),
        (answer(b"[]", "302 Found"), 502, "it answered 302"),
        (answer(b"<html>"), 502, "it answered no JSON"),
        (answer(b'"\xff"'), 502, "it answered no JSON"),
        (answer(b"[" * 50_000), 502, "it answered no JSON"),
        (answer(b'{"posts": {}}'), 502, "it answered no list of posts"),
        (answer(b"7"), 502, "it answered no list of posts"),
        (answer(b"[]", size=99), 502, "its answer broke off"),
        (answer(b" " * (MOST_BYTES + 1)), 502, f"it answered more than {MOST_BYTES} bytes"),
        (b"no HTTP\r\n\r\n", 502, "ParseError"),
        (None, 502, "ECONNREFUSED"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_feed_of_the_upstream_or_a_502_that_says_why(
    text: bytes | None, status: int, said: str | None, tmp_path: Path
) -> None:
    """The board of another site is shown as our own would be; when it cannot be had, that is said."""
    factory: Any = Factory.forProtocol(Upstream)
    factory.noisy, factory.text, factory.asked = False, text, 0
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    number = port.getHost().port
    if text is None:
        await port.stopListening()
    async with realm_up(tmp_path, board={"upstream": f"http://127.0.0.1:{number}/feed"}) as realm:
        for _ in range(2):
            got = await realm.http("GET", "/api/moltbook/feed")
            assert got.status == status
            if said is None:
                assert got.json == {"ok": True, "posts": POSTS}
            else:
                assert got.json == {"ok": False, "error": f"Upstream feed unavailable: {said}"}
        assert factory.asked == (text is not None)  # the second was answered from what is kept
        assert [event["cause"] for event in realm.logged("feed unavailable")] == ([said] if said else [])
    if text is not None:
        await port.stopListening()


@implementer(IAgent)
class Silent:
    """An agent whose upstream never answers."""

    def __init__(self) -> None:
        self.asked: list[Deferred[Any]] = []
        self.given_up = 0

    def request(self, *args: Any) -> Deferred[Any]:
        def cancelled(_: object) -> None:
            self.given_up += 1

        self.asked.append(Deferred(cancelled))
        return self.asked[-1]


class Asking:
    """A request, as far as the feed knows it."""

    def __init__(self, feed: Feed) -> None:
        self.answers: list[tuple[Any, int]] = []
        feed.pages()[b"/api/moltbook/feed"](self)  # type: ignore[arg-type]

    def answer(self, fields: Any, status: int) -> None:
        self.answers.append((fields, status))


def test_an_upstream_that_is_silent_is_asked_once_and_waited_for_with_patience() -> None:
    """However many ask, one request is under way; after 5 s all are told, and it is left in peace a while."""
    clock, agent = Clock(), Silent()
    feed = Feed("http://upstream.example/", clock, agent)
    clock.advance(1.0)
    asking = [Asking(feed) for _ in range(3)]
    assert len(agent.asked) == 1
    clock.advance(PATIENCE)
    late = ({"ok": False, "error": "Upstream feed unavailable: ETIMEDOUT: no answer in time"}, 502)
    assert [one.answers for one in asking] == [[late]] * 3
    assert agent.given_up == 1
    assert Asking(feed).answers == [late]
    assert len(agent.asked) == 1
    clock.advance(KEPT_FAILURE)
    assert Asking(feed).answers == []
    assert len(agent.asked) == 2
    assert KEPT > KEPT_FAILURE


def test_without_an_upstream_there_is_no_feed() -> None:
    """The room's own board is shown then."""
    assert Feed("", Clock()).pages() == {}
