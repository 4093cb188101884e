"""Who may speak for whom."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.primitives.errors import Rejection
from realmd.world import commands as c
from realmd.world.caller import Caller
from realmd.world.commands import Command
from realmd.world.engine import World
from realmd.world.rules.authority import objection
from tests.world.worlds import T0, again, empty, join

ANN, BOB = "a" * 64, "b" * 64


def local() -> Caller:
    return Caller(local=True)


def stranger() -> Caller:
    return Caller(address="203.0.113.9")


def key(pubkey: str) -> Caller:
    return Caller(pubkey=pubkey, npub=f"npub1{pubkey[:4]}")


def say(world: World, command: Command, caller: Caller, now: int = T0) -> str:
    """`ok`, or the code of the refusal."""
    outcome = world.apply(command, now, caller)
    return outcome.code if isinstance(outcome, Rejection) else "ok"


def wave(agent_id: str) -> Command:
    return c.WorldEmote(agent_id=agent_id)


def test_an_agent_belongs_to_whoever_registered_it() -> None:
    """Of two strangers who want an agentId in one tick the first has it, and the other is refused."""
    world, first, second = empty(), stranger(), stranger()
    register = c.Register(agent_id="ann")
    asked: list[tuple[Command, Caller]] = [
        (register, first), (register, second), (wave("ann"), first), (wave("ann"), second),
        (c.WorldLeave(agent_id="ann"), second), (c.TokenRotate(agent_id="ann"), second),
    ]  # fmt: skip
    assert [say(world, command, caller) for command, caller in asked] == [
        "ok", "token_required", "ok", "token_required", "token_required", "token_required",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("auth", "registered_by", "spoken_by", "code"),
    [
        ("local-open", local, local, "ok"),
        ("local-open", local, stranger, "token_required"),
        ("local-open", stranger, local, "token_required"),
        ("required", local, local, "token_required"),
        ("open", stranger, stranger, "ok"),
    ],
)
def test_what_each_mode_lets(auth: Any, registered_by: Any, spoken_by: Any, code: str) -> None:
    """Programs of this host share the agents they registered, unless the operator wants tokens of all."""
    world = empty(auth=auth)
    assert say(world, c.Register(agent_id="ann"), registered_by()) == "ok"
    assert say(world, wave("ann"), spoken_by()) == code


def test_a_rotated_token_is_worth_nothing_at_once() -> None:
    """Who holds an old token is told that it is old, and the new one works after a restart, too."""
    world, holder = empty(), stranger()
    assert say(world, c.Register(agent_id="ann"), holder) == "ok"
    thief = Caller(serials=dict(holder.serials))
    assert say(world, wave("ann"), thief) == "ok"
    assert say(world, c.TokenRotate(agent_id="ann"), holder) == "ok"
    world = again(world, T0 + 1000)
    assert [say(world, wave("ann"), who, T0 + 1000) for who in (thief, holder)] == ["token_revoked", "ok"]


def test_a_token_of_a_forgotten_agent_opens_nothing() -> None:
    """Who takes up an agentId that was forgotten is safe from the tokens of the one before."""
    world, old, new = empty(profiles=1, forget_after=0), stranger(), stranger()
    assert say(world, c.Register(agent_id="ann"), old) == "ok"
    assert say(world, c.WorldLeave(agent_id="ann"), old) == "ok"
    assert say(world, c.Register(agent_id="bob"), new, T0 + 1) == "ok"
    assert say(world, c.WorldLeave(agent_id="bob"), new, T0 + 1) == "ok"
    assert say(world, c.Register(agent_id="ann"), new, T0 + 2) == "ok"
    assert say(world, wave("ann"), old, T0 + 2) == "token_revoked"


def test_a_flood_of_newcomers_frees_no_id() -> None:
    """When the realm knows as many agents as it may, it refuses newcomers and forgets nobody it knows."""
    world, holder = empty(profiles=2), stranger()
    for name in ("ann", "bob"):
        assert say(world, c.Register(agent_id=name), holder) == "ok"
        assert say(world, c.WorldLeave(agent_id=name), holder) == "ok"
    assert say(world, c.Register(agent_id="eve"), stranger()) == "realm_full"
    later = T0 + world.limits.forget_after
    assert say(world, c.Register(agent_id="eve"), stranger(), later) == "ok"


def test_a_key_recovers_its_agent_and_nobody_else_can_claim_it() -> None:
    """An agent bound to a key is spoken for by that key alone, and shows it whatever else it says."""
    world = empty()
    assert say(world, c.Register(agent_id="ann"), key(ANN)) == "ok"
    profile = world.tables.profiles["ann"]
    assert (profile.pubkey, profile.npub) == (ANN, "npub1aaaa")
    assert say(world, c.Register(agent_id="ann", pubkey="ff", bio="new"), key(ANN)) == "ok"
    assert (world.tables.profiles["ann"].pubkey, world.tables.profiles["ann"].bio) == (ANN, "new")
    assert say(world, wave("ann"), key(BOB)) == "not_yours"
    assert say(world, c.Register(agent_id="ann"), key(BOB)) == "not_yours"
    assert say(world, c.Register(agent_id="eve", pubkey=ANN), stranger()) == "key_taken"
    holder = stranger()
    assert say(world, c.Register(agent_id="ann"), key(ANN)) == "ok"
    holder.serials["ann"] = world.tables.identities["ann"].serial
    holder.pubkey = BOB
    assert say(world, c.Register(agent_id="ann"), holder) == "key_bound"


def test_an_owner_speaks_for_its_agents_until_disowned() -> None:
    """A delegation makes an owner; it ends with its time or when it is taken back, and then for good."""
    world, holder, owner = empty(), stranger(), key(BOB)
    own = c.SetOwner(agent_id="ann", owner=BOB, signed=T0, until=T0 + 1000)
    assert say(world, c.Register(agent_id="ann"), holder) == "ok"
    assert say(world, own, owner) == "not_yours"
    assert say(world, own, holder) == "ok"
    assert [say(world, wave("ann"), owner, T0 + t) for t in (1, 1000)] == ["ok", "not_yours"]
    assert say(world, c.Disown(agent_id="ann"), owner, T0 + 2) == "ok"
    assert say(world, wave("ann"), owner, T0 + 3) == "not_yours"
    assert say(world, own, holder, T0 + 4) == "bad_delegation"


def test_what_the_operator_revokes_is_revoked() -> None:
    """After a revocation neither token nor host may speak; the key still may, unless it was revoked, too."""
    world, holder = empty(), Caller(local=True, pubkey=ANN, npub="npub1")
    assert say(world, c.Register(agent_id="ann"), holder) == "ok"
    world.apply(c.Revoke(agent_id="ann"), T0 + 1)
    assert [say(world, wave("ann"), who) for who in (local(), key(ANN))] == ["token_required", "ok"]
    world.apply(c.Revoke(agent_id="ann", keys=True), T0 + 2)
    assert [say(world, wave("ann"), who) for who in (holder, key(ANN))] == ["token_revoked", "not_yours"]


def test_who_says_not_who_it_is_commands_nothing() -> None:
    """What asks for no agentId asks for a proof all the same, unless it comes from this host."""
    world = empty()
    publish = c.ClawhubPublish(id="p", name="P")
    assert [say(world, publish, who) for who in (stranger(), local())] == ["token_required", "ok"]


def test_a_visitor_has_an_id_of_its_own_that_ends_with_the_visit() -> None:
    """The avatar of a human in the browser can be moved by nobody else, and leaves nothing behind."""
    world, visitor = empty(), Caller(local=True)
    assert say(world, c.Register(agent_id="human-1"), stranger()) == "reserved"
    assert say(world, c.PlayerJoin(agent_id="human-1", name="Nora"), visitor) == "ok"
    assert say(world, wave("human-1"), local()) == "token_required"
    assert say(world, wave("human-1"), visitor) == "ok"
    assert say(world, c.WorldLeave(agent_id="human-1"), visitor) == "ok"
    assert (world.tables.profiles, world.tables.identities) == ({}, {})


def test_an_agent_known_before_there_were_tokens_is_of_this_host() -> None:
    """After an upgrade the old scripts go on, and a stranger cannot take over what they registered."""
    world = empty()
    join(world, "ann")
    world.tables.identities.clear()
    assert [objection(world, "ann", who) for who in (local(), stranger())] == [None, "token_required"]
    assert say(world, c.Register(agent_id="ann"), local()) == "ok"
    assert [objection(world, "ann", who) for who in (local(), stranger())] == [None, "token_required"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.booleans()), max_size=30))
def test_no_order_of_things_lets_two_strangers_share_an_agent(steps: list[tuple[str, int, bool]]) -> None:
    """Whoever registers, leaves, is undone: at most one of the strangers may speak for each agent."""
    world = empty(forget_after=0, profiles=2)
    people = [stranger() for _ in range(3)]
    for number, (name, who, undone) in enumerate(steps):
        now = T0 + number // 3
        world.seal()
        world.apply(c.Register(agent_id=name), now, people[who])
        world.apply(c.WorldLeave(agent_id=name), now, people[who])
        if undone:
            world.undo(world.seal())
        for agent_id in world.tables.identities:
            assert sum(objection(world, agent_id, person) is None for person in people) <= 1
