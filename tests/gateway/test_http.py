"""The HTTP door over real sockets: what the examples in tests/wire/ cannot show."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest_twisted

import realmd
from tests.framing import ipc, request, upgrade
from tests.realm import realm_up


@pytest_twisted.ensureDeferred
async def test_a_connection_serves_one_request_after_another(tmp_path: Path) -> None:
    """Pipelined requests are answered in their order, those that wait for a tick included."""
    async with realm_up(tmp_path) as realm:
        wire = await realm.wire()
        wire.write(
            request("POST", "/ipc", ipc("register", agentId="ada"))
            + request("GET", "/health/live")
            + request("POST", "/ipc", ipc("world-chat", agentId="ada", text="first"))
            + request("HEAD", "/api/room")
            + request("GET", "/api/events")
            + request("GET", "/nowhere", connection="close")
        )
        assert (await wire.answer()).json["profile"]["agentId"] == "ada"
        assert (await wire.answer()).json == {"status": "alive"}
        assert (await wire.answer()).json == {"ok": True, "seq": 2}
        head = await wire.answer(head=True)
        assert head.status == 200
        assert int(head.headers["content-length"]) > 50
        assert [event["worldType"] for event in (await wire.answer()).json["events"]] == ["join", "chat"]
        assert (await wire.answer()).status == 404
        assert await wire.end() == b""


@pytest_twisted.ensureDeferred
async def test_any_host_and_any_http_version_is_served(tmp_path: Path) -> None:
    """Proxies and old clients get answers whatever Host they name, and before HTTP/1.1 without one."""
    async with realm_up(tmp_path) as realm:
        assert (await realm.http("GET", "/health/live", host="evil.example:99")).status == 200
        for ask in (
            b"GET /health/live HTTP/1.0\r\n\r\n",
            b"GET /health/live HTTP/1.1\r\nHost: realm\r\nConnection: close\r\n\r\n",
            b"GET http://realm:1/health/live HTTP/1.1\r\nHost: else\r\nConnection: close\r\n\r\n",
        ):
            wire = await realm.wire()
            wire.write(ask)
            assert (await wire.answer()).json == {"status": "alive"}
            assert await wire.end() == b""


@pytest_twisted.ensureDeferred
async def test_only_the_pages_named_may_read_answers(tmp_path: Path) -> None:
    """With origins configured, a page of another site is told nothing; refusals of the door included."""
    ours, theirs = "https://ours.example", "https://theirs.example"
    async with realm_up(tmp_path, server={"cors_origins": (ours,), "body_bytes": 1024}) as realm:
        for method, path, body in [
            ("GET", "/api/room", b""), ("OPTIONS", "/ipc", b""),
            ("POST", "/ipc", b"x" * 2000), ("GET", "/x", b""),
        ]:  # fmt: skip
            allowed = (await realm.http(method, path, body, origin=ours)).headers
            assert (allowed["access-control-allow-origin"], allowed["vary"]) == (ours, "Origin")
            for other in (theirs, "null", ""):
                denied = (await realm.http(method, path, body, origin=other)).headers
                assert "access-control-allow-origin" not in denied
                assert denied["vary"] == "Origin"
        for origin, status in ((ours, 101), ("http://localhost", 101), (theirs, 403), ("null", 403)):
            wire = await realm.wire()
            wire.write(upgrade(origin=origin))
            assert (await wire.answer()).status == status
        await realm.socket()  # what is no browser names no origin
        page = (await realm.http("GET", "/", origin=ours)).headers
        assert page["vary"] == "Accept-Encoding, Origin"  # for caches: it comes packed, too


@pytest_twisted.ensureDeferred
async def test_no_more_than_200_events_at_once(tmp_path: Path) -> None:
    """However many are asked for, an answer stays of a bounded size; `after` reads on."""
    async with realm_up(tmp_path, world={"commands_per_second": 1000}) as realm:
        socket = await realm.socket()
        await socket.ask("register", agentId="ada")
        for number in range(209):
            socket.send({"type": "world-chat", "agentId": "ada", "text": str(number)})
        await socket.ask("world-chat", agentId="ada", text="last")
        answer = await realm.ipc("room-events", limit=5000)
        assert [event["seq"] for event in answer["events"]] == list(range(12, 212))
        answer = await realm.ipc("room-events", after=205, limit=5000)
        assert [event["seq"] for event in answer["events"]] == list(range(206, 212))
        for odd in (0, -7):
            assert len((await realm.ipc("room-events", limit=odd))["events"]) == 1
        for since in (1e300, -1e300, 2**63):
            assert (await realm.ipc("room-events", since=since, limit=1))["ok"]


@pytest_twisted.ensureDeferred
async def test_the_catalogue_holds_what_the_plugin_folders_hold(tmp_path: Path) -> None:
    """Plugins on this machine are listed with their skills, and both can be installed, by the ids of old."""
    skill = tmp_path / "plugins" / "lantern" / "plugin" / "skills" / "glow"
    skill.mkdir(parents=True)
    manifest = {"name": "Lantern", "version": "0.3.0", "description": "Light", "skills": ["skills/glow"]}
    (skill.parents[1] / "openclaw.plugin.json").write_text(json.dumps(manifest))
    (skill / "SKILL.md").write_text("---\nname: Glow\ndescription: Glows.\n---\n# Glow\n")
    async with realm_up(tmp_path, plugins={"dir": str(tmp_path / "plugins")}) as realm:
        while not (listed := (await realm.ipc("clawhub-list"))["skills"]):
            pass  # the folders are read in a thread
        glow = {"id": "glow", "name": "Glow", "description": "Glows."}
        lantern = {
            "id": "lantern",
            "name": "Lantern",
            "version": "0.3.0",
            "description": "Light",
            "skills": [glow],
            "tags": ["plugin"],
        }
        known = {"author": "openclaw", "source": "local", "pluginName": "Lantern"}
        old = {**glow, "id": "Lantern/Glow", "version": "0.3.0", "tags": ["skill", "Lantern"]}
        assert [plugin.pop("publishedAt") > 1_600_000_000_000 for plugin in listed] == [True, True]
        assert listed == [{**one, **known, "installed": False} for one in (old, lantern)]
        while not (answer := await realm.ipc("clawhub-install", skillId="lantern"))["ok"]:
            pass  # the world hears of them with the next tick
        assert answer["installed"]["version"] == "0.3.0"
        assert (await realm.ipc("clawhub-install", skillId="Lantern/Glow"))["ok"]
        listed = (await realm.ipc("clawhub-list"))["skills"]
        assert [(one["id"], one["installed"]) for one in listed] == [
            ("Lantern/Glow", True),
            ("lantern", True),
        ]


@pytest_twisted.ensureDeferred
async def test_the_page_is_served_and_checked_for_changes(tmp_path: Path) -> None:
    """A browser gets the page at /, whoever it follows, and fetches it again only when it changed."""
    async with realm_up(tmp_path) as realm:
        page = await realm.http("GET", "/?agent=ada")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        again = await realm.http("GET", "/", if_none_match=page.headers["etag"])
        assert (again.status, again.body) == (304, b"")


@pytest_twisted.ensureDeferred
async def test_a_client_that_hangs_up_before_its_answer_harms_nobody(tmp_path: Path) -> None:
    """A command sent is done though nobody waits for the answer; nothing is logged as an error."""
    async with realm_up(tmp_path) as realm:
        watcher = await realm.socket()
        await watcher.next("snapshot")
        wire = await realm.wire()
        wire.write(request("POST", "/ipc", ipc("register", agentId="ada")))
        wire.transport.loseConnection()  # type: ignore[union-attr]
        assert (await watcher.event("join"))["agentId"] == "ada"
        assert [event for event in realm.log if "log_failure" in event] == []


@pytest_twisted.ensureDeferred
async def test_long_answers_come_whole(tmp_path: Path) -> None:
    """Files and lists come in pieces, in their order among others, packed or not."""
    path = "/vendor/three.core.min.js"
    body = (Path(realmd.__file__).parent / "web" / path[1:]).read_bytes()
    async with realm_up(tmp_path) as realm:
        wire = await realm.wire()
        wire.write(
            request("GET", path) + request("GET", path, accept_encoding="gzip") + request("HEAD", path)
            + request("GET", "/health/live")
        )  # fmt: skip
        plain, packed = await wire.answer(), await wire.answer()
        assert (len(plain.body), plain.body == gzip.decompress(packed.body)) == (len(body), True)
        assert int((await wire.answer(head=True)).headers["content-length"]) == len(body)
        assert (await wire.answer()).json == {"status": "alive"}
        assert realm.factory.door.guard.budget.in_flight() == 0


@pytest_twisted.ensureDeferred
async def test_an_answer_longer_than_an_outbox_is_refused(tmp_path: Path) -> None:
    """No client is sent more at once than may wait for it; it is told so, over HTTP and WebSocket."""
    skills = [{"skillId": f"s{n}", "name": "s", "description": "d" * 490} for n in range(4)]
    async with realm_up(tmp_path, server={"outbox_bytes": 65_536}) as realm:
        for n in range(40):
            answer = await realm.http("POST", "/ipc", ipc("register", agentId=f"agent-{n}", skills=skills))
            assert answer.json["ok"], answer
        answer = await realm.http("POST", "/ipc", ipc("profiles"))
        assert (answer.status, answer.json["code"]) == (503, "answer_too_long")
        socket = await realm.socket()
        socket.send({"type": "requestProfiles"})
        assert (await socket.next("error"))["code"] == "answer_too_long"
        socket.send({"type": "profiles", "id": 7})
        ack = await socket.next("ack")
        assert (ack["id"], ack["ok"], ack["code"]) == (7, False, "answer_too_long")


@pytest_twisted.ensureDeferred
async def test_who_reads_nothing_is_hung_up_on_for_who_does(tmp_path: Path) -> None:
    """When memory for clients is used up, those who do not take their answers go; nobody else notices."""
    async with realm_up(tmp_path, limits={"in_flight_bytes": 1_000_000}) as realm:
        hoarders = [await realm.wire() for _ in range(20)]
        for hoarder in hoarders:
            hoarder.pause()
            for _ in range(8):
                hoarder.write(request("GET", "/vendor/three.core.min.js"))
        budget = realm.factory.door.guard.budget
        for _ in range(1000):
            assert (await realm.http("GET", "/health/live")).status == 200
            assert budget.in_flight() <= 1_000_000
            if budget.evicted["reader"]:
                break
        assert budget.evicted["reader"] > 0
        assert budget.evicted["agent"] == 0
