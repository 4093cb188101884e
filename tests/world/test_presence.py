"""Seats, profiles, and the lease that silence ends."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from realmd.world import commands as c
from realmd.world import events
from realmd.world.engine import World
from realmd.world.model import PALETTE, Skill
from tests.world.worlds import (
    T0,
    again,
    body,
    done,
    empty,
    join,
    news,
    pass_time,
    peopled,
    refusal,
    say,
    stand,
    told,
)

MINUTE = 60_000


def dozes(happened: list[events.Event]) -> list[tuple[str, bool]]:
    shown = [event for event in happened if isinstance(event, events.Action)]
    return [(event.agent_id, event.dozing) for event in shown if event.dozing is not UNSET]


def test_who_joins_is_told_and_stands_on_open_ground() -> None:
    """A join is told with the profile, then where the agent stands; its name and colour have defaults."""
    world = empty()
    first, place = join(world, "ann")
    assert isinstance(first, events.Join)
    assert (first.name, first.color, first.seq) == ("ann", PALETTE[0], 1)
    assert isinstance(place, events.Position)
    assert (place.x, place.z) == (body(world, "ann").x, body(world, "ann").z)
    assert not world.atlas.ground.blocked(place.x, place.z)


def test_what_is_too_long_is_cut() -> None:
    """A name is cut at 64 characters and a bio at 1000; a name of nothing but blanks is the agentId."""
    world = empty()
    join(world, "ann", name="  " + "ñ" * 80, bio="b" * 1100)
    join(world, "bob", name="   ")
    profiles = world.tables.profiles
    assert (profiles["ann"].name, profiles["ann"].bio) == ("ñ" * 64, "b" * 1000)
    assert profiles["bob"].name == "bob"


def test_registering_again_keeps_what_is_not_given() -> None:
    """Fields given replace those known, the others stay; only a change that others see is news."""
    world = empty()
    skill = Skill("s", "Sums")
    join(world, "ann", bio="hello", capabilities=("trading",), skills=(skill,), pubkey="k")
    (changed,) = join(world, "ann", T0 + 5, bio="")
    assert told([changed]) == [("profile", "ann")]
    profile = world.profile("ann")
    assert (profile.bio, profile.capabilities, profile.skills, profile.pubkey) == (
        "",
        ("trading",),
        (skill,),
        "k",
    )
    assert (profile.joined_at, profile.last_seen) == (T0, T0 + 5)
    assert join(world, "ann", T0 + 6, bio="") == ()


def test_full_means_full() -> None:
    """Two cannot both take the last seat; who is in keeps its seat; a seat left can be taken."""
    world = peopled("ann", "bob", max_agents=3)
    join(world, "cyr")
    before = dict(world.tables.profiles), world.tables.seq
    refused = say(world, c.Register(agent_id="dee"))
    assert (refused.code, refused.text) == ("room_full", "Room is full (3 max)")
    assert (world.tables.profiles, world.tables.seq) == before
    join(world, "ann", name="still here")
    done(world, c.WorldLeave(agent_id="bob"))
    join(world, "dee")
    assert refusal(world, c.WorldChat(agent_id="bob", text="me too")) == "room_full"


def test_inhabitants_have_seats_of_their_own_and_their_names_are_taken() -> None:
    """An inhabitant enters a full room, and nobody else registers under its id."""
    world = peopled("ann", max_agents=1)
    assert told(done(world, c.Inhabit(agent_id="shalom"))) == [("join", "shalom")]
    assert done(world, c.Inhabit(agent_id="shalom")) == ()
    assert (world.seats_taken(), refusal(world, c.Register(agent_id="shalom"))) == (1, "reserved")


def test_a_known_agent_comes_back_when_it_acts() -> None:
    """An agent that left and then speaks is in the world again before its words are told."""
    world = peopled("ann")
    done(world, c.WorldLeave(agent_id="ann"))
    assert say(world, c.WorldLeave(agent_id="ann")) == ()
    assert told(done(world, c.WorldChat(agent_id="ann", text="back"))) == [("join", "ann"), ("chat", "ann")]


def test_nobody_acts_before_registering() -> None:
    """An unknown agentId gets the words that old clients look for, whatever it looks like."""
    world = empty()
    for name in ("ann", " ", "人" * 64, "shalom", "room"):
        assert say(world, c.WorldEmote(agent_id=name)).text == "Unknown or unregistered agentId"


def test_the_silent_doze_then_leave() -> None:
    """After five silent minutes an agent dozes, a minute later it has left and its seat is free."""
    world = peopled("ann", "bob", max_agents=2)
    assert pass_time(world, T0, 240) == []
    done(world, c.Heard(agent_id="bob"), T0 + 4 * MINUTE)
    happened = pass_time(world, T0 + 4 * MINUTE, 119)
    assert (dozes(happened), told(happened)) == ([("ann", True)], [])
    happened = pass_time(world, T0 + 359_000, 1)
    assert told(happened) == [("leave", "ann", "silent")]
    assert world.profile("ann").last_seen == T0
    join(world, "cyr", T0 + 6 * MINUTE)


def test_a_sign_of_life_wakes() -> None:
    """A dozing agent that is heard again wakes, told once, even by a command that is refused."""
    world = peopled("ann", "bob")
    pass_time(world, T0, 301)
    assert dozes(list(done(world, c.WorldChat(agent_id="ann", text="?"), T0 + 301_000))) == [("ann", False)]
    assert refusal(world, c.WorkStart(agent_id="bob"), T0 + 301_000) == "not_at_workstation"
    assert dozes(pass_time(world, T0 + 301_000, 60)) == [("bob", False)]


def test_an_open_link_counts_as_heard() -> None:
    """While one of its sockets is open an agent stays; the lease runs from when the last one closed."""
    world = peopled("ann")
    for command in (c.LinkOpened, c.LinkOpened, c.LinkClosed):
        done(world, command(agent_id="ann"))
    assert pass_time(world, T0, 1000) == []
    done(world, c.LinkClosed(agent_id="ann"), T0 + 1_000_000)
    assert told(pass_time(world, T0 + 1_000_000, 359)) == []
    assert told(pass_time(world, T0 + 1_359_000, 1)) == [("leave", "ann", "silent")]
    assert world.links == {}


def test_a_clock_set_back_postpones_nothing() -> None:
    """When the clock is set back an hour, silence still ends a lease after six minutes."""
    world = peopled("ann")
    back = T0 - 3_600_000
    world.advance(back)
    assert told(pass_time(world, back, 361)) == [("leave", "ann", "silent")]


def player(world: World) -> None:
    done(world, c.LinkOpened(agent_id="human-1"))
    done(world, c.PlayerJoin(agent_id="human-1", name="Eve"))


def test_a_player_leaves_with_its_socket() -> None:
    """A human is gone as soon as its last socket closes."""
    world = empty()
    player(world)
    assert told(done(world, c.LinkClosed(agent_id="human-1"))) == [("leave", "human-1", "closed")]


def test_a_player_whose_socket_closed_while_the_store_was_away_leaves_when_it_is_back() -> None:
    """Nothing durable happens while the store is away; then the leave is told, once."""
    world = empty()
    player(world)
    world.durable = False
    done(world, c.LinkClosed(agent_id="human-1"))
    done(world, c.Heard(agent_id="human-1"))  # whoever asks in its name does not keep it
    assert news(pass_time(world, T0, 5)) == []
    world.durable = True
    assert told(pass_time(world, T0 + 5000, 5)) == [("leave", "human-1", "closed")]


def test_a_player_whose_leave_could_not_be_stored_leaves_later() -> None:
    """A leave undone with its batch is made good when the store is back."""
    world = empty()
    player(world)
    world.seal()
    done(world, c.LinkClosed(agent_id="human-1"))
    world.undo(world.seal())
    assert "human-1" in world.tables.bodies
    assert told(pass_time(world, T0, 1)) == [("leave", "human-1", "closed")]


def test_after_a_restart_agents_are_there_and_players_are_not() -> None:
    """A restart renews everyone's lease, but no socket outlives the process."""
    world = peopled("ann")
    player(world)
    pass_time(world, T0, 301)
    later = T0 + 86_400_000
    world = again(world, later)
    happened = pass_time(world, later, 1)
    assert told(happened) == [("leave", "human-1", "closed")]
    assert dozes(happened) == [("ann", False)]
    assert told(pass_time(world, later + 1000, 358)) == []


def test_the_profile_of_who_was_away_longest_is_forgotten() -> None:
    """The table of profiles has an end; who is present is never forgotten."""
    world = empty(profiles=3, forget_after=0)
    for n, name in enumerate(("ann", "bob", "cyr")):
        join(world, name, T0 + n)
    for name in ("ann", "bob"):
        done(world, c.WorldLeave(agent_id=name), T0 + 10)
    done(world, c.Heard(agent_id="ann"), T0 + 20)
    join(world, "dee", T0 + 30)
    assert [*world.tables.profiles] == ["ann", "cyr", "dee"]
    assert {*world.heard} == {"ann", "cyr", "dee"}
    for n in range(20):
        join(world, f"x{n}", T0 + 40 + n)
        done(world, c.WorldLeave(agent_id=f"x{n}"), T0 + 40 + n)
    assert {"cyr", "dee"} <= {*world.tables.profiles}
    assert len(world.tables.profiles) == 3


def test_who_could_not_enter_leaves_no_trace() -> None:
    """A flood of strangers who are refused costs no memory, whatever refuses them."""
    world = peopled("ann", max_agents=1)
    for durable, code in ((True, "room_full"), (False, "storage_unavailable")):
        world.durable = durable
        assert {refusal(world, c.Register(agent_id=f"s{n}")) for n in range(50)} == {code}
    assert {*world.heard} == {*world.tables.profiles} == {"ann"}
    assert {*world._allowance} <= {"ann"}
    world.durable = True
    done(world, c.WorldLeave(agent_id="ann"))
    world.seal()
    join(world, "bob")
    stand(world, "bob", 1, 1)
    world.undo(world.seal())
    assert "bob" not in {*world.heard, *world._allowance, *world.unsaved}


def test_a_new_map_leaves_nobody_in_a_wall() -> None:
    """When the map changed before a restart, agents stand beside what was built, their old ways forgotten."""
    world = peopled("ann", "bob", "cyr")
    stand(world, "bob", 0, 12)
    done(world, c.GoToWorkstation(agent_id="ann", workstation_id="audit-helm"))
    done(world, c.GoToWorkstation(agent_id="bob", workstation_id="command-nexus"))
    pass_time(world, T0, 0.2)
    for name, (x, z) in (("ann", (-20.0, -20.0)), ("cyr", (99.0, 0.0))):
        world.place(replace(body(world, name), x=x, z=z))
    rest = {k: v for k, v in world.atlas.workstations.items() if k not in ("audit-helm", "command-nexus")}
    world.atlas = replace(world.atlas, workstations=rest)
    world = again(world, T0)
    ground = world.atlas.ground
    assert all(ground.inside(b.x, b.z) and not ground.blocked(b.x, b.z) for b in world.tables.bodies.values())
    assert (world.walking, world.tables.claims, world.claim_of("bob")) == (set(), {}, None)
    assert pass_time(world, T0, 2) == []
