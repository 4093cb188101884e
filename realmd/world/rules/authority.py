"""Who may speak for an agentId: whoever registered it, by token or key, and nobody else."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from ...primitives.errors import Refused
from .. import commands, events
from ..caller import Caller
from ..model import Identity
from ..state import State
from .registry import rule


def objection(world: State, agent_id: str, caller: Caller) -> str | None:
    """Why `caller` may not speak for `agent_id` (a refusal code); None if it may, or nobody owns that id."""
    if caller.inside or world.limits.auth == "open":
        return None
    identity = world.tables.identities.get(agent_id)
    if identity is None:
        # Known from before there were identities: as if registered on this host.
        if agent_id not in world.tables.profiles or at_home(world, caller):
            return None
        return "token_required"
    if caller.serials.get(agent_id) == identity.serial or _holds_key(world, identity, caller):
        return None
    if identity.local and at_home(world, caller):
        return None
    if agent_id in caller.serials:
        return "token_revoked"
    return "not_yours" if caller.serials or caller.pubkey else "token_required"


def has_key(world: State, agent_id: str, caller: Caller) -> bool:
    """Whether the caller's key is the agent's own, or its owner's, whatever `auth` allows besides."""
    identity = world.tables.identities.get(agent_id)
    return identity is not None and _holds_key(world, identity, caller)


def claim(world: State, agent_id: str, caller: Caller, visitor: bool = False) -> None:
    """Give `agent_id` to the caller that registers it, and bind the key that it proved, if any."""
    old = world.tables.identities.get(agent_id)
    if old is None:
        old = Identity(agent_id, serial=world.serial(), local=not visitor and at_home(world, caller))
    if caller.pubkey and not visitor and caller.pubkey != old.owner:
        if old.pubkey not in ("", caller.pubkey):
            raise Refused("key_bound")
        identity = replace(old, pubkey=caller.pubkey)
    else:
        identity = old
    if identity is not world.tables.identities.get(agent_id):
        world.tables.put("identities", agent_id, identity)
    caller.remember(agent_id, identity.serial)


def holder_of(world: State, pubkey: str) -> str | None:
    """The agent that is bound to this key (hex)."""
    return next((i.agent_id for i in world.tables.identities.values() if i.pubkey == pubkey), None)


@rule(commands.TokenRotate)
def rotate(world: State, command: commands.TokenRotate, caller: Caller) -> tuple[events.Event, ...]:
    identity = _renew(world, command.agent_id)
    caller.remember(command.agent_id, identity.serial)
    return ()


@rule(commands.Revoke)
def revoke(world: State, command: commands.Revoke, caller: Caller) -> tuple[events.Event, ...]:
    """Every token dies and this host loses its right; a bound key keeps its own unless `keys` says no."""
    identity = withdraw(world, command.agent_id, owner=command.keys)
    if command.keys:
        world.tables.put("identities", command.agent_id, replace(identity, pubkey=""))
        old = world.tables.profiles[command.agent_id]
        profile = replace(old, pubkey="", npub=UNSET)
        world.tables.put("profiles", command.agent_id, profile)
        if old.npub is not UNSET:  # told, present or not: who replays events must not give it back
            told = events.of_profile(events.ProfileChanged, profile, world.now, world.seq())
            return (replace(told, pubkey=""),)
    return ()


@rule(commands.SetOwner)
def set_owner(world: State, command: commands.SetOwner, caller: Caller) -> tuple[events.Event, ...]:
    world.need_store()
    identity = _identity(world, command.agent_id)
    if command.signed <= identity.disowned:
        raise Refused("bad_delegation", "This delegation was taken back; its owner must sign a new one.")
    if identity.owner and identity.owner != command.owner:
        raise Refused("key_bound", "The agent has another owner, who must let it go first.")
    owned = replace(identity, owner=command.owner, signed=command.signed, delegated_until=command.until)
    world.tables.put("identities", command.agent_id, owned)
    return ()


@rule(commands.Disown)
def disown(world: State, command: commands.Disown, caller: Caller) -> tuple[events.Event, ...]:
    world.need_store()
    identity = _disowned(_identity(world, command.agent_id), world.now)
    world.tables.put("identities", command.agent_id, identity)
    return ()


def withdraw(world: State, agent_id: str, owner: bool) -> Identity:
    """Take the agent's tokens back, and this host's right to it; its `owner`, too, if asked."""
    identity = replace(_renew(world, agent_id), local=False)
    if owner:
        identity = _disowned(identity, world.now)
    world.tables.put("identities", agent_id, identity)
    return identity


def at_home(world: State, caller: Caller) -> bool:
    """Whether the caller is a program of this host, and that counts."""
    return caller.local and world.limits.auth == "local-open"


def _holds_key(world: State, identity: Identity, caller: Caller) -> bool:
    if not caller.pubkey:
        return False
    owned = identity.owner == caller.pubkey and world.now < identity.delegated_until
    return identity.pubkey == caller.pubkey or owned


def _identity(world: State, agent_id: str) -> Identity:
    """The agent's identity; one from before there were any counts as local."""
    return world.tables.identities.get(agent_id) or Identity(agent_id, serial=world.serial(), local=True)


def _renew(world: State, agent_id: str) -> Identity:
    """Give the agent a serial that no token has yet."""
    world.need_store()
    identity = replace(_identity(world, agent_id), serial=world.serial())
    world.tables.put("identities", agent_id, identity)
    return identity


def _disowned(identity: Identity, now: int) -> Identity:
    """What was signed for it stays signed until it runs out: none of it may be taken again."""
    since = max(now, identity.signed)
    return replace(identity, owner="", signed=0, delegated_until=0, disowned=since)
