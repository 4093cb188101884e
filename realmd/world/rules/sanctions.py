"""What the operator imposes: agents muted, banned or sent away, and owners whose word counts no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from ...primitives.errors import Refused, Rejection
from .. import commands, events
from ..caller import INSIDE, Caller
from ..model import OPERATOR, TEXT_CUT, Sanction
from ..sanctions import covers
from ..state import State
from . import authority
from .presence import depart, profile_of
from .registry import rule
from .speech import said

#: What a muted agent may do, for nothing in it is its own words; `WorkFinish` without a note, too, and
#: `Register` as it is known.  Whatever is not named here is refused, so that a new command tells nothing.
#: `Disown` is not: an agent would be rid of the muted key that owns it.
SILENT: Final = (
    commands.WorldMove, commands.WorldWalk, commands.WorldAction, commands.WorldLeave,
    commands.GoToWorkstation, commands.WorkStart, commands.WorkstationLeave,
    commands.TokenRotate, commands.SetOwner,
)  # fmt: skip


def identify(kind: str, scope: str, target: str) -> str:
    """The id of a sanction: there is one of a kind on each target."""
    return f"{kind} {scope} {target}"


def refused(world: State, agent_id: str | None, caller: Caller) -> Rejection | None:
    """The refusal of whatever a banned agent, key or address asks for."""
    if caller.inside or not world.tables.sanctions:
        return None
    sanction = world.tables.standing.on("ban", agent_id, _behind(world, agent_id, caller), world.now)
    return told(sanction or world.tables.standing.banned(caller.address, world.now))


def silenced(world: State, command: commands.Command, caller: Caller) -> Rejection | None:
    """The refusal of what a muted agent or key may not do."""
    if caller.inside or not world.tables.sanctions:
        return None
    agent_id: str | None = command.agent_id  # type: ignore[attr-defined]
    mute = world.tables.standing.on("mute", agent_id, _behind(world, agent_id, caller), world.now)
    return told(mute) if mute is not None and _speaks(world, command, caller) else None


def told(sanction: Sanction | None) -> Rejection | None:
    """A sanction as its refusal."""
    if sanction is None:
        return None
    code = "muted" if sanction.kind == "mute" else "banned"
    return Rejection(code, code, sanction.reason, sanction.until)


def expire(world: State) -> None:
    """Forget what has ended."""
    for sanction in world.tables.standing.ended(world.now):
        world.tables.drop("sanctions", sanction.id)


@rule(commands.Impose)
def impose(world: State, command: commands.Impose, caller: Caller) -> Iterator[events.Event]:
    """One on a target that has one of the kind already takes its place."""
    world.need_store()
    sanction, known = command.sanction, world.tables.sanctions
    if sanction.scope == "agent" and sanction.target in world.atlas.inhabitants:
        raise Refused("reserved")
    if sanction.id not in known and len(known) >= world.limits.sanctions:
        raise Refused("sanctions_full")
    world.tables.put("sanctions", sanction.id, sanction)
    if sanction.kind == "ban":
        for agent_id in concerned(world, sanction):
            yield from depart(world, agent_id, "banned")


@rule(commands.Lift)
def lift(world: State, command: commands.Lift, caller: Caller) -> tuple[events.Event, ...]:
    world.need_store()
    if command.id not in world.tables.sanctions:
        raise Refused("not_found")
    world.tables.drop("sanctions", command.id)
    return ()


@rule(commands.Expel)
def expel(world: State, command: commands.Expel, caller: Caller) -> Iterator[events.Event]:
    if command.target in world.atlas.inhabitants:
        raise Refused("reserved")
    yield from depart(world, command.target, "kicked")


@rule(commands.Announce)
def announce(world: State, command: commands.Announce, caller: Caller) -> Iterator[events.Event]:
    text = said(world, command.text, TEXT_CUT)
    yield events.Chat(agent_id=OPERATOR, timestamp=world.now, seq=world.seq(), text=text, by="operator")


@rule(commands.RevokeOwner)
def revoke_owner(world: State, command: commands.RevokeOwner, caller: Caller) -> tuple[events.Event, ...]:
    """Every agent of this owner: as if each were revoked, its own key apart, and the owner gone."""
    world.need_store()
    for agent_id in owned(world, command.pubkey):
        authority.withdraw(world, agent_id, owner=True)
    return ()


def owned(world: State, pubkey: str) -> list[str]:
    """The agents that the key (hex) owns."""
    return [i.agent_id for i in world.tables.identities.values() if i.owner == pubkey]


def concerned(world: State, sanction: Sanction) -> list[str]:
    """The agents in the world that it is about; by address, those heard last from there."""
    present = [a for a in world.tables.bodies if a not in world.atlas.inhabitants]
    if sanction.scope == "agent":
        return [a for a in present if a == sanction.target]
    if sanction.scope == "pubkey":
        return [a for a in present if sanction.target in _keys(world, a, INSIDE)]
    return [a for a in present if covers(sanction, world.activity.of(a).address)]


def _keys(world: State, agent_id: str | None, caller: Caller) -> tuple[str, ...]:
    """The keys behind a command: the sender's, the agent's and its owner's."""
    identity = world.tables.identities.get(agent_id) if agent_id is not None else None
    return (caller.pubkey, identity.pubkey, identity.owner) if identity else (caller.pubkey,)


def _behind(world: State, agent_id: str | None, caller: Caller) -> Iterable[str]:
    """The keys that answer for what is asked; where no known agent is named, those of all whose tokens came.

    So a key cannot go on under a new agentId, registered with the token of one that it has.
    """
    names = [agent_id] if agent_id in world.tables.profiles else [agent_id, *caller.serials]
    return [key for name in names for key in _keys(world, name, caller)]


def _speaks(world: State, command: commands.Command, caller: Caller) -> bool:
    """Whether others would read or see something of its sender's in what comes of it."""
    if isinstance(command, commands.WorkFinish):
        return bool(command.note)
    if isinstance(command, commands.Register):
        old = world.tables.profiles.get(command.agent_id)
        if old is None:  # a new agentId is a word, too, and so is its name
            return True
        try:
            wanted = profile_of(world, command, old, caller)
            return replace(wanted, last_seen=old.last_seen) != old
        except Refused:
            return True
    return not isinstance(command, SILENT)
