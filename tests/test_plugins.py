"""The plugin folders: what is listed, what is refused, and that neither hurts the others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from realmd.runtime.plugins import MAX_ENTRIES, MAX_FILE, MAX_PLUGINS, MAX_SKILLS, entries, read

GOOD = {"name": "Good", "version": "1.2.3", "description": "Does good."}
LISTED = {
    "id": "good", **GOOD, "skills": [], "author": "openclaw", "tags": ["plugin"], "source": "local",
    "pluginName": "Good",
}  # fmt: skip


def undated(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was found, without when each manifest was last written."""
    return [{key: value for key, value in plugin.items() if key != "publishedAt"} for plugin in found]


def put(path: Path, content: Any) -> Path:
    """Write a file: text, bytes, or anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = (
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    path.write_bytes(data)
    return path


def test_manifests_in_both_places(tmp_path: Path) -> None:
    """A manifest lies in the plugin's folder or in `plugin/` below it; the first of both counts."""
    put(tmp_path / "b" / "openclaw.plugin.json", {"name": "B"})
    put(tmp_path / "a" / "plugin" / "openclaw.plugin.json", GOOD)
    put(tmp_path / "c" / "openclaw.plugin.json", {})
    put(tmp_path / "c" / "plugin" / "openclaw.plugin.json", GOOD)
    (tmp_path / "empty").mkdir()
    put(tmp_path / "openclaw.plugin.json", GOOD)
    found, wrong = read(tmp_path)
    assert [(p["id"], p["name"], p["version"]) for p in found] == [
        ("a", "Good", "1.2.3"),
        ("b", "B", "0.0.0"),
        ("c", "c", "0.0.0"),
    ]
    assert wrong == []


def test_skills(tmp_path: Path) -> None:
    """A skill is described by its skill.json, else by the front matter of its SKILL.md, else not listed."""
    home = tmp_path / "p" / "plugin"
    put(home / "openclaw.plugin.json", {"skills": ["json", "../md", "both", "plain", "nothing", "missing"]})
    put(home / "json" / "skill.json", {"name": "J", "description": "by json", "more": 1})
    put(tmp_path / "p" / "md" / "SKILL.md", '---\nname: "M"\ndescription: by md: really\n---\nname: no\n')
    put(home / "both" / "skill.json", {"name": "Both"})
    put(home / "both" / "SKILL.md", "---\nname: Other\n---\n")
    put(home / "plain" / "SKILL.md", "# Plain\nname: no\n")
    (home / "nothing").mkdir()
    (plugin,), wrong = read(tmp_path)
    assert plugin["skills"] == [
        {"id": "json", "name": "J", "description": "by json"},
        {"id": "md", "name": "M", "description": "by md: really"},
        {"id": "both", "name": "Both", "description": ""},
        {"id": "plain", "name": "plain", "description": ""},
    ]
    assert wrong == []


def test_a_skill_is_an_entry_of_its_own(tmp_path: Path) -> None:
    """Under its plugin's name and its own, as ever; one beyond the bound is told with its plugin only."""
    put(tmp_path / "p" / "openclaw.plugin.json", {"name": "sea", "version": "1", "skills": ["a", "b"]})
    put(tmp_path / "p" / "a" / "skill.json", {"name": "swim", "description": "Swims.", "version": "7"})
    put(tmp_path / "p" / "b" / "SKILL.md", "---\nname: dive\n---\n")
    found = {entry["id"]: entry for entry in entries(read(tmp_path)[0])}
    assert [(key, one["version"], one["tags"], one["pluginName"]) for key, one in found.items()] == [
        ("p", "1", ["plugin"], "sea"),
        ("sea/swim", "7", ["skill", "sea"], "sea"), ("sea/dive", "1", ["skill", "sea"], "sea"),
    ]  # fmt: skip
    assert (found["sea/swim"]["description"], found["sea/swim"]["author"]) == ("Swims.", "openclaw")
    skills = [{"id": "s", "name": f"s{n}", "description": ""} for n in range(MAX_ENTRIES)]
    assert len(entries([{**found["p"], "skills": skills}])) == MAX_ENTRIES


BROKEN: dict[str, Any] = {
    "no json": "{",
    "a list": "[]",
    "wrong type": {"name": 5},
    "not utf-8": b'{"name": "\xff"}',
    "lone surrogate": '{"name": "\\ud800"}',
    "deep": '{"x": ' + "[" * 60_000,
    "too large": " " * (MAX_FILE + 1),
    "skills no list": {"skills": "all"},
    "skill elsewhere": {"skills": ["../other"]},
    "skill at the root": {"skills": ["/"]},
    "no path": {"skills": ["a\0b"]},
    "long path": {"skills": ["x" * 5000]},
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_manifest(tmp_path: Path, content: Any) -> None:
    """It is reported in one sentence that names the file, and the plugins beside it are listed."""
    broken = put(tmp_path / "broken" / "openclaw.plugin.json", content)
    put(tmp_path / "good" / "openclaw.plugin.json", GOOD)
    put(tmp_path / "other" / "skill.json", {"name": "Secret"})
    found, (sentence,) = read(tmp_path)
    assert undated(found) == [LISTED]
    assert sentence.startswith(f"{broken}: ")


@pytest.mark.parametrize("name", ["skill.json", "SKILL.md"])
@pytest.mark.parametrize("content", [b"\xff", " " * (MAX_FILE + 1)], ids=["not utf-8", "too large"])
def test_a_broken_skill(tmp_path: Path, name: str, content: Any) -> None:
    """Its plugin is reported and not listed; the others are."""
    put(tmp_path / "broken" / "openclaw.plugin.json", {"skills": ["s"]})
    put(tmp_path / "broken" / "s" / name, content)
    put(tmp_path / "good" / "openclaw.plugin.json", GOOD)
    found, wrong = read(tmp_path)
    assert (undated(found), len(wrong)) == ([LISTED], 1)


def test_a_folder_whose_name_nobody_could_be_told(tmp_path: Path) -> None:
    """A name that is not UTF-8 is reported, and neither the list nor the report carries it to a client."""
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")) / "openclaw.plugin.json").write_text("{}")
    put(tmp_path / "good" / "openclaw.plugin.json", GOOD)
    found, wrong = read(tmp_path)
    assert undated(found) == [LISTED]
    msgspec.json.encode([found, wrong])


def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    """A skill that is a link to another folder is refused."""
    put(tmp_path / "plugins" / "p" / "openclaw.plugin.json", {"skills": ["s"]})
    put(tmp_path / "secret" / "skill.json", {"name": "Secret"})
    (tmp_path / "plugins" / "p" / "s").symlink_to(tmp_path / "secret")
    found, wrong = read(tmp_path / "plugins")
    assert (found, len(wrong)) == ([], 1)


def test_sizes_are_bounded(tmp_path: Path) -> None:
    """However much lies there: so many plugins and skills, and texts as long as a published one's."""
    long = "x" * 5000
    put(
        tmp_path / ("n" * 200) / "openclaw.plugin.json",
        {
            "name": long,
            "version": long,
            "description": long,
            "skills": [f"s{n}" for n in range(MAX_SKILLS + 5)],
        },
    )
    for number in range(MAX_SKILLS + 5):
        put(tmp_path / ("n" * 200) / f"s{number}" / "skill.json", {"name": long, "description": long})
    (plugin,), _ = read(tmp_path)
    assert [len(plugin[key]) for key in ("id", "name", "version", "description", "skills")] == [
        64,
        100,
        32,
        500,
        MAX_SKILLS,
    ]
    assert {(len(skill["name"]), len(skill["description"])) for skill in plugin["skills"]} == {(100, 500)}
    for number in range(MAX_PLUGINS):
        put(tmp_path / f"p{number}" / "openclaw.plugin.json", {})
    found, _ = read(tmp_path)
    assert len(found) == MAX_PLUGINS


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_no_folder(tmp_path: Path, kind: str) -> None:
    """Without a plugin folder there are no plugins, and nothing to complain of."""
    if kind == "a file":
        put(tmp_path / "plugins", "")
    assert read(tmp_path / "plugins") == ([], [])
