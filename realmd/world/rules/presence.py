"""Who is in the world: seats, profiles, and the lease that silence ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ...primitives.errors import Refused
from .. import commands, events
from ..bounds import cut, size
from ..caller import Caller
from ..model import PALETTE, PROFILE_BYTES, RESERVED, VISITOR, Body, Profile, Via
from ..state import State
from . import authority, naming
from .registry import rule
from .seats import need_seat
from .work import release, release_if_away


@rule(commands.Register)
def register(world: State, command: commands.Register, caller: Caller) -> Iterator[events.Event]:
    name = command.agent_id
    if name in world.atlas.inhabitants or name in RESERVED or name.startswith(VISITOR):
        raise Refused("reserved")
    yield from _admit(world, command, caller, player=False)


@rule(commands.PlayerJoin)
def player_join(world: State, command: commands.PlayerJoin, caller: Caller) -> Iterator[events.Event]:
    players, most = sum(body.player for body in world.tables.bodies.values()), world.limits.max_players
    if most and players >= most and world.body(command.agent_id) is None:
        raise Refused("room_full", f"Room is full ({most} players max)")
    yield from _admit(world, command, caller, player=True)


@rule(commands.WorldLeave)
def leave(world: State, command: commands.WorldLeave, caller: Caller) -> Iterator[events.Event]:
    yield from depart(world, command.agent_id, "asked", caller.via)


@rule(commands.Heard)
def heard(world: State, command: commands.Heard, caller: Caller) -> tuple[events.Event, ...]:
    return ()


@rule(commands.LinkOpened)
def link_opened(world: State, command: commands.LinkOpened, caller: Caller) -> tuple[events.Event, ...]:
    world.links[command.agent_id] = world.links.get(command.agent_id, 0) + 1
    return ()


@rule(commands.LinkClosed)
def link_closed(world: State, command: commands.LinkClosed, caller: Caller) -> Iterator[events.Event]:
    left = world.links.pop(command.agent_id, 0) - 1
    if left > 0:
        world.links[command.agent_id] = left
        return
    body = world.body(command.agent_id)
    if body is not None and body.player and world.durable:  # else `expire` ends it when the store is back
        yield from depart(world, command.agent_id, "closed")


@rule(commands.Inhabit)
def inhabit(world: State, command: commands.Inhabit, caller: Caller) -> Iterator[events.Event]:
    being = world.atlas.inhabitants[command.agent_id]
    old = world.tables.profiles.get(being.id)
    whole = Profile(
        agent_id=being.id,
        name=being.name,
        pubkey=old.pubkey if old else "",
        bio=being.bio,
        capabilities=being.capabilities,
        color=being.color,
        joined_at=old.joined_at if old else world.now,
        last_seen=world.now,
        avatar=being.avatar or being.kind,
    )
    profile = cut(whole)
    yield from _store(world, old, profile, caller)
    if world.body(being.id) is None:
        yield from _enter(world, profile, Body(being.id, being.x, being.z, timestamp=world.now))


def ensure_present(world: State, agent_id: str, caller: Caller) -> Iterator[events.Event]:
    """A known agent that had left comes back when it acts, if a seat is free."""
    if world.body(agent_id) is None:
        yielding = need_seat(world, agent_id, caller, person=False)
        profile = replace(world.tables.profiles[agent_id], last_seen=world.now)
        world.tables.put("profiles", agent_id, profile)
        yield from _displace(world, yielding)
        yield from _enter(world, profile, _spawned(world, agent_id, caller))


def depart(
    world: State, agent_id: str, reason: Any, via: Via | UnsetType | None = None
) -> Iterator[events.Event]:
    """Take the agent out of the world, freeing its workstation and its seat.

    `via` is the way by which it said that it goes; None: it did not say so, and goes as it came.
    """
    body = world.body(agent_id)
    if body is None:
        return
    yield from release(world, agent_id)
    via = body.via if via is None else via
    gone = events.Leave(agent_id=agent_id, timestamp=world.now, seq=world.seq(), reason=reason, via=via)
    profile = replace(world.tables.profiles[agent_id], last_seen=world.heard.get(agent_id, world.now))
    world.tables.put("profiles", agent_id, profile)
    world.tables.drop("bodies", agent_id)
    world.walking.discard(agent_id)
    world.unsaved.discard(agent_id)
    if body.player:  # the id was this visit's
        world.forget(agent_id)
    yield gone


def expire(world: State, agent_id: str) -> Iterator[events.Event]:
    """An agent not heard from dozes, then leaves; a player leaves without its socket."""
    body = world.tables.bodies[agent_id]
    linked = agent_id in world.links
    if body.player and not linked:  # it closed while the store was away, or with the last process
        yield from depart(world, agent_id, "closed")
        return
    heard = (
        world.now if linked or agent_id in world.atlas.inhabitants else world.heard.get(agent_id, world.now)
    )
    world.heard[agent_id] = heard = min(heard, world.now)  # the clock may have been set back
    silent = world.now - heard
    if silent >= world.limits.doze_after + world.limits.leave_after:
        yield from depart(world, agent_id, "silent")
    elif (silent >= world.limits.doze_after) != body.dozing:
        world.place(replace(body, dozing=not body.dozing, action="idle"))
        yield events.Action(agent_id=agent_id, timestamp=world.now, action="idle", dozing=not body.dozing)
    if agent_id in world.holding:  # a lease given back, or so it seemed, before its holder went
        yield from release_if_away(world, world.tables.bodies[agent_id])


def profile_of(world: State, command: commands.Register, old: Profile | None, caller: Caller) -> Profile:
    """The fields given, over those known, over the defaults."""
    given = naming.described(world, command, old)
    if old is None:
        colour = PALETTE[len(world.tables.profiles) % len(PALETTE)]
        old = Profile(command.agent_id, command.agent_id, "", "", (), colour, world.now, world.now)
    given |= _key(world, command, caller)
    profile = replace(old, **given, last_seen=world.now)
    if size(profile) > PROFILE_BYTES:
        raise Refused("profile_too_large")
    return profile


def _admit(world: State, command: commands.Register, caller: Caller, player: bool) -> Iterator[events.Event]:
    old = world.tables.profiles.get(command.agent_id)
    if old is None and not player:
        naming.check_id(world, command.agent_id)
    absent = world.body(command.agent_id) is None
    yielding = need_seat(world, command.agent_id, caller, player) if absent else None
    profile = profile_of(world, command, old, caller)
    yield from _store(world, old, profile, caller)
    authority.claim(world, command.agent_id, caller, visitor=player)
    if absent:
        yield from _displace(world, yielding)
        body = replace(_spawned(world, command.agent_id, caller), player=player)
        yield from _enter(world, profile, body)
    world.heard[command.agent_id] = world.now  # only now: who could not enter leaves no trace
    if old is None and not caller.inside:
        world.activity.note(command.agent_id, caller, world.now)


def _displace(world: State, agent_id: str | None) -> Iterator[events.Event]:
    """Have the agent go that gives way to another, if any."""
    if agent_id is not None:
        yield from depart(world, agent_id, "displaced")


def _key(world: State, command: commands.Register, caller: Caller) -> dict[str, str]:
    """What is shown of the agent's key: one that was proven, else the one it says it has."""
    if caller.pubkey and not isinstance(command, commands.PlayerJoin):
        identity = world.tables.identities.get(command.agent_id)
        if identity is None or identity.owner != caller.pubkey:
            return {"pubkey": caller.pubkey, "npub": caller.npub}
    known = world.tables.profiles.get(command.agent_id)
    if known is not None and known.npub is not UNSET:
        return {"pubkey": known.pubkey}
    if isinstance(command.pubkey, str) and command.pubkey:
        holder = authority.holder_of(world, command.pubkey)
        if holder not in (None, command.agent_id):
            raise Refused("key_taken")
    return {}


def _store(world: State, old: Profile | None, profile: Profile, caller: Caller) -> Iterator[events.Event]:
    """Keep a profile that changed in what others see; tell them if its agent is here."""
    if old is not None and replace(old, last_seen=profile.last_seen) == profile:
        return
    if old is None and len(world.tables.profiles) >= world.limits.profiles:
        _forget_one(world)
    world.tables.put("profiles", profile.agent_id, profile)
    if world.body(profile.agent_id) is not None:
        yield events.of_profile(events.ProfileChanged, profile, world.now, world.seq(), caller.via)


def _forget_one(world: State) -> None:
    """Drop the absent agent that was away the longest, and long enough: the table stays bounded.

    Those bound to a key are never dropped, so that no flood of newcomers frees an id to be taken; nor
    are those whose plugins whoever took the id would have.
    """
    limit = world.now - world.limits.forget_after
    owners = {p.author for p in world.tables.plugins.values()}
    owners |= {i.installed_by for i in world.tables.installed.values()}
    absent = (
        (world.heard.get(p.agent_id, p.last_seen), p.agent_id)
        for p in world.tables.profiles.values()
        if p.agent_id not in world.tables.bodies and p.npub is UNSET and p.agent_id not in owners
    )
    heard, agent_id = min(absent, default=(world.now, ""))
    if heard > limit:
        raise Refused("realm_full")
    world.forget(agent_id)


def _spawned(world: State, agent_id: str, caller: Caller) -> Body:
    taken = [(body.x, body.z) for body in world.tables.bodies.values()]
    x, z = world.atlas.spawn(world.rng, taken)
    rotation = round(world.rng.uniform(0, 6.283), 3)
    return Body(agent_id, x, z, rotation=rotation, timestamp=world.now, via=caller.via)


def _enter(world: State, profile: Profile, body: Body) -> Iterator[events.Event]:
    world.tables.put("bodies", body.agent_id, body)
    yield events.of_profile(events.Join, profile, world.now, world.seq(), body.via)
    yield events.Position(
        agent_id=body.agent_id, timestamp=world.now, x=body.x, y=body.y, z=body.z, rotation=body.rotation
    )
