"""Who is in the world: seats, profiles, and the lease that silence ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from ...primitives.errors import Refused
from .. import commands, events
from ..bounds import cut, size
from ..engine import World, rule
from ..model import PALETTE, PROFILE_BYTES, RESERVED, VISITOR, Body, Profile
from . import authority, naming
from .seats import need_seat
from .work import release, release_if_away


@rule(commands.Register)
def register(world: World, command: commands.Register, now: int) -> Iterator[events.Event]:
    name = command.agent_id
    if name in world.atlas.inhabitants or name in RESERVED or name.startswith(VISITOR):
        raise Refused("reserved")
    yield from _admit(world, command, now, player=False)


@rule(commands.PlayerJoin)
def player_join(world: World, command: commands.PlayerJoin, now: int) -> Iterator[events.Event]:
    yield from _admit(world, command, now, player=True)


@rule(commands.WorldLeave)
def leave(world: World, command: commands.WorldLeave, now: int) -> Iterator[events.Event]:
    yield from depart(world, command.agent_id, now, "asked")


@rule(commands.Heard)
def heard(world: World, command: commands.Heard, now: int) -> tuple[events.Event, ...]:
    return ()


@rule(commands.LinkOpened)
def link_opened(world: World, command: commands.LinkOpened, now: int) -> tuple[events.Event, ...]:
    world.links[command.agent_id] = world.links.get(command.agent_id, 0) + 1
    return ()


@rule(commands.LinkClosed)
def link_closed(world: World, command: commands.LinkClosed, now: int) -> Iterator[events.Event]:
    left = world.links.pop(command.agent_id, 0) - 1
    if left > 0:
        world.links[command.agent_id] = left
        return
    body = world.body(command.agent_id)
    if body is not None and body.player and world.durable:  # else `expire` ends it when the store is back
        yield from depart(world, command.agent_id, now, "closed")


@rule(commands.Inhabit)
def inhabit(world: World, command: commands.Inhabit, now: int) -> Iterator[events.Event]:
    being = world.atlas.inhabitants[command.agent_id]
    old = world.tables.profiles.get(being.id)
    whole = Profile(
        agent_id=being.id,
        name=being.name,
        pubkey=old.pubkey if old else "",
        bio=being.bio,
        capabilities=being.capabilities,
        color=being.color,
        joined_at=old.joined_at if old else now,
        last_seen=now,
        avatar=being.avatar or being.kind,
    )
    profile = cut(whole)
    yield from _store(world, old, profile, now)
    if world.body(being.id) is None:
        yield from _enter(world, profile, Body(being.id, being.x, being.z, timestamp=now), now)


def ensure_present(world: World, agent_id: str, now: int) -> Iterator[events.Event]:
    """A known agent that had left comes back when it acts, if a seat is free."""
    if world.body(agent_id) is None:
        yielding = need_seat(world, agent_id, now, person=False)
        profile = replace(world.tables.profiles[agent_id], last_seen=now)
        world.tables.put("profiles", agent_id, profile)
        yield from _displace(world, yielding, now)
        yield from _enter(world, profile, _spawned(world, agent_id, now), now)


def depart(world: World, agent_id: str, now: int, reason: Any) -> Iterator[events.Event]:
    """Take the agent out of the world, freeing its workstation and its seat."""
    body = world.body(agent_id)
    if body is None:
        return
    yield from release(world, agent_id, now)
    gone = events.Leave(agent_id=agent_id, timestamp=now, seq=world.seq(), reason=reason)
    profile = replace(world.tables.profiles[agent_id], last_seen=world.heard.get(agent_id, now))
    world.tables.put("profiles", agent_id, profile)
    world.tables.drop("bodies", agent_id)
    world.walking.discard(agent_id)
    world.unsaved.discard(agent_id)
    if body.player:  # the id was this visit's
        world.forget(agent_id)
    yield gone


def expire(world: World, agent_id: str, now: int) -> Iterator[events.Event]:
    """An agent not heard from dozes, then leaves; a player leaves without its socket."""
    body = world.tables.bodies[agent_id]
    linked = agent_id in world.links
    if body.player and not linked:  # it closed while the store was away, or with the last process
        yield from depart(world, agent_id, now, "closed")
        return
    heard = now if linked or agent_id in world.atlas.inhabitants else world.heard.get(agent_id, now)
    world.heard[agent_id] = heard = min(heard, now)  # the clock may have been set back
    silent = now - heard
    if silent >= world.limits.doze_after + world.limits.leave_after:
        yield from depart(world, agent_id, now, "silent")
    elif (silent >= world.limits.doze_after) != body.dozing:
        world.place(replace(body, dozing=not body.dozing, action="idle"))
        yield events.Action(agent_id=agent_id, timestamp=now, action="idle", dozing=not body.dozing)
    if agent_id in world.holding:  # a lease given back, or so it seemed, before its holder went
        yield from release_if_away(world, world.tables.bodies[agent_id], now)


def profile_of(world: World, command: commands.Register, old: Profile | None, now: int) -> Profile:
    """The fields given, over those known, over the defaults."""
    given = naming.described(world, command, old)
    if old is None:
        colour = PALETTE[len(world.tables.profiles) % len(PALETTE)]
        old = Profile(command.agent_id, command.agent_id, "", "", (), colour, now, now)
    given |= _key(world, command)
    profile = replace(old, **given, last_seen=now)
    if size(profile) > PROFILE_BYTES:
        raise Refused("profile_too_large")
    return profile


def _admit(world: World, command: commands.Register, now: int, player: bool) -> Iterator[events.Event]:
    old = world.tables.profiles.get(command.agent_id)
    if old is None and not player:
        naming.check_id(world, command.agent_id)
    absent = world.body(command.agent_id) is None
    yielding = need_seat(world, command.agent_id, now, player) if absent else None
    profile = profile_of(world, command, old, now)
    yield from _store(world, old, profile, now)
    authority.claim(world, command.agent_id, world.caller, now, visitor=player)
    if absent:
        yield from _displace(world, yielding, now)
        body = replace(_spawned(world, command.agent_id, now), player=player)
        yield from _enter(world, profile, body, now)
    world.heard[command.agent_id] = now  # only now: who could not enter leaves no trace
    if old is None and not world.caller.inside:
        world.activity.note(command.agent_id, world.caller, now)


def _displace(world: World, agent_id: str | None, now: int) -> Iterator[events.Event]:
    """Have the agent go that gives way to another, if any."""
    if agent_id is not None:
        yield from depart(world, agent_id, now, "displaced")


def _key(world: World, command: commands.Register) -> dict[str, str]:
    """What is shown of the agent's key: one that was proven, else the one it says it has."""
    if world.caller.pubkey and not isinstance(command, commands.PlayerJoin):
        identity = world.tables.identities.get(command.agent_id)
        if identity is None or identity.owner != world.caller.pubkey:
            return {"pubkey": world.caller.pubkey, "npub": world.caller.npub}
    known = world.tables.profiles.get(command.agent_id)
    if known is not None and known.npub is not UNSET:
        return {"pubkey": known.pubkey}
    if isinstance(command.pubkey, str) and command.pubkey:
        holder = authority.holder_of(world, command.pubkey)
        if holder not in (None, command.agent_id):
            raise Refused("key_taken")
    return {}


def _store(world: World, old: Profile | None, profile: Profile, now: int) -> Iterator[events.Event]:
    """Keep a profile that changed in what others see; tell them if its agent is here."""
    if old is not None and replace(old, last_seen=profile.last_seen) == profile:
        return
    if old is None and len(world.tables.profiles) >= world.limits.profiles:
        _forget_one(world, now)
    world.tables.put("profiles", profile.agent_id, profile)
    if world.body(profile.agent_id) is not None:
        yield events.of_profile(events.ProfileChanged, profile, now, world.seq())


def _forget_one(world: World, now: int) -> None:
    """Drop the absent agent that was away the longest, and long enough: the table stays bounded.

    Those bound to a key are never dropped, so that no flood of newcomers frees an id to be taken; nor
    are those whose plugins whoever took the id would have.
    """
    limit = now - world.limits.forget_after
    owners = {p.author for p in world.tables.plugins.values()}
    owners |= {i.installed_by for i in world.tables.installed.values()}
    absent = (
        (world.heard.get(p.agent_id, p.last_seen), p.agent_id)
        for p in world.tables.profiles.values()
        if p.agent_id not in world.tables.bodies and p.npub is UNSET and p.agent_id not in owners
    )
    heard, agent_id = min(absent, default=(now, ""))
    if heard > limit:
        raise Refused("realm_full")
    world.forget(agent_id)


def _spawned(world: World, agent_id: str, now: int) -> Body:
    taken = [(body.x, body.z) for body in world.tables.bodies.values()]
    x, z = world.atlas.spawn(world.rng, taken)
    return Body(agent_id, x, z, rotation=round(world.rng.uniform(0, 6.283), 3), timestamp=now)


def _enter(world: World, profile: Profile, body: Body, now: int) -> Iterator[events.Event]:
    world.tables.put("bodies", body.agent_id, body)
    yield events.of_profile(events.Join, profile, now, world.seq())
    yield events.Position(
        agent_id=body.agent_id, timestamp=now, x=body.x, y=body.y, z=body.z, rotation=body.rotation
    )
