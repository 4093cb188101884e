"""The catalogue of another site, to browse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet.protocol import Factory, Protocol

from realmd.gateway.browse import MOST
from tests.framing import request
from tests.realm import reactor, realm_up

SKILLS = [{"slug": "tide", "displayName": "Tide tables"}]


class Upstream(Protocol):
    """Answers each request with the factory's JSON, unless it is to let them wait."""

    def connectionMade(self) -> None:
        self.factory.connections.append(self)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.factory.asked.append(data.split(b" ", 2)[1].decode())  # type: ignore[union-attr]
        if self.factory.fields is not None:  # type: ignore[union-attr]
            body = json.dumps(self.factory.fields).encode()  # type: ignore[union-attr]
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            self.transport.loseConnection()


def site(fields: Any) -> Any:
    factory: Any = Factory.forProtocol(Upstream)
    factory.noisy, factory.fields, factory.asked, factory.connections = False, fields, [], []
    factory.port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    factory.address = f"http://127.0.0.1:{factory.port.getHost().port}/api/v1"
    return factory


@pytest_twisted.ensureDeferred
async def test_what_is_looked_for_is_asked_of_the_other_site(tmp_path: Path) -> None:
    """By words or by order, as the old page asks; what strangers may send on is bounded and escaped."""
    upstream = site({"items": SKILLS})
    async with realm_up(tmp_path, plugins={"upstream": upstream.address, "dir": ""}) as realm:
        for query in (
            "",
            "?sort=stars&limit=20",
            "?q=tide%20%26%20sea&limit=900",
            "?limit=-1",
            "?limit=0&q=%FF",
        ):
            got = await realm.http("GET", f"/api/clawhub/browse{query}")
            assert (got.status, got.json) == (200, {"ok": True, "data": {"items": SKILLS}})
        await realm.http("GET", "/api/clawhub/browse?limit=20&sort=stars&x=1")  # is kept
        await realm.http("GET", f"/api/clawhub/browse?q={'x' * 900}")
        assert upstream.asked == [
            "/api/v1/skills?sort=trending&limit=50", "/api/v1/skills?sort=stars&limit=20",
            "/api/v1/search?q=tide+%26+sea&limit=50", "/api/v1/search?q=%EF%BF%BD&limit=1",
            f"/api/v1/search?q={'x' * 100}&limit=50",
        ]  # fmt: skip
    await upstream.port.stopListening()


@pytest_twisted.ensureDeferred
async def test_as_many_are_asked_at_once_as_may_be(tmp_path: Path) -> None:
    """Who asks one thing more while the other site is silent is told so; nothing piles up."""
    upstream = site(None)
    async with realm_up(tmp_path, plugins={"upstream": upstream.address, "dir": ""}) as realm:
        waiting = [await realm.wire() for _ in range(MOST)]
        for number, wire in enumerate(waiting):
            wire.write(request("GET", f"/api/clawhub/browse?q={number}", connection="close"))
        while len(upstream.asked) < MOST:
            await realm.http("GET", "/health/live")
        got = await realm.http("GET", "/api/clawhub/browse?q=more")
        assert (got.status, got.json["ok"], got.json["code"]) == (503, False, "busy")
        for connection in upstream.connections:
            connection.transport.loseConnection()
        for wire in waiting:
            assert (await wire.answer()).status == 502
    await upstream.port.stopListening()
