"""Lists by the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from realmd.primitives.errors import Fault
from realmd.protocol import views
from realmd.protocol.encode import encode
from realmd.protocol.paging import LIST_BYTES, MOST, fitting, page
from realmd.world import commands as c
from realmd.world import queries
from realmd.world.engine import World
from realmd.world.model import Plugin, Profile, Skill
from tests.world.worlds import T0, done, peopled

Read = Callable[[Any], dict[str, Any]]


def crowded() -> World:
    """Two who are here, many who are not, and as much on the board and in the catalogue as there may be."""
    world = peopled("m", "z", commands_per_second=10_000)
    for n in range(700):
        skills = (Skill(f"s{n % 7}", "S", "\U0001f409" * 200),)
        known = Profile(f"a{n:03}", f"N{n}", "", "b" * 900, (), "#112233", T0, T0, skills=skills)
        world.tables.put("profiles", known.agent_id, known)
        world.tables.put("plugins", f"p{n:03}", Plugin(f"p{n:03}", "P", "d" * 500, "", "1", (), T0))
        done(world, c.MoltbookPost(agent_id="m", title=f"{n}", content="\U0001f409" * 2000))
        if n < 500:
            done(world, c.ClawhubInstall(skill_id=f"p{n:03}"))
    return world


def walked(read: Read, query: Struct, name: str) -> list[Any]:
    """All entries of a list, page after page, each of them within its bounds."""
    found: list[Any] = []
    while True:
        answer = read(query)
        text = encode(answer)
        assert len(text) <= LIST_BYTES + 200
        entries = json.loads(text)[name]
        assert 0 < len(entries) <= MOST
        found += list(entries.items()) if isinstance(entries, dict) else entries
        if "next" not in answer:
            return found
        query = replace(query, after=answer["next"])


def test_every_list_is_read_whole_by_the_page() -> None:
    """Page after page, nothing is missed and nothing comes twice, and no answer is larger than it may be."""
    world = crowded()
    absent = [f"a{n:03}" for n in range(700)]
    for limit in (1e9, 200.0, 7.0, -1.0):
        profiles = walked(lambda q: views.profiles(world, q), queries.Profiles(limit=limit), "profiles")
        assert [profile["agentId"] for profile in profiles] == ["m", "z", *absent]
        posts = walked(lambda q: views.posts(world, q), queries.MoltbookList(limit=limit), "posts")
        assert [post["title"] for post in posts] == [f"{n}" for n in range(699, 199, -1)]
        plugins = walked(lambda q: views.plugins(world, [], q), queries.ClawhubList(limit=limit), "skills")
        assert [plugin["id"] for plugin in plugins] == [f"p{n:03}" for n in range(700)]
        query = queries.ClawhubInstalled(limit=limit)
        installed = walked(lambda q: views.installed(world, q), query, "installed")
        assert [one["skillId"] for one in installed] == [f"p{n:03}" for n in range(500)]
    named = walked(lambda q: views.skills(world, q), queries.RoomSkills(), "directory")
    assert sorted(entry["agentId"] for _, entries in named for entry in entries) == absent
    present = json.loads(encode(views.profiles(world, queries.Profiles(present=True))))
    assert [profile["agentId"] for profile in present["profiles"]] == ["m", "z"]


def test_a_page_has_at_least_one_entry_and_as_many_as_have_room() -> None:
    """However large, an entry is told; what has no room begins the next page."""
    huge = "x" * (LIST_BYTES // 2 - 10)
    assert len(page("list", [("a", huge), ("b", huge), ("c", "a" * 20)], 9)["list"]) == 2
    assert page("list", [("a", huge * 3), ("b", "")], 9)["next"] == "a"
    bodies = [b"1" * 100_000, b"2" * 100_000, b"3" * 100_000]
    assert fitting(bodies) == bodies[:2]
    assert fitting(bodies, newest=True) == bodies[1:]


@pytest.mark.parametrize("after", ["x", "p", "17", "p-1", "p\u0661", "pp1", "p1p", "+a"])
def test_a_cursor_of_another_list_is_a_fault(after: str) -> None:
    """What is no cursor gets a sentence, not a page from somewhere."""
    world = peopled("ann")
    if after != "+a":
        with pytest.raises(Fault, match="no cursor"):
            views.profiles(world, queries.Profiles(after=after))
    with pytest.raises(Fault, match="no cursor"):
        views.posts(world, queries.MoltbookList(after=after))
