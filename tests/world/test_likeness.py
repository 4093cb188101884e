"""Nobody goes by a name that people take for another's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.world import commands as c
from realmd.world.caller import Caller
from realmd.world.engine import World
from realmd.world.text.likeness import Likeness, skeletons
from realmd.world.text.visible import has_ink, on_one_line
from tests.world.worlds import T0, again, done, empty, join, peopled, refusal

#: Cyrillic, Greek, fullwidth and mathematical letters, by their code points.
CYRILLIC = "\u0405\u04bb\u0430l\u043em"
ALIKE = [
    ("Shalom", "SHALOM"), ("Shalom", CYRILLIC),
    ("Trade", "\u0422R\u0410D\u0415"), ("trade", "\u0442r\u0430de"),
    ("Shalom", "\uff33\uff48\uff41\uff4c\uff4f\uff4d"), ("Shalom", "\U0001d4e2halom"),
    ("Shalom", "Sh\u00e1lom"),
    ("Alice", "AIice"), ("Ida", "lda"), ("shalom", "sha1om"), ("shalom", "shalorn"), ("bot", "b0t"),
    ("Sha lom", "  Sha \u00a0lom "), ("Shalom", "Sha\u200blom\u200d"), ("Kim", "\u039aim"),
    ("a-b", "a\u2010b"),
    ("STRASSE", "Stra\u00dfe"), ("\u2600", "\u2600\ufe0f"), ("will", "vvill"),
    ("Shalom", "Shal\u05e1m"), ("Shalom", "Sha\u0627om"), ("b0t-1", "b\u0647t-\u0661"),
]  # fmt: skip
APART = [
    ("kai", "kal"), ("bot-1", "bot-2"), ("agent-11", "agent-12"), ("DAILY", "DALLY"), ("Anna", "Ana"),
    ("\u041c\u0430\u0440\u0438\u044f", "\u041c\u0430\u0440\u0438\u043d\u0430"), ("人", "入"), ("ab", "a b"),
    ("\u0930\u093e\u092e", "\u0930\u0940\u092e"), ("\u05d3\u05df", "\u05d3\u05d5\u05df"), ("👍", "👎"),
    ("\u0639\u0645\u0631", "\u0639\u0645\u0627\u0631"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "other"), ALIKE)
def test_look_alikes_share_a_skeleton(name: str, other: str) -> None:
    """Case, look-alike letters of other scripts, accents, and what is not seen make no other name."""
    assert skeletons(name) & skeletons(other)


@pytest.mark.parametrize(("name", "other"), APART)
def test_names_that_can_be_told_apart_do_not(name: str, other: str) -> None:
    """Ordinary names that differ, in any script, are nobody's look-alikes."""
    assert not skeletons(name) & skeletons(other)


NAMES = st.sampled_from(["Ann", "ann", "\u0410nn", "Bob", "b0b", "Cyr"])
STEPS = st.lists(st.tuples(st.sampled_from("xyz"), st.none() | NAMES), max_size=30)


@given(STEPS)
def test_the_index_says_what_a_search_through_all_names_would(steps: list[tuple[str, str | None]]) -> None:
    """However names are taken and given up, a look-alike is found exactly if there is one."""
    index, names = Likeness(), dict[str, str]()
    for owner, name in steps:
        if name is None:
            index.drop(owner)
            names.pop(owner, None)
        else:
            index.put(owner, name)
            names[owner] = name
    for name in ("ann", "BOB", "Cyr", "Dee"):
        found = index.like(name, but="x")
        alike = {o for o, n in names.items() if o != "x" and skeletons(n) & skeletons(name)}
        assert found in alike if alike else found is None
    assert len(index) == len(names)


def named(world: World, agent_id: str, name: str, now: int = T0) -> str:
    join(world, agent_id, now, name=name)
    return world.tables.profiles[agent_id].name


def test_an_id_that_looks_like_another_is_refused() -> None:
    """Who registers first has the id and all its look-alikes, present or not; itself it may always use."""
    world = peopled("ann", "bob-1")
    done(world, c.WorldLeave(agent_id="ann"))
    for agent_id in (
        "Ann",
        "\u0430nn",
        "ann ",
        "ann\u200b",
        "b0b-1",
        "bob-l",
        "D\u0430ily",
        "shal0m",
        "x\u202ey",
    ):
        assert refusal(world, c.Register(agent_id=agent_id)) == "look_alike"
    assert {*world.tables.profiles} == {"ann", "bob-1"}
    world = again(world, T0)
    assert refusal(world, c.Register(agent_id="ANN")) == "look_alike"
    join(world, "ann", name="Ann")
    join(world, "bob-2")


def test_the_names_of_inhabitants_are_theirs() -> None:
    """Neither an agent nor a human of the page is called like an inhabitant, nor has it by default."""
    world = empty()
    for name in ("Shalom", CYRILLIC, "DAILY", "tr\u0430de", "Dep1oy"):
        assert refusal(world, c.Register(agent_id="ann", name=name)) == "look_alike"
        assert refusal(world, c.PlayerJoin(agent_id="human-1", name=name)) == "look_alike"
    assert world.tables.profiles == {}
    assert named(world, "ann", "Shalom's friend") == "Shalom's friend"
    assert refusal(world, c.Register(agent_id="ann", name="shalom")) == "look_alike"
    assert world.tables.profiles["ann"].name == "Shalom's friend"


POSING = [
    "Shalom\u2800", "\u2800Shalom", "Sha\u2800lom", "Shalom\ufffc", "Shalom\ufb37", "Shalom\u0591",
    "shalom.", "Shalom ✔", "★ Shalom ★", "S.h.a.l.o.m", "Sha_lom", "Sha|om", "Shalom (NPC)",
    "Shalom【official】", "(the real) Shalom", "Shalom | bot", "Shalom - bot", "\u24c8halom", "ꜱʜᴀʟᴏᴍ",
    "\U0001f182\U0001f177\U0001f170\U0001f17b\U0001f17e\U0001f17c",
    "operator", "Operator ✔", "The Operator", "0perator", "[operator] Ann", "Ann (operator)",
    "\u043eper\u0430tor", "SYSTEM", "[system]", "System:", "\u0455ystem", "sys tem", "Admin", "«admin»",
    "@admin", "\u0430dmin", "Administrator",
    "human-7", "Human-00ff", "hurnan-1", "Ann (human-7)", "\u04bbuman\u20101",
]  # fmt: skip
NOT_POSING = [
    "Shalom's friend", "Daily News", "Trade Bot", "Deployment", "Ann", "operators", "Ecosystem",
    "system-monitor", "humanoid", "Human", "👍", "…", "(o)", "Administrate", "राम", "人",
    "Dr. O'Neil-Smith", "Ann (Bob)",
]  # fmt: skip


@pytest.mark.parametrize("name", POSING)
def test_nobody_poses_as_who_belongs_to_the_realm(name: str) -> None:
    """No decoration, blank, remark or look-alike makes an inhabitant's name, or the realm's, one's own."""
    world = empty()
    assert refusal(world, c.Register(agent_id="ann", name=name)) == "look_alike"
    assert refusal(world, c.PlayerJoin(agent_id="human-1", name=name)) == "look_alike"
    assert refusal(world, c.Register(agent_id=name)) in ("look_alike", "reserved")
    assert world.tables.profiles == {}


@pytest.mark.parametrize("name", NOT_POSING)
def test_ordinary_names_are_nobodys_guise(name: str) -> None:
    """A name that has such a word in it among others is an agent's to have."""
    assert named(empty(), "ann", name) == name


def test_no_character_without_ink_makes_another_name() -> None:
    """Whatever is blank, ignored, unassigned or a mark: with it, Shalom's name is still Shalom's."""
    world = empty()
    points = [p for p in (*range(0x20000), *range(0x20000, 0x110000, 251)) if not 0xD800 <= p < 0xE000]
    blank = [chr(p) for p in points if not has_ink(chr(p))]
    assert len(blank) > 10_000
    passed = [
        f"{ord(c):X}"
        for c in blank
        if not all(world.reserved.like(on_one_line(n)) for n in (f"Shalom{c}", f"{c}Shalom", f"Sha{c}lom"))
    ]
    assert passed == []


def test_a_name_of_nothing_is_no_name() -> None:
    """Who gives a name that cannot be seen goes by its id; an id with what is not seen is refused."""
    world = empty()
    assert named(world, "ann", "\u2800\ufffc\u3164") == "ann"
    assert named(world, "bob", "\ufb37" * 70 + "x") == "bob"
    for agent_id in (
        "\u2800",
        "\ufffc",
        "\u0301",
        "\ufb37",
        "ann\u2800",
        "cyr ",
        " cyr",
        "c\u2800yr",
        "c\ue000yr",
    ):
        assert refusal(world, c.Register(agent_id=agent_id)) == "look_alike", agent_id
    assert refusal(world, c.WorldChat(agent_id="ann", text="\u2800\n\ufffc")) == "nothing_said"
    post = c.MoltbookPost(agent_id="ann", title="\u2800", content="words")
    assert refusal(world, post) == "nothing_said"


def test_a_proven_name_is_taken_and_any_other_is_marked() -> None:
    """Whoever holds a key shares its name with nobody; of other namesakes each can be told apart."""
    world = empty()
    join(world, "ann", name="Ann")
    assert named(world, "ann2", "ANN") == "ANN (2)"
    assert named(world, "ann3", "\u0410nn") == "\u0410nn (3)"
    assert named(world, "ann2", "ANN", T0 + 1) == "ANN (2)"  # again: no other number, no news
    assert join(world, "ann3", T0 + 1, name="\u0410nn") == ()
    proven = Caller(pubkey="ab" * 32, npub="npub1x", local=True)
    register = c.Register(agent_id="eve", name="Eve")
    assert isinstance(world.apply(register, T0, proven), tuple)
    assert refusal(world, c.Register(agent_id="mallory", name="\u0415ve")) == "look_alike"


def test_many_visitors_are_told_apart() -> None:
    """Humans who do not care for a name are numbered, then told apart by their id; a name left is free."""
    world = empty(max_agents=100)
    names = []
    for n in range(12):
        done(world, c.LinkOpened(agent_id=f"human-{n:03}"))
        done(world, c.PlayerJoin(agent_id=f"human-{n:03}", name="Visitor"))
        names.append(world.tables.profiles[f"human-{n:03}"].name)
    assert names[:3] == ["Visitor", "Visitor (2)", "Visitor (3)"]
    assert names[-1] == "Visitor (human-011)"
    assert len({*names}) == 12
    done(world, c.LinkClosed(agent_id="human-000"))
    assert named(world, "ann", "visitor") == "visitor"
    assert max(len(named(world, f"x{n}" * 20, "n" * 64)) for n in range(12)) == 64


def test_a_registration_undone_gives_the_name_back() -> None:
    """What could not be made durable takes no name: the next who asks for it gets it unmarked."""
    world = peopled("ann")
    world.seal()
    join(world, "bob", name="Bobby")
    join(world, "ann", name="Annie")
    world.undo(world.seal())
    assert named(world, "b0b", "Bobby") == "Bobby"
    assert world.tables.names.like("annie") is None
    assert world.tables.names.like("ann") == "ann"
    world.durable = False
    assert refusal(world, c.Register(agent_id="cyr", name="Cyr")) == "storage_unavailable"
    assert (world.tables.names.like("cyr"), len(world.tables.names)) == (None, 2)
