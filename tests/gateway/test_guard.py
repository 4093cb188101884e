"""What the one way in does for all doors: newcomers, offences, and who is a guest no more."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted

from realmd.gateway import crowd
from tests.framing import ipc
from tests.realm import Running, Socket, realm_up, undisturbed

from .test_limits import STRANGER, realm_behind, socket_from


async def offences(realm: Running, kind: str) -> float:
    text = (await realm.http("GET", "/metrics")).body.decode()
    return float(text.split(f'realmd_offences_total{{kind="{kind}"}} ')[1].split("\n")[0])


async def refused_player(realm: Running) -> Socket:
    human = await realm.socket()
    human.send({"type": "playerJoin", "name": "Nora"})
    told = await human.next("error", "playerJoined")
    assert told.get("code") == "room_full", told
    return human


@pytest_twisted.ensureDeferred
async def test_who_was_refused_as_a_player_gives_way_as_any_spectator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A human turned away from a full room speaks for nobody: he does not keep an agent's place for ever."""
    monkeypatch.setattr(crowd, "GRACE", 0.0)
    async with undisturbed(
        tmp_path, room={"max_agents": 1}, server={"port": 0, "max_connections": 20},
        limits={"spectators_percent": 5},
    ) as realm:  # fmt: skip
        humans = [await refused_player(realm) for _ in range(2)]
        assert await humans[1].closed() == (1013, "the place is needed for an agent")
        assert await realm.metric("realmd_spectators") == 1
        humans[0].send({"type": "playerJoin", "name": "Nora"})  # he may ask again
        assert (await humans[0].next("error"))["code"] == "room_full"


@pytest_twisted.ensureDeferred
async def test_speaking_for_another_is_noted_at_every_door(tmp_path: Path) -> None:
    """Who tries to be somebody else is counted and logged, acknowledged or not, over HTTP or WebSocket."""
    async with realm_behind(tmp_path) as realm:
        stranger = await socket_from(realm, STRANGER)
        ack = await stranger.ask("world-chat", agentId="bystander", text="I am he")
        assert ack["code"] == "token_required"
        assert await offences(realm, "identity") == 1
        stranger.send({"type": "world-chat", "agentId": "bystander", "text": "I am he"})
        assert (await stranger.next("error"))["code"] == "token_required"
        assert await offences(realm, "identity") == 2
        answer = await realm.http(
            "POST", "/ipc", ipc("world-chat", agentId="bystander", text="x"), x_forwarded_for=STRANGER
        )
        assert answer.status == 401
        assert await offences(realm, "identity") == 3
        doors = [(event["door"], event["peer"]) for event in realm.logged("offence kind")]
        assert doors == [("websocket", STRANGER), ("websocket", STRANGER), ("http", STRANGER)]


@pytest_twisted.ensureDeferred
async def test_what_an_agent_sends_without_an_id_is_told_only_if_refused(tmp_path: Path) -> None:
    """An agent may stream its positions: no answer to each, but the one that is out of bounds is told."""
    async with realm_up(tmp_path) as realm:
        ann = await realm.socket()
        assert (await ann.ask("register", agentId="ann"))["ok"]
        for x in (1, 1000, 2):
            ann.send({"type": "world-move", "agentId": "ann", "x": x, "z": 0})
        assert (await ann.next("error", "ack"))["code"] == "out_of_bounds"
        ann.send({"type": "world-move", "id": 9, "agentId": "ann", "x": 3, "z": 0})
        assert (await ann.next("error", "ack"))["ok"]
