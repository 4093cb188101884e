"""A medium that fails under the running realm: honest refusals, and recovery without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from .audit import read
from .client import Http, WebSocket
from .conftest import Start
from .daemon import BRISK, Daemon, poll
from .disk import filled, locked, no_growth, read_only, small_disk

#: Commands that need the store, once agents me and you are there.
DURABLE: Final[list[tuple[str, dict[str, Any]]]] = [
    ("world-chat", {"text": "unheard"}),
    ("world-emote", {"emote": "happy"}),
    ("moltbook-post", {"title": "unheard", "content": "unheard"}),
    ("agent-message", {"toAgentId": "you", "content": "unheard"}),
    ("agent-request", {"toAgentId": "you", "requestType": "info", "payload": "unheard"}),
    ("register", {"bio": "unheard"}),
    ("world-leave", {}),
    ("clawhub-publish", {"id": "unheard", "name": "unheard"}),
]


class Watch(WebSocket):
    """A viewer that remembers what was shown to it."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon.port)
        self.shown: list[dict[str, Any]] = []

    def until(self, **fields: Any) -> dict[str, Any]:
        """Read on to the world event with these fields, and return it."""
        while True:
            message = self.receive()
            if message["type"] == "world":
                event: dict[str, Any] = message["message"]
                self.shown.append(event)
                if fields.items() <= event.items():
                    return event


@pytest.fixture(params=["limit", "full", "nearly full"])
def medium(request: pytest.FixtureRequest, tmp_path: Path, mountable: bool) -> Iterator[tuple[Path, Any]]:
    """A place for the state, and what makes it full (the daemon's own limit where nothing can be mounted)."""
    state = tmp_path / "state"
    if request.param != "limit" and mountable:
        with small_disk(state):
            yield state, lambda daemon: filled(state, 8192 if request.param == "nearly full" else 0)
    else:
        yield state, no_growth


def say_until_refused(daemon: Daemon) -> dict[str, Any]:
    """What is said first may still find room in files that are there."""
    answer: dict[str, Any] = {}

    def refused() -> bool:
        answer.update(code=None)
        answer.update(daemon.say("me", "still heard"))
        return not answer["ok"]

    poll(refused, "a refusal")
    return answer


def healthy(daemon: Daemon) -> bool:
    return daemon.health()[0] == 200


def check_numbers(daemon: Daemon, shown: list[dict[str, Any]]) -> None:
    """Nothing that was refused took place or was shown; no number is missing or was given twice."""
    events = read(daemon.database).events
    assert [*events] == [*range(1, len(events) + 1)]
    assert [event for event in events.values() if "unheard" in str(event)] == []
    told = [event for event in shown if "seq" in event]
    assert [event["seq"] for event in told] == sorted({event["seq"] for event in told})
    assert [event for event in told if events[event["seq"]] != event] == []


def test_a_full_disk_is_said_survived_and_left_behind(start: Start, medium: tuple[Path, Any]) -> None:
    """Without space what needs the store is refused and unseen, all else goes on; with space all is well."""
    state, fill = medium
    daemon = start("--log-level=debug", state=state, settings=BRISK)
    for agent_id in ("me", "you"):
        assert daemon.ask("register", agentId=agent_id)["ok"]
    with Watch(daemon) as watch, daemon.http() as http:
        with fill(daemon):
            assert say_until_refused(daemon)["code"] == "storage_unavailable"
            check_what_goes_on(http, watch)
            poll(lambda: len(daemon.log.find("storage still unavailable")) > 1, "two probes")
        poll(lambda: healthy(daemon), "health 200 without a restart")
        last = max(read(daemon.database).events)
        assert daemon.say("me", "back again")["seq"] > last
        watch.until(worldType="chat", text="back again")
    check_numbers(daemon, watch.shown)
    assert len(daemon.log.find(r"storage unavailable cause=.*realm\.sqlite")) == 1
    assert len(daemon.log.find("storage available again")) == 1
    assert daemon.stop() == 0
    assert start(state=state).ask("profile", agentId="me")["position"]["z"] == 7


def check_what_goes_on(http: Http, watch: Watch) -> None:
    """Whatever needs no store works, whatever needs it is refused."""
    status, health = http.get("/health")
    assert (status, health["status"]) == (503, "failed")
    assert health["checks"]["storage"]["reason"]
    for command, args in DURABLE:
        assert http.ask(command, agentId="me", **args)["code"] == "storage_unavailable", command
    assert http.ask("register", agentId="late")["code"] == "storage_unavailable"
    assert http.ask("world-move", agentId="me", x=1, z=7) == {"ok": True}
    watch.until(worldType="position", agentId="me", z=7)
    assert http.ask("profile", agentId="me")["position"]["z"] == 7
    assert http.ask("room-events", limit=1)["ok"]
    assert http.get("/health/live")[0] == 200


def test_a_disk_that_turns_read_only(start: Start, tmp_path: Path, mountable: bool) -> None:
    """A file system remounted read-only after an error refuses, and serves again once it is writable."""
    daemon = start("--log-level=debug", settings=BRISK)
    assert daemon.ask("register", agentId="me")["ok"]
    with ExitStack() as failing:
        with ExitStack() as first:
            first.enter_context(no_growth(daemon))
            assert say_until_refused(daemon)["code"] == "storage_unavailable"
            if mountable:
                failing.enter_context(read_only(daemon.state))
        # The connection that failed is gone; the next one finds the disk read-only.
        if mountable:
            daemon.log.wait(r"storage still unavailable cause=\S+ is read-only")
            assert daemon.say("me", "unheard")["code"] == "storage_unavailable"
            assert not healthy(daemon)
    poll(lambda: healthy(daemon), "health 200 without a restart")
    assert daemon.say("me", "back again")["ok"]
    check_numbers(daemon, [])


@pytest.mark.parametrize(("answer", "kept"), [({"ok": True}, 1), ({"code": "storage_unavailable"}, 0)])
def test_a_store_that_hangs_stalls_nobody(start: Start, answer: dict[str, Any], kept: int) -> None:
    """While another program holds the database ticks go on; whoever waits is told what came of it."""
    daemon = start(settings=BRISK | {"REALMD_STORAGE_COMMIT_TIMEOUT_S": "0.3"})
    assert daemon.ask("register", agentId="me")["ok"]
    with Watch(daemon) as watch, daemon.websocket() as patient:
        with locked(daemon.database):
            patient.send(type="world-chat", id="pending", agentId="me", text="patient")
            poll(lambda: not healthy(daemon), "health 503")
            assert daemon.say("me", "unheard")["code"] == "storage_unavailable"
            assert daemon.ask("world-move", agentId="me", x=2, z=8) == {"ok": True}
            watch.until(worldType="position", agentId="me", z=8)
            if not kept:
                daemon.log.wait("commit failed cause=.*locked")
        assert answer.items() <= patient.ack("pending").items()
        poll(lambda: healthy(daemon), "health 200")
        assert daemon.say("me", "back again")["ok"]
        watch.until(worldType="chat", text="back again")
    check_numbers(daemon, watch.shown)
    said = [event.get("text") for event in read(daemon.database).events.values()]
    assert said.count("patient") == kept
    assert len(daemon.log.find("storage unavailable")) == 1
    assert len(daemon.log.find("storage available again")) == 1
