"""Taking over what the old system kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from realmd.world.atlas import parse

from ..process.audit import read
from .conftest import Home

PROFILES = [
    {
        "agentId": "realm", "name": "The Realm", "pubkey": " " + "AB" * 32, "bio": "b" * 1100,
        "color": "#112233",
        "capabilities": ["chat", 7], "skills": [{"skillId": "s", "name": "S"}, {"wrong": 1}],
        "joinedAt": 1_700_000_000_000, "lastSeen": 1_700_000_500_000,
    },
    {"agentId": "bare", "pubkey": "no key"},
    {"agentId": "shalom", "name": "An impostor"},
    {"name": "nobody"},
    "no object",
]  # fmt: skip
POSTS = {
    "posts": [
        {
            "id": "b",
            "title": "Second",
            "author": "realm",
            "content": "two, and my key nsec1" + "q" * 58,
            "createdAt": 1_700_000_002_000,
        },
        {"id": "a", "author": "bare", "content": "one", "createdAt": "2023-11-14T22:13:21Z"},
        {"id": "c", "title": "empty"},
    ]
}
INSTALLED = {"weather": {"version": "1.2.0", "installedAt": 1_700_000_000_000}, "": {"version": "1"}}
STATIONS = [
    {"id": "k8s-deployer", "name": "There already"},
    {"id": "tea-table", "name": "Tea Table", "zone": "general", "x": 5, "z": 30, "skill": "tea"},
    {"id": "in-a-wall", "name": "W", "zone": "warrens", "x": -20, "z": -20, "skill": "k"},
    {"id": "no-skill", "x": 1, "z": 2},
]
ENV = 'ROOM_NAME="Old Realm"\nWORLD_PORT=18900\nNOSTR_KEY=nsec1secret\nWORLD_MAX_AGENTS=40\n'


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The old system's folder."""
    folder = tmp_path / "old"
    folder.mkdir()
    files: dict[str, Any] = {
        "profiles.json": PROFILES,
        "moltbook.json": POSTS,
        "clawhub-installed.json": INSTALLED,
        "workstations.json": STATIONS,
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    (folder / ".env").write_text(ENV)
    return folder


def test_all_of_it_is_taken_over(home: Home, old: Path, start: Callable[..., Any]) -> None:
    """Agents, notes, plugins, stations and settings of the old system are there when the realm starts."""
    said = home.done("import", "--config", home.configuration, old)
    for line in (
        "imported agent realm", "imported agent bare", "imported note 'Second' by realm",
        "imported plugin weather 1.2.0", 'imported room.name = "Old Realm"', "imported workstation tea-table",
        "skipped  agent shalom: this name is the realm's own", "skipped  profiles.json: entry 4",
        "skipped  profiles.json: entry 5: is no object", "skipped  moltbook.json: entry 3: has no content",
        "skipped  workstation in-a-wall: workstation in-a-wall at (-20, -20) stands inside building moltbook",
        "skipped  workstation no-skill", "skipped  NOSTR_KEY: means nothing",
    ):  # fmt: skip
        assert line in said, said
    assert "nsec1" not in said
    assert "tea-table" in parse((home.folder / "world.toml").read_text()).workstations
    daemon = start("--config", str(home.configuration), state=home.state)
    assert daemon.ask("room-info")["name"] == "Old Realm"
    profile = daemon.ask("profile", agentId="realm")["profile"]
    assert (profile["joinedAt"], len(profile["bio"]), profile["capabilities"]) == (
        1_700_000_000_000,
        1000,
        ["chat"],
    )
    assert profile["pubkey"] == "ab" * 32
    assert daemon.ask("profile", agentId="bare")["profile"]["pubkey"] == ""
    assert [post["content"] for post in daemon.ask("moltbook-list")["posts"]] == [
        "two, and my key ***",
        "one",
    ]
    assert "tea-table" in [s["id"] for s in daemon.ask("workstations")["workstations"]]
    assert daemon.stop() == 0
    assert "backup verified" in home.done("backup", "verify", home.backup())


def test_twice_is_once(home: Home, old: Path) -> None:
    """Importing again changes nothing, and a dry run changes nothing at all."""
    dry = home.done("import", "--dry-run", "--config", home.configuration, old)
    assert "would import agent realm" in dry
    assert "\nimported" not in dry
    assert not home.database.exists()
    assert home.configuration.read_text() == ""
    home.done("import", "--config", home.configuration, old)
    before, text = read(home.database), home.configuration.read_text()
    said = home.done("import", "--config", home.configuration, old)
    assert "imported" not in said
    assert read(home.database) == before
    assert home.configuration.read_text() == text


def test_what_the_realm_knows_better_stays(home: Home, old: Path, start: Callable[..., Any]) -> None:
    """Profiles heard of since, and settings written in realmd.toml, are not overwritten."""
    daemon = start(state=home.state)
    assert daemon.ask("register", agentId="realm", name="New Name")["ok"]
    assert daemon.stop() == 0
    home.configuration.write_text('[room]\nname = "Mine"\n')
    said = home.done("import", "--config", home.configuration, old)
    assert "skipped  agent realm: the realm has heard of it since" in said
    assert 'says "Mine" already' in said
    assert read(home.database).tables["profiles"]["realm"]["name"] == "New Name"
    assert home.configuration.read_text().splitlines()[:2] == ["[room]", "max_agents = 40"]


def test_a_file_that_is_no_json_changes_nothing(home: Home, old: Path) -> None:
    """One unreadable file stops the import before anything is written."""
    (old / "moltbook.json").write_text('{"posts": [')
    assert "is not JSON" in home.refused("import", old)
    assert not home.database.exists()


def test_settings_that_are_wrong_change_nothing(home: Home, old: Path) -> None:
    """A .env with a bad value stops the import before the agents are in the realm."""
    (old / ".env").write_text("WORLD_PORT=70000\n")
    assert "port" in home.refused("import", "--config", home.configuration, old)
    assert not home.database.exists()
    assert home.configuration.read_text() == ""


def test_a_file_with_nothing_new_is_told(home: Home) -> None:
    """An empty .env is not passed over in silence."""
    empty = home.folder / ".env"
    empty.touch()
    assert f"{empty}: nothing new is in it" in home.done("import", "--config", home.configuration, empty)
