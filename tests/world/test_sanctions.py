"""Mutes and bans: who is refused what, until when, and what a restart or a failed commit makes of it."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from realmd.primitives.errors import Rejection
from realmd.protocol.classic import decode_ipc
from realmd.world import commands as c
from realmd.world import events
from realmd.world.caller import Caller
from realmd.world.engine import World
from realmd.world.events import JOURNALLED
from realmd.world.model import OPERATOR, Sanction
from realmd.world.rules.sanctions import identify
from realmd.world.sanctions import Sanctions, in_force
from tests.world.worlds import T0, again, done, empty, peopled, refusal

KEY, OTHER = "a" * 64, "b" * 64


def sanction(kind: Any, scope: Any, target: str, until: int = 0, reason: str = "noise") -> Sanction:
    return Sanction(identify(kind, scope, target), kind, scope, target, reason, T0, until, "op")


def impose(world: World, *what: Any, **more: Any) -> tuple[Any, ...]:
    return done(world, c.Impose(sanction=sanction(*what, **more)))


def guest(world: World, name: str, address: str = "198.51.100.7", pubkey: str = "") -> Caller:
    """A stranger that has registered as `name`."""
    caller = Caller(address=address, pubkey=pubkey, npub="npub1" if pubkey else "")
    assert not isinstance(world.apply(c.Register(agent_id=name), T0, caller), Rejection)
    return caller


def says(world: World, name: str, caller: Caller, now: int = T0) -> str:
    """The code of what a chat leads to."""
    outcome = world.apply(c.WorldChat(agent_id=name, text="hello"), now, caller)
    return outcome.code if isinstance(outcome, Rejection) else "ok"


def test_a_muted_agent_is_heard_by_nobody_and_may_do_the_rest() -> None:
    """It is refused whatever others would read, with the reason and the end; it can still walk and work."""
    world = empty()
    ann = guest(world, "ann")
    guest(world, "bob")
    impose(world, "mute", "agent", "ann", until=T0 + 5000)
    spoken = (
        c.WorldChat(agent_id="ann", text="x"), c.WorldEmote(agent_id="ann"),
        c.MoltbookPost(agent_id="ann", title="x", content="x"), c.WorkFinish(agent_id="ann", note="x"),
        c.AgentMessage(agent_id="ann", to_agent_id="bob", content="x"),
        c.AgentRequest(agent_id="ann", to_agent_id="bob", request_type="task"),
        c.AgentRespond(agent_id="ann", request_id="r", response="x"),
        c.ClawhubPublish(agent_id="ann", id="p", name="x"), c.Register(agent_id="ann", bio="buy now"),
    )  # fmt: skip
    for command in spoken:
        assert world.apply(command, T0, ann) == Rejection("muted", "muted", "noise", T0 + 5000), command
    silent = (c.WorldMove(agent_id="ann", x=1), c.WorldAction(agent_id="ann"), c.Register(agent_id="ann"))
    for deed in silent:
        assert not isinstance(world.apply(deed, T0, ann), Rejection), deed


@pytest.mark.parametrize(
    ("scope", "target"), [("agent", "ann"), ("pubkey", KEY), ("network", "198.51.100.0/24")]
)
def test_a_ban_sends_out_and_refuses_everything(scope: str, target: str) -> None:
    """Whoever is banned by name, key or network leaves at once and gets nothing done; others stay."""
    world = empty()
    ann, bob = guest(world, "ann", pubkey=KEY), guest(world, "bob", "203.0.113.9", OTHER)
    gone = impose(world, "ban", scope, target)
    assert [(e.agent_id, e.reason) for e in gone if isinstance(e, events.Leave)] == [("ann", "banned")]
    for command in (c.WorldMove(agent_id="ann"), c.Register(agent_id="ann"), c.TokenRotate(agent_id="ann")):
        assert world.apply(command, T0, ann) == Rejection("banned", "banned", "noise", 0)
    assert says(world, "bob", bob) == "ok"
    done(world, c.Lift(id=identify("ban", scope, target)))
    assert says(world, "ann", ann) == "ok"


def test_a_banned_owner_takes_its_agents_along() -> None:
    """A ban on a key holds for every agent that the key owns, whatever token is shown."""
    world = empty()
    ann = guest(world, "ann")
    done(world, c.SetOwner(agent_id="ann", owner=KEY, signed=T0, until=T0 + 10_000))
    impose(world, "ban", "pubkey", KEY)
    assert world.body("ann") is None
    assert says(world, "ann", ann) == "banned"


def test_a_sanction_ends_by_itself_and_is_forgotten() -> None:
    """From its end on, to the millisecond, it counts no more; a second later nothing is left of it."""
    world = empty()
    ann = guest(world, "ann")
    impose(world, "ban", "agent", "ann", until=T0 + 5000)
    assert says(world, "ann", ann, T0 + 4999) == "banned"
    assert says(world, "ann", ann, T0 + 5000) == "ok"
    world.advance(T0 + 6100)
    assert world.tables.sanctions == {}


def test_a_new_sanction_takes_the_place_of_the_old_one() -> None:
    """There is one mute and one ban a target: the last word counts, be it longer or shorter."""
    world = empty()
    ann = guest(world, "ann")
    impose(world, "ban", "network", "198.51.100.7/32")
    impose(world, "ban", "network", "198.51.100.7/32", until=T0 + 1000, reason="less")
    assert len(world.tables.sanctions) == 1
    assert says(world, "ann", ann, T0 + 1000) == "ok"


def test_sanctions_survive_a_restart_and_not_a_failed_commit() -> None:
    """What the store kept is in force again; what could not be made durable never was."""
    world = empty()
    ann = guest(world, "ann")
    impose(world, "ban", "network", "198.51.100.0/24")
    assert says(again(world, T0), "ann", ann) == "banned"
    world.seal()
    done(world, c.Lift(id="ban network 198.51.100.0/24"))
    impose(world, "mute", "agent", "ann")
    world.undo(world.seal())
    assert says(world, "ann", ann) == "banned"
    done(world, c.Lift(id="ban network 198.51.100.0/24"))
    assert says(world, "ann", ann) == "ok"


def test_sanctions_have_bounds() -> None:
    """There are no more than the limit says, none on an inhabitant, and none while nothing can be kept."""
    world = empty(sanctions=1)
    impose(world, "ban", "agent", "ann")
    assert refusal(world, c.Impose(sanction=sanction("ban", "agent", "bob"))) == "sanctions_full"
    impose(world, "ban", "agent", "ann", reason="still")
    assert refusal(world, c.Lift(id="ban agent bob")) == "not_found"
    assert refusal(world, c.Impose(sanction=sanction("mute", "agent", "shalom"))) == "reserved"
    world.durable = False
    assert refusal(world, c.Lift(id="ban agent ann")) == "storage_unavailable"


def test_who_is_kicked_may_come_again() -> None:
    """A kick ends the visit and nothing else."""
    world = empty()
    ann = guest(world, "ann")
    (left,) = done(world, c.Expel(target="ann"))
    assert (left.agent_id, left.reason, world.body("ann")) == ("ann", "kicked", None)
    assert says(world, "ann", ann) == "ok"


def test_the_operator_speaks_under_a_name_of_its_own() -> None:
    """Everyone hears it as a chat of `operator`, an id that nobody else can have or come near."""
    world = empty()
    (said,) = done(world, c.Announce(text="Back in five."))
    assert (said.agent_id, said.text, said.by) == (OPERATOR, "Back in five.", "operator")
    assert refusal(world, c.Register(agent_id=OPERATOR)) == "reserved"
    assert refusal(world, c.Register(agent_id="0perator")) == "look_alike"
    assert refusal(world, c.Register(agent_id="ann", name="Operator")) == "look_alike"


def test_the_operators_mark_is_kept_and_given_to_nobody_else() -> None:
    """It is in the journal as in the event; older chats have none, nor has an agent that asks for it."""
    world = peopled("ann")
    (mine,) = done(world, c.Announce(text="Back in five."))
    kept = msgspec.json.encode(mine)
    assert json.loads(kept)["by"] == "operator"
    assert msgspec.json.decode(kept, type=JOURNALLED) == mine
    old = {"worldType": "chat", "agentId": OPERATOR, "timestamp": 1, "seq": 1, "text": "hi"}
    assert msgspec.json.decode(json.dumps(old), type=JOURNALLED).by is UNSET
    asked = {"command": "world-chat", "args": {"agentId": "ann", "text": "hi", "by": "operator"}}
    (said,) = done(world, decode_ipc(json.dumps(asked).encode()))
    assert b'"by"' not in msgspec.json.encode(said)


def test_an_owner_revoked_loses_all_its_agents() -> None:
    """Their tokens die, the owner is gone, and what it signed before counts no more; others keep theirs."""
    world = empty()
    ann, bob = guest(world, "ann"), guest(world, "bob")
    done(world, c.SetOwner(agent_id="ann", owner=KEY, signed=T0, until=T0 + 10_000))
    done(world, c.RevokeOwner(pubkey=KEY))
    assert says(world, "ann", ann) == "token_revoked"
    assert says(world, "bob", bob) == "ok"
    assert says(world, "ann", Caller(pubkey=KEY)) == "not_yours"
    late = c.SetOwner(agent_id="ann", owner=KEY, signed=T0, until=T0 + 10_000)
    assert refusal(world, late) == "bad_delegation"


def test_nobody_enters_while_the_realm_empties() -> None:
    """Those inside go on and may leave; those outside are told why they cannot come in."""
    world = empty()
    ann, bob = guest(world, "ann"), guest(world, "bob")
    done(world, c.WorldLeave(agent_id="bob"))
    world.draining = True
    assert says(world, "ann", ann) == "ok"
    assert says(world, "bob", bob) == "draining"
    assert refusal(world, c.Register(agent_id="cid")) == "draining"


fours = st.integers(0, 255).map(lambda n: f"10.0.{n % 4}.{n // 4}")
sixes = st.integers(0, 255).map(lambda n: f"2001:db8::{n % 4:x}:{n // 4:x}")
addresses = st.one_of(fours, sixes, fours.map("::ffff:{}".format), st.sampled_from(["", "unix", "10.0.0"]))
networks = st.one_of(st.tuples(fours, st.integers(8, 32)), st.tuples(sixes, st.integers(16, 128))).map(
    lambda given: str(ipaddress.ip_network(given, strict=False))
)


@given(
    st.lists(st.tuples(networks, st.integers(0, 3), st.booleans()), max_size=12),
    st.lists(addresses, max_size=12),
    st.integers(T0, T0 + 4),
)
def test_an_address_is_found_as_if_every_network_were_looked_at(
    steps: list[tuple[str, int, bool]], asked: list[str], now: int
) -> None:
    """However sanctions come, go and are replaced, exactly the addresses in those in force are banned."""
    index = Sanctions()
    rows: dict[str, Sanction] = {}
    for network, end, keep in steps:
        one = sanction("ban", "network", network, until=T0 + end if end else 0)
        if keep:
            index.put(one)
            rows[one.id] = one
        else:
            index.drop(one.id)
            rows.pop(one.id, None)
    in_effect = [ipaddress.ip_network(r.target) for r in rows.values() if in_force(r, now)]
    for address in asked:
        try:
            parsed: Any = ipaddress.ip_address(address)
            parsed = getattr(parsed, "ipv4_mapped", None) or parsed
            expected = any(parsed in network for network in in_effect)
        except ValueError:
            expected = False
        assert (index.banned(address, now) is not None) == expected
    ended = {s.id for s in index.ended(now)}
    assert ended == {id for id, row in rows.items() if not in_force(row, now)}
