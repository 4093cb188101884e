"""Who gets a seat when one address, or one network, wants them all."""

from __future__ import annotations

import pytest

from realmd.world import commands as c
from realmd.world import events
from realmd.world.caller import Caller
from realmd.world.engine import Outcome, World
from realmd.world.rules.seats import IDLE, NEWCOMER

from .worlds import T0, empty

HOARDER, NAT, ELSEWHERE = "198.51.100.7", "203.0.113.9", "192.0.2.1"
KEY = "ab" * 32


def at(address: str, pubkey: str = "") -> Caller:
    network = f"{address.rpartition('.')[0]}.0/24"
    return Caller(
        address=address, source=address, network=network, pubkey=pubkey, npub="npub1x" * bool(pubkey)
    )


def enter(world: World, agent_id: str, caller: Caller, now: int = T0) -> str:
    """What came of it: "in", or a refusal code; and who had to go for it."""
    return _told(world.apply(c.Register(agent_id=agent_id), now, caller))


def _told(outcome: Outcome) -> str:
    if not isinstance(outcome, tuple):
        return outcome.code
    gone = [e for e in outcome if isinstance(e, events.Leave)]
    assert all(event.reason == "displaced" for event in gone)
    return " ".join(["in", *(event.agent_id for event in gone)])


def crowd(world: World, count: int, caller: Caller, name: str = "h", now: int = T0) -> list[str]:
    return [enter(world, f"{name}{number}", caller, now) for number in range(count)]


def test_an_address_has_half_the_seats() -> None:
    """One address gets its share and no more; others find room, and it gets another when one leaves."""
    world = empty(max_agents=10)
    assert crowd(world, 7, at(HOARDER)) == ["in"] * 5 + ["crowded"] * 2
    assert crowd(world, 5, at(ELSEWHERE), "e") == ["in"] * 5
    world.apply(c.WorldLeave(agent_id="h0"), T0, holder(world, "h0", HOARDER))
    assert enter(world, "h9", at(HOARDER)) == "in"


def holder(world: World, agent_id: str, address: str) -> Caller:
    """Whoever holds the agent's token, at `address`."""
    caller = at(address)
    caller.serials[agent_id] = world.tables.identities[agent_id].serial
    return caller


def test_a_network_has_three_quarters() -> None:
    """Many addresses of one network leave a quarter to others."""
    world = empty(max_agents=8)
    got = [enter(world, f"h{number}", at(f"198.51.100.{number}")) for number in range(8)]
    assert got == ["in"] * 6 + ["crowded"] * 2


def test_programs_of_this_host_are_not_counted() -> None:
    """They take what there is, and give way to nobody."""
    world, home = empty(max_agents=4), Caller(local=True)
    assert crowd(world, 5, home) == ["in"] * 4 + ["room_full"]
    assert enter(world, "ann", at(ELSEWHERE, KEY), T0 + IDLE) == "room_full"


def full(world: World) -> None:
    """Every seat taken by newcomers of two addresses, three from the first and one from the second."""
    assert crowd(world, 3, at(HOARDER)) == ["in"] * 3
    assert enter(world, "n0", at(NAT), T0 + 1) == "in"


@pytest.mark.parametrize("who", ["person", "key", "known", "local"])
def test_newcomers_give_way(who: str) -> None:
    """To a person of the page, a proven key, one known since yesterday, and a program of this host."""
    world = empty(max_agents=4, address_seats_percent=75)
    caller = at(ELSEWHERE, KEY) if who == "key" else Caller(local=True) if who == "local" else at(ELSEWHERE)
    if who == "known":
        assert enter(world, "ann", caller, T0 - NEWCOMER) == "in"
        caller.serials["ann"] = world.tables.identities["ann"].serial
        world.apply(c.WorldLeave(agent_id="ann"), T0 - NEWCOMER, caller)
    full(world)
    if who == "person":
        outcome = world.apply(c.PlayerJoin(agent_id="human-1", name="Nora"), T0 + 2, caller)
    else:
        outcome = world.apply(c.Register(agent_id="ann"), T0 + 2, caller)
    assert _told(outcome) == "in h2"  # of the crowded address, the last that came


def test_who_was_here_before_comes_back() -> None:
    """An agent that had left gets a seat from one that registered after it; the last to come stays out."""
    world = empty(max_agents=4, address_seats_percent=75)
    assert enter(world, "ann", at(ELSEWHERE), T0 - 1000) == "in"
    ann = holder(world, "ann", ELSEWHERE)
    world.apply(c.WorldLeave(agent_id="ann"), T0 - 999, ann)
    full(world)
    assert _told(world.apply(c.WorldEmote(agent_id="ann"), T0 + 2, ann)) == "in h2"
    back = world.apply(c.WorldEmote(agent_id="h2"), T0 + 3, holder(world, "h2", HOARDER))
    assert _told(back) == "in n0"  # which came later still
    back = world.apply(c.WorldEmote(agent_id="n0"), T0 + 4, holder(world, "n0", NAT))
    assert _told(back) == "room_full"


def test_an_idle_seat_of_a_crowd_goes_first() -> None:
    """Another newcomer gets a seat that is not used, of an address that has more than its own; no other."""
    world = empty(max_agents=4, address_seats_percent=75)
    full(world)
    assert enter(world, "eve", at(ELSEWHERE), T0 + 2) == "room_full"
    for agent_id in ("h0", "h2"):
        world.apply(c.Heard(agent_id=agent_id), T0 + IDLE)
    assert enter(world, "eve", at(ELSEWHERE), T0 + IDLE + 1) == "in h1"
    assert enter(world, "mal", at(ELSEWHERE), T0 + IDLE + 2) == "room_full"


def test_a_crowded_address_frees_its_own_idle_seats() -> None:
    """Behind a NAT the next one gets in when another there has fallen silent; one that is linked has not."""
    world = empty(max_agents=4)
    assert crowd(world, 2, at(NAT)) == ["in"] * 2
    world.apply(c.LinkOpened(agent_id="h1"), T0)
    assert enter(world, "h2", at(NAT), T0 + IDLE - 1) == "crowded"
    assert enter(world, "h2", at(NAT), T0 + IDLE) == "in h0"
    assert enter(world, "h3", at(NAT), T0 + IDLE) == "crowded"


def test_people_and_the_proven_keep_their_seats() -> None:
    """However many newcomers and proven ones come, nobody who is proven has to go while here."""
    world = empty(max_agents=4, address_seats_percent=100, network_seats_percent=100)
    for number in range(4):
        assert enter(world, f"p{number}", at(HOARDER, f"0{number}" * 32)) == "in"
    assert enter(world, "eve", at(ELSEWHERE, "99" * 32)) == "room_full"
    assert _told(world.apply(c.PlayerJoin(agent_id="human-1", name="N"), T0, at(NAT))) == "room_full"


def test_who_is_refused_has_cost_nobody_a_seat() -> None:
    """A name that is not allowed is refused before anybody goes for it."""
    world = empty(max_agents=4, address_seats_percent=75)
    full(world)
    refused = world.apply(
        c.Register(agent_id="bob", name=next(iter(world.atlas.inhabitants.values())).name),
        T0 + 2,
        at(ELSEWHERE, KEY),
    )
    assert not isinstance(refused, tuple)
    assert world.seats_taken() == 4


def test_visitors_have_a_limit_of_their_own() -> None:
    """So many people of the page come in and no more, while agents still do; who leaves makes room."""
    world = empty(max_agents=10, max_players=2)

    def visit(name: str) -> str:
        return _told(world.apply(c.PlayerJoin(agent_id=f"human-{name}"), T0, at(ELSEWHERE)))

    assert [visit("a"), visit("b"), visit("c")] == ["in", "in", "room_full"]
    assert enter(world, "ann", at(NAT)) == "in"
    world.apply(c.WorldLeave(agent_id="human-a"), T0)
    assert visit("c") == "in"
