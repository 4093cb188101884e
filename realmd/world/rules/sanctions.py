"""What the operator imposes: agents muted, banned or sent away, and owners whose word counts no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import UNSET

from ...errors import Refused, Rejection
from .. import commands, events
from ..caller import INSIDE, Caller
from ..engine import World, rule
from ..model import OPERATOR, TEXT_CUT, Sanction
from ..sanctions import covers
from . import authority
from .presence import depart
from .speech import said

#: What a muted agent may not do: all that others would read or see said.
SPEECH: Final = (
    commands.WorldChat, commands.WorldEmote, commands.MoltbookPost, commands.AgentMessage,
    commands.AgentRequest, commands.AgentRespond, commands.ClawhubPublish,
)  # fmt: skip
#: What others read in a profile.
_SHOWN: Final = ("name", "bio", "capabilities", "skills", "avatar", "pubkey")


def identify(kind: str, scope: str, target: str) -> str:
    """The id of a sanction: there is one of a kind on each target."""
    return f"{kind} {scope} {target}"


def refused(world: World, agent_id: str | None, caller: Caller) -> Rejection | None:
    """The refusal of whatever a banned agent, key or address asks for."""
    if caller.inside or not world.tables.sanctions:
        return None
    sanction = world.tables.standing.on("ban", agent_id, _keys(world, agent_id, caller), world.now)
    return told(sanction or world.tables.standing.banned(caller.address, world.now))


def silenced(world: World, command: commands.Command, caller: Caller) -> Rejection | None:
    """The refusal of what a muted agent may not do."""
    if caller.inside or not world.tables.sanctions or not _speaks(world, command):
        return None
    agent_id: str | None = command.agent_id  # type: ignore[attr-defined]
    return told(world.tables.standing.on("mute", agent_id, _keys(world, agent_id, caller), world.now))


def told(sanction: Sanction | None) -> Rejection | None:
    """A sanction as its refusal."""
    if sanction is None:
        return None
    code = "muted" if sanction.kind == "mute" else "banned"
    return Rejection(code, code, sanction.reason, sanction.until)


def expire(world: World, now: int) -> None:
    """Forget what has ended."""
    for sanction in world.tables.standing.ended(now):
        world.tables.drop("sanctions", sanction.id)


@rule(commands.Impose)
def impose(world: World, command: commands.Impose, now: int) -> Iterator[events.Event]:
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
            yield from depart(world, agent_id, now, "banned")


@rule(commands.Lift)
def lift(world: World, command: commands.Lift, now: int) -> tuple[events.Event, ...]:
    world.need_store()
    if command.id not in world.tables.sanctions:
        raise Refused("not_found")
    world.tables.drop("sanctions", command.id)
    return ()


@rule(commands.Expel)
def expel(world: World, command: commands.Expel, now: int) -> Iterator[events.Event]:
    if command.target in world.atlas.inhabitants:
        raise Refused("reserved")
    yield from depart(world, command.target, now, "kicked")


@rule(commands.Announce)
def announce(world: World, command: commands.Announce, now: int) -> Iterator[events.Event]:
    text = said(world, command.text, TEXT_CUT)
    yield events.Chat(agent_id=OPERATOR, timestamp=now, seq=world.seq(), text=text, by="operator")


@rule(commands.RevokeOwner)
def revoke_owner(world: World, command: commands.RevokeOwner, now: int) -> tuple[events.Event, ...]:
    """Every agent of this owner: as if each were revoked, its own key apart, and the owner gone."""
    world.need_store()
    for agent_id in owned(world, command.pubkey):
        authority.withdraw(world, agent_id, now, owner=True)
    return ()


def owned(world: World, pubkey: str) -> list[str]:
    """The agents that the key (hex) owns."""
    return [i.agent_id for i in world.tables.identities.values() if i.owner == pubkey]


def concerned(world: World, sanction: Sanction) -> list[str]:
    """The agents in the world that it is about; by address, those heard last from there."""
    present = [a for a in world.tables.bodies if a not in world.atlas.inhabitants]
    if sanction.scope == "agent":
        return [a for a in present if a == sanction.target]
    if sanction.scope == "pubkey":
        return [a for a in present if sanction.target in _keys(world, a, INSIDE)]
    return [a for a in present if covers(sanction, world.activity.of(a).address)]


def _keys(world: World, agent_id: str | None, caller: Caller) -> tuple[str, ...]:
    """The keys behind a command: the sender's, the agent's and its owner's."""
    identity = world.tables.identities.get(agent_id) if agent_id is not None else None
    return (caller.pubkey, identity.pubkey, identity.owner) if identity else (caller.pubkey,)


def _speaks(world: World, command: commands.Command) -> bool:
    if isinstance(command, commands.WorkFinish):
        return bool(command.note)
    if isinstance(command, commands.Register):
        old = world.tables.profiles.get(command.agent_id)
        given = {field: getattr(command, field) for field in _SHOWN}
        return old is not None and any(v not in (UNSET, getattr(old, f)) for f, v in given.items())
    return isinstance(command, SPEECH)
