"""Strangers who make others pay: huge profiles, endless lists, and plugins that are not theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest_twisted

from realmd.protocol.paging import LIST_BYTES
from realmd.world.model import PROFILE_BYTES
from tests.realm import Answer, Running, ipc, realm_up

DRAGON = "\U0001f409"
NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"


async def far(realm: Running, command: str, bearer: str = "", **args: Any) -> Answer:
    """Ask from another host."""
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    return await realm.http("POST", "/ipc", ipc(command, **args), x_forwarded_for="203.0.113.9", **headers)


@pytest_twisted.ensureDeferred
async def test_huge_profiles_make_no_huge_answers(tmp_path: Path) -> None:
    """Fifty strangers who fill their bodies make no answer, by any door, larger than a page may be."""
    roomy = {"address_registrations": 1000, "address_seats_percent": 100, "network_seats_percent": 100}
    async with realm_up(tmp_path, limits=roomy) as realm:
        skill = {"skillId": "s", "name": "S", "description": DRAGON * 600}
        for n in range(50):
            fields: dict[str, Any] = {"agentId": f"hoard-{n}", "bio": DRAGON * 1500}
            answer = await far(realm, "register", capabilities=[DRAGON * 70] * 40, **fields)
            assert answer.json["code"] == "profile_too_large"  # each field is cut, too much of all refused
            answer = await far(realm, "register", skills=[skill] * 3, **fields)
            assert answer.json["ok"]
            assert len(answer.body) <= PROFILE_BYTES + 1000
        for command in ("profiles", "room-skills", "clawhub-list", "moltbook-list", "room-events"):
            found = await far(realm, command)
            assert found.json["ok"]
            assert len(found.body) <= LIST_BYTES + 200, command
        for path in ("/api/events?limit=200&after=1", "/api/clawhub/skills?limit=1000000"):
            assert len((await realm.http("GET", path)).body) <= LIST_BYTES + 200
        seen: list[str] = []
        after = ""
        while after is not None:
            page = (await far(realm, "profiles", after=after)).json
            seen += [profile["agentId"] for profile in page["profiles"]]
            after = page.get("next")
        assert sorted(seen) == sorted(f"hoard-{n}" for n in range(50))
        viewer = await realm.socket()
        viewer.send({"type": "requestProfiles"})
        told = await viewer.next("profiles")
        assert 20 < len(told["profiles"]) < 50
        assert told["next"].startswith("+hoard-")


@pytest_twisted.ensureDeferred
async def test_nobody_takes_the_plugin_of_another(tmp_path: Path) -> None:
    """Neither under its id nor one that looks like it, as its author or its host; nor takes it out."""
    async with realm_up(tmp_path) as realm:
        tokens = {
            name: (await far(realm, "register", agentId=name)).json["token"] for name in ("ada", "mallory")
        }
        lamp = {"id": "lamp", "name": "Lamp", "version": "1"}
        published = await far(
            realm, "clawhub-publish", tokens["ada"], agentId="ada", author="Ada & Co", **lamp
        )
        assert (published.json["skill"]["author"], published.json["skill"]["credit"]) == ("ada", "Ada & Co")
        assert (await far(realm, "clawhub-install", tokens["ada"], agentId="ada", skillId="lamp")).json["ok"]
        worm = {"name": "Lamp", "version": "2", "author": "ada"}
        for id in ("lamp", "l\u0430mp", "LAMP", "lamp\u200b"):
            taken = await far(realm, "clawhub-publish", tokens["mallory"], agentId="mallory", id=id, **worm)
            assert taken.json["code"] == "plugin_taken", id
        posing = await far(realm, "clawhub-publish", tokens["mallory"], agentId="ada", id="lamp", **worm)
        assert (posing.status, posing.json["code"]) == (403, "not_yours")
        assert (await far(realm, "clawhub-publish", id="lamp", **worm)).status == 401
        out = {"agentId": "mallory", "skillId": "lamp"}
        assert (await far(realm, "clawhub-uninstall", tokens["mallory"], **out)).json[
            "code"
        ] == "not_installer"
        (listed,) = (await far(realm, "clawhub-list")).json["skills"]
        assert (listed["author"], listed["version"], listed["installed"]) == ("ada", "1", True)


@pytest_twisted.ensureDeferred
async def test_no_id_carries_a_secret_or_turns_a_line_round(tmp_path: Path) -> None:
    """Ids of skills and plugins are cleaned like any text, and an agentId may not look like a secret."""
    async with realm_up(tmp_path) as realm:
        watcher = await realm.socket()
        skills = [{"skillId": f"{NSEC}", "name": "S"}, {"skillId": "a\u202eb", "name": "S"}]
        answer = (await far(realm, "register", agentId="ann", skills=skills)).json
        assert [skill["skillId"] for skill in answer["profile"]["skills"]] == ["***", "ab"]
        published = await far(realm, "clawhub-publish", answer["token"], agentId="ann", id=NSEC, name="P")
        assert published.json["skill"]["id"] == "***"
        assert (await far(realm, "register", agentId=NSEC)).json["code"] == "secret_id"
        payload = {"pass\u200bword": "hunter22"}
        sent = await far(
            realm,
            "agent-request",
            answer["token"],
            agentId="ann",
            toAgentId="ann",
            requestType="info",
            payload=payload,
        )
        assert sent.json["masked"] is True
        inbox = await far(realm, "agent-inbox", answer["token"], agentId="ann")
        assert inbox.json["messages"][0]["payload"] == {"password": "***"}
        told = [(await watcher.event("catalogue")), (await far(realm, "room-events")).json]
        assert "nsec1" not in f"{told}"
