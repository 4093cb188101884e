"""The watch as it runs in a realm: from what goes wrong to /health, the log and the operator."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from msgspec.structs import replace
from twisted.logger import formatEvent

from realmd.gateway import feed
from realmd.nostr import assembly
from realmd.ops import alerts, post, sentry
from tests.ops.receiver import receiver
from tests.realm import realm_up, turn


@pytest_twisted.ensureDeferred
async def test_a_failed_backup_reaches_the_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/health is degraded and says why, one line is logged, the webhook is told, and all of it ends."""
    monkeypatch.setattr(alerts, "EVERY", 0.05)
    monkeypatch.setattr(alerts, "KEEP", 0.2)
    folder = tmp_path / "var/backups"
    folder.mkdir(parents=True)
    status = folder / "backup-status.json"
    status.write_text('{"backups":{"full":{"time":1,"ok":false,"error":"disk full"}}}')
    async with receiver() as service:
        told = {"webhook": f"{service.url}/hook", "min_interval_s": 0.1}
        async with realm_up(tmp_path, alerts=told, room={"name": "Forge"}) as realm:
            await service.take(1)
            report = (await realm.http("GET", "/health")).json
            assert report["status"] == "degraded"
            assert report["checks"]["backup"]["reason"] == "full backup: disk full"
            assert report["checks"]["alerts"]["figures"] == {"raised": {"backup_failed:warning": "0"}}
            assert [event["name"] for event in realm.logged("alert raised")] == ["backup_failed"]
            text = (await realm.http("GET", "/metrics")).body.decode()
            assert 'realmd_alert_raised{alert="backup_failed:warning"} 1.0' in text
            status.write_text('{"backups":{"full":{"time":2,"ok":true}}}  ')
            await service.take(2)
            assert [event["name"] for event in realm.logged("alert cleared")] == ["backup_failed"]
            assert (await realm.http("GET", "/health")).json["status"] == "ok"
            while await realm.metric("realmd_alert_notices_total") < 2:
                await turn()
    first, last = (json.loads(body) for _, _, body in service.taken)
    assert first["text"].startswith("[Forge] warning: the last backup")
    assert (first["alerts"][0]["state"], last["alerts"][0]["state"]) == ("raised", "cleared")


@pytest_twisted.ensureDeferred
async def test_backups_that_the_realm_may_not_see_are_told(tmp_path: Path) -> None:
    """A folder that cannot be looked into is no folder without backups: /health says so."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var/backups").touch()  # as little of a folder as one that is root's
    async with realm_up(tmp_path) as realm:
        report = (await realm.http("GET", "/health")).json
        assert report["checks"]["backup"]["status"] == "degraded"
        assert "Not a directory" in report["checks"]["backup"]["reason"]


@pytest_twisted.ensureDeferred
async def test_a_webhook_that_is_away_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure is logged by its name and counted; the realm goes on, and stops as ever."""
    monkeypatch.setattr(alerts, "EVERY", 0.05)
    folder = tmp_path / "var/backups"
    folder.mkdir(parents=True)
    (folder / "backup-status.json").write_text('{"backups":{"full":{"time":1,"ok":false}}}')
    async with realm_up(tmp_path, alerts={"webhook": "http://127.0.0.1:1/", "min_interval_s": 0.1}) as realm:
        while not realm.logged("alert not sent"):
            await turn()
        assert realm.logged("alert not sent")[0]["cause"] == "ECONNREFUSED"
        assert await realm.metric("realmd_alert_failures_total") >= 1
        assert (await realm.ipc("register", agentId="ann"))["ok"]


@contextmanager
def deaf() -> Iterator[str]:
    """The address of a program that takes no connection any more: the kernel lets drop who tries."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_reached_in_time_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ETIMEDOUT` is in the line of the webhook, of the relay and of the feed that take no connection."""
    monkeypatch.setattr(alerts, "EVERY", 0.05)
    monkeypatch.setattr(post, "PATIENCE", 0.1)
    monkeypatch.setattr(feed, "PATIENCE", 0.1)
    monkeypatch.setattr(assembly, "BOUNDS", replace(assembly.BOUNDS, connecting=0.1))
    folder = tmp_path / "var/backups"
    folder.mkdir(parents=True)
    (folder / "backup-status.json").write_text('{"backups":{"full":{"time":1,"ok":false}}}')
    with deaf() as place:
        given: dict[str, Any] = {
            "alerts": {"webhook": f"http://{place}/", "min_interval_s": 0.1},
            "room": {"relays": [f"ws://{place}"]},
            "board": {"upstream": f"http://{place}/"},
            "nostr": {"enabled": True},
        }
        async with realm_up(tmp_path, **given) as realm:
            assert (await realm.http("GET", "/api/moltbook/feed")).status == 502
            for words in (
                "alert not sent sink=webhook",
                "relay connection failed",
                "feed unavailable what=board",
            ):
                while not (lines := [str(formatEvent(e)) for e in realm.log if words in formatEvent(e)]):
                    await turn()
                assert "cause=ETIMEDOUT" in lines[0]


@pytest_twisted.ensureDeferred
async def test_sentry_hears_of_a_realm_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a DSN set, what fails in the realm is sent there."""
    monkeypatch.setattr(sentry, "EVERY", 0.05)
    async with receiver() as service:
        dsn = service.url.replace("http://", "http://key@") + "/7"
        async with realm_up(tmp_path, alerts={"sentry_dsn": dsn}) as realm:
            monkeypatch.setattr(realm.gateway.realm, "serve", None)
            await realm.http("GET", "/api/room")
            await service.take(1)
            realm.log.clear()  # the failure was ours
    assert service.taken[0][0] == "/api/7/envelope/"
    assert b"request failed path=/api/room" in service.taken[0][2]
