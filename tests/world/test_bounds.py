"""How large a profile may be, whichever way it comes in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from realmd.world import commands as c
from realmd.world.bounds import cut, size
from realmd.world.model import PROFILE_BYTES, SKILL_BYTES, Profile, Skill
from realmd.world.tables import Tables
from tests.world.worlds import T0, again, done, empty, join, peopled, refusal

DRAGON = "\U0001f409"
long = st.text(st.characters(exclude_categories=["Cs"]), max_size=1200) | st.sampled_from((DRAGON, '"')).map(
    lambda one: one * 3000
)
HUGE = Profile(
    "ann",
    DRAGON * 99,
    DRAGON * 200,
    DRAGON * 2000,
    (DRAGON * 100,) * 99,
    "#112233",
    T0,
    T0,
    skills=(Skill(DRAGON * 64, DRAGON * 200, DRAGON * 900),) * 40,
    avatar=DRAGON * 900,
)


@given(
    st.builds(
        Profile, st.just("ann"), long, long, long, st.lists(long, max_size=40).map(tuple), st.just("#112233"),
        st.just(T0), st.just(T0), skills=st.lists(st.builds(Skill, long, long, long), max_size=20).map(tuple),
        avatar=long,
    )
)  # fmt: skip
def test_a_profile_has_bounds(profile: Profile) -> None:
    """Whatever is in it, it is cut to what one may hold, and cutting it again changes nothing."""
    short = cut(profile)
    assert size(short) <= PROFILE_BYTES
    assert all(size(skill) <= SKILL_BYTES for skill in short.skills or ())
    assert (len(short.name), len(short.bio)) == (min(64, len(profile.name)), min(1000, len(profile.bio)))
    assert (len(short.capabilities) <= 32, len(short.skills or ()) <= 16) == (True, True)
    assert cut(short) == short


def test_by_no_way_does_a_larger_one_come_in() -> None:
    """The tables keep none, whether a rule, an import, a replay or the store gives it to them."""
    tables = Tables()
    tables.put("profiles", "ann", HUGE)
    assert size(tables.profiles["ann"]) <= PROFILE_BYTES
    loaded = Tables()
    loaded.load({"profiles": {"ann": HUGE, "bob": replace(HUGE, agent_id="bob", name="Bob", skills=())}}, 1)
    assert {size(profile) <= PROFILE_BYTES for profile in loaded.profiles.values()} == {True}
    assert loaded.shortened == ["ann", "bob"]
    changes = loaded.seal()
    assert [size(row) <= PROFILE_BYTES for row in changes.after.values()] == [True, True]
    loaded.undo(changes)
    assert size(loaded.profiles["ann"]) <= PROFILE_BYTES
    assert again(peopled("ann"), T0).tables.shortened == []


def test_what_is_too_much_together_is_refused_and_loses_nothing() -> None:
    """Each field is cut, as the old server cut them; a whole that is too large changes nothing."""
    world = empty()
    join(world, "ann", bio="hello", capabilities=("x" * 99,) * 99)
    assert world.tables.profiles["ann"].capabilities == ("x" * 64,) * 32
    skills = tuple(Skill(f"s{n}", "S", DRAGON * 500) for n in range(16))
    assert refusal(world, c.Register(agent_id="ann", skills=skills)) == "profile_too_large"
    assert world.tables.profiles["ann"].bio == "hello"
    done(world, c.Register(agent_id="ann", skills=skills[:2]))
    assert [size(skill) <= SKILL_BYTES for skill in world.tables.profiles["ann"].skills or ()] == [True, True]
