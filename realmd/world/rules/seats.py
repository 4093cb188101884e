"""Who gets a seat when few are left: no address and no network has them all, and newcomers give way.

A seat is counted for the address and network that its agent was last heard from; programs of the
realm's own host have neither, and give way to nobody.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec import Struct

from ...primitives.errors import Refused
from ..caller import Caller
from ..state import State

#: How long (ms) one is a newcomer after registering, and when a seat is idle after its agent was last heard.
NEWCOMER: Final = 86_400_000
IDLE: Final = 60_000


class Seat(Struct, frozen=True):
    """A seat that somebody may have to give up.

    `firm`: its agent is a person, or has proven a key, or has an owner, or is no newcomer.
    """

    agent_id: str
    source: str
    network: str
    idle: bool
    firm: bool
    joined_at: int


def need_seat(world: State, agent_id: str, caller: Caller, person: bool) -> str | None:
    """Who has to go for `agent_id` to come in, if anybody; refused before anything is touched."""
    world.need_store()  # who enters needs it
    if world.draining:
        raise Refused("draining")
    full = world.seats_taken() >= world.limits.max_agents
    source, network = caller.source, caller.network
    if not full and not (source or network):
        return None
    seats = _seats(world)
    sources = Counter(seat.source for seat in seats if seat.source)
    networks = Counter(seat.network for seat in seats if seat.network)
    for here, counted, percent, what in (
        (source, sources, world.limits.address_seats_percent, "address"),
        (network, networks, world.limits.network_seats_percent, "network"),
    ):
        most = share(world, percent)
        if here and counted[here] >= most:
            crowd = [seat for seat in seats if here in (seat.source, seat.network)]
            return _first(
                [seat for seat in crowd if seat.idle and not seat.firm], sources,
                Refused("crowded", f"Your {what} has {counted[here]} seats, and may have {most}"),
            )  # fmt: skip
    if not full:
        return None
    wanted = _wish(world, agent_id, caller, person)
    crowd = [seat for seat in seats if seat.idle and sources[seat.source] > sources[source] + 1]
    if wanted.firm:
        crowd += [seat for seat in seats if not seat.firm]
    else:
        crowd = [seat for seat in crowd if not seat.firm]
        crowd += [seat for seat in seats if not seat.firm and seat.joined_at > wanted.joined_at]
    return _first(crowd, sources, Refused("room_full", f"Room is full ({world.limits.max_agents} max)"))


def share(world: State, percent: int) -> int:
    """So many percent of the seats, rounded up."""
    return -(-world.limits.max_agents * percent // 100)


def _first(seats: list[Seat], sources: Counter[str], refusal: Refused) -> str:
    """Who goes first: the idle, of the most crowded address, the newest."""
    if not seats:
        raise refusal
    return max(seats, key=lambda one: (one.idle, sources[one.source], one.joined_at, one.agent_id)).agent_id


def _seats(world: State) -> list[Seat]:
    """Every seat that may be given up or is counted."""
    found = []
    for agent_id, body in world.tables.bodies.items():
        identity = world.tables.identities.get(agent_id)
        seen = world.activity.of(agent_id)
        local = seen.local or (identity is not None and identity.local)
        if local or agent_id in world.atlas.inhabitants:
            continue
        idle = agent_id not in world.links and world.now - world.heard.get(agent_id, world.now) >= IDLE
        joined_at = world.tables.profiles[agent_id].joined_at
        firm = body.player or _proven(world, agent_id) or world.now - joined_at >= NEWCOMER
        found.append(Seat(agent_id, seen.source, seen.network, idle, firm, joined_at))
    return found


def _wish(world: State, agent_id: str, caller: Caller, person: bool) -> Seat:
    """The seat that is asked for."""
    known = world.tables.profiles.get(agent_id)
    joined_at = known.joined_at if known is not None else world.now
    proven = bool(caller.local or caller.pubkey) or _proven(world, agent_id)
    firm = person or proven or world.now - joined_at >= NEWCOMER
    return Seat(agent_id, caller.source, caller.network, False, firm, joined_at)


def _proven(world: State, agent_id: str) -> bool:
    identity = world.tables.identities.get(agent_id)
    return identity is not None and bool(identity.local or identity.pubkey or identity.owner)
