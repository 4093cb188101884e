"""A mute, proven for every field of every event that reaches others, and every command that there is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
import pytest
from msgspec import inspect

from realmd.primitives.errors import Rejection
from realmd.world import commands as c
from realmd.world import events
from realmd.world.caller import Caller
from realmd.world.engine import World
from realmd.world.model import Claim, Sanction, Skill
from realmd.world.rules.sanctions import identify
from tests.world.worlds import T0, done, peopled

KEY, OTHER = "a" * 64, "b" * 64
#: What nobody may read once its author is muted, as a text and as a colour.
AD, TINT = "Buy-Now", "#badbad"
STATION = "memory-archive"

#: A field of an event (name on the wire, and of the struct) → what an agent sends to be read there.
SENT: Final[dict[tuple[type[events.Event], str], c.Command]] = {
    (events.Emote, "emote"): c.WorldEmote(agent_id="ann", emote="laugh"),
    (events.Chat, "text"): c.WorldChat(agent_id="ann", text=AD),
    (events.Join, "agent_id"): c.Register(agent_id=AD),
    (events.Join, "name"): c.Register(agent_id="new", name=AD),
    (events.Join, "color"): c.Register(agent_id="new", color=TINT),
    (events.Join, "bio"): c.Register(agent_id="new", bio=AD),
    (events.Join, "capabilities"): c.Register(agent_id="new", capabilities=(AD,)),
    (events.Join, "skills"): c.Register(agent_id="new", skills=(Skill("s", AD),)),
    (events.ProfileChanged, "name"): c.Register(agent_id="ann", name=AD),
    (events.ProfileChanged, "color"): c.Register(agent_id="ann", color=TINT),
    (events.ProfileChanged, "bio"): c.Register(agent_id="ann", bio=AD),
    (events.ProfileChanged, "capabilities"): c.Register(agent_id="ann", capabilities=(AD,)),
    (events.ProfileChanged, "skills"): c.Register(agent_id="ann", skills=(Skill(AD, "s"),)),
    (events.Work, "note"): c.WorkFinish(agent_id="ann", note=AD),
    (events.Board, "title"): c.MoltbookPost(agent_id="ann", title=AD, content="x"),
    (events.Board, "content"): c.MoltbookPost(agent_id="ann", title="x", content=AD),
    (events.Catalogue, "skill_id"): c.ClawhubPublish(agent_id="ann", id=AD, name="x"),
    (events.Catalogue, "plugin"): c.ClawhubPublish(agent_id="ann", id="x", name=AD, author=AD),
    (events.Catalogue, "installed"): c.ClawhubInstall(agent_id="ann", skill_id="tool"),
    (events.Republished, "version"): c.ClawhubPublish(agent_id="ann", id="ours", name="x", version=AD),
    (events.Message, "content"): c.AgentMessage(agent_id="ann", to_agent_id="bob", content=AD),
    (events.Requested, "payload"): c.AgentRequest(
        agent_id="ann", to_agent_id="bob", request_type="task", payload={AD: 1}
    ),
    (events.Responded, "response"): c.AgentRespond(agent_id="ann", request_id="r?", response=[AD]),
}  # fmt: skip
#: What an agent cannot put words in, muted or not, and what it may try.
CLOSED: Final[dict[tuple[type[events.Event], str], c.Command | None]] = {
    (events.Action, "target_agent_id"): c.WorldAction(agent_id="ann", target_agent_id=AD),
    (events.Arrived, "target_agent_id"): c.WorldWalk(agent_id="ann", target_agent_id=AD),
    (events.Blocked, "target_agent_id"): c.WorldWalk(agent_id="ann", target_agent_id=AD),
    (events.Arrived, "workstation_id"): c.WorldWalk(agent_id="ann", workstation_id=AD),
    (events.Blocked, "workstation_id"): c.GoToWorkstation(agent_id="ann", workstation_id=AD),
    (events.Message, "to_agent_id"): c.AgentMessage(agent_id="ann", to_agent_id=AD, content="x"),
    (events.Requested, "to_agent_id"): c.AgentRequest(agent_id="ann", to_agent_id=AD, request_type="task"),
    (events.Catalogue, "agent_id"): c.ClawhubPublish(agent_id=AD, id="x", name="x"),
    # One of a few words that the command allows, a refusal's code, or an id that the realm has made.
    (events.Action, "action"): None, (events.Blocked, "reason"): None,
    (events.Requested, "request_type"): None,
    (events.Work, "workstation_id"): None, (events.Board, "post_id"): None,
    (events.Requested, "request_id"): None, (events.Responded, "request_id"): None,
    (events.Responded, "to_agent_id"): None,
    # Proven: no text of the sender's.
    (events.Join, "pubkey"): None, (events.ProfileChanged, "pubkey"): None,
    # To whoever installed it, of a plugin that was published before.
    (events.Republished, "to_agent_id"): None, (events.Republished, "skill_id"): None,
    (events.Republished, "installed_version"): None,
}  # fmt: skip


def kinds(base: type[events.Event] = events.Event) -> Iterable[type[events.Event]]:
    for kind in base.__subclasses__():
        if kind.__struct_config__.tag not in (None, kind.__name__):  # a base has no name on the wire
            yield kind
        yield from kinds(kind)


def holds_words(kind: inspect.Type) -> bool:
    """Whether a value of this type could be a text."""
    if isinstance(kind, inspect.UnionType):
        return any(holds_words(one) for one in kind.types)
    wordless = (inspect.IntType, inspect.FloatType, inspect.BoolType, inspect.LiteralType, inspect.NoneType)
    return not isinstance(kind, wordless)


def stage() -> tuple[World, Caller, Caller]:
    """Ann, who works and is bound to a key; the caller with that key, and one with her token."""
    world = peopled("bob")
    keyed = Caller(address="198.51.100.7", pubkey=KEY, npub="npub1")
    assert not isinstance(world.apply(c.Register(agent_id="ann"), T0, keyed), Rejection)
    world.tables.put("claims", STATION, Claim(STATION, "ann", T0, T0))
    world.holding["ann"] = STATION
    done(world, c.ClawhubPublish(id="tool", name="Tool"))
    ours = c.ClawhubPublish(agent_id="ann", id="ours", name="Ours")
    assert not isinstance(world.apply(ours, T0, keyed), Rejection)
    done(world, c.ClawhubInstall(agent_id="bob", skill_id="ours"))
    return world, keyed, Caller(address="203.0.113.9", serials=dict(keyed.serials))


def mute(world: World, scope: Any, target: str, kind: Any = "mute") -> None:
    done(world, c.Impose(sanction=Sanction(identify(kind, scope, target), kind, scope, target, "ads", T0)))


def ready(world: World, command: c.Command) -> c.Command:
    """What can be sent only once somebody else has asked."""
    if isinstance(command, c.AgentRespond):
        (asked,) = done(world, c.AgentRequest(agent_id="bob", to_agent_id="ann", request_type="task"))
        return msgspec.structs.replace(command, request_id=asked.request_id)
    return command


def told(outcome: Any) -> str:
    """All that others are told, as JSON."""
    return "" if isinstance(outcome, Rejection) else msgspec.json.encode(outcome).decode()


def test_every_field_that_reaches_others_is_listed() -> None:
    """No event can get a field with words in it before somebody has thought of mutes."""
    fields = {
        (kind, field.name)
        for kind in kinds()
        for field in inspect.type_info(kind).fields  # type: ignore[union-attr]
        if holds_words(field.type)
    }
    own = {(kind, "agent_id") for kind in kinds()} - SENT.keys() - CLOSED.keys()  # the sender's, registered
    assert fields == SENT.keys() | CLOSED.keys() | own
    assert not SENT.keys() & CLOSED.keys()


@pytest.mark.parametrize(("where", "command"), SENT.items(), ids=lambda x: getattr(x, "__name__", None))
def test_what_a_muted_agent_sends_is_told_to_nobody(
    where: tuple[type[events.Event], str], command: c.Command
) -> None:
    """In each field that shows what an agent sends, nothing of a muted one is: by key, token or name."""
    world, keyed, _ = stage()
    kind, field = where
    seen = [e for e in world.apply(ready(world, command), T0, keyed) if type(e) is kind]  # type: ignore[union-attr]
    assert [e for e in seen if getattr(e, field, None)], "else this proves nothing"
    for scope, target in (("pubkey", KEY), ("agent", "ann")):
        world, keyed, bearer = stage()
        mute(world, scope, target)
        newcomer = command.agent_id not in world.tables.profiles  # type: ignore[attr-defined]
        for caller in () if newcomer and scope == "agent" else (keyed, bearer):
            outcome = world.apply(ready(world, command), T0, caller)
            assert outcome == Rejection("muted", "muted", "ads", 0), (scope, outcome)


@pytest.mark.parametrize("command", [command for command in CLOSED.values() if command is not None])
def test_an_id_that_is_no_agents_is_told_to_nobody(command: c.Command) -> None:
    """Where others' ids are shown, nothing else can stand, whoever sends it; a look at nobody is taken."""
    world, keyed, _ = stage()
    outcome = world.apply(command, T0, keyed)
    assert AD not in told(outcome)
    if isinstance(command, c.WorldAction):
        assert not isinstance(outcome, Rejection)


def filled(kind: inspect.Type) -> Any:
    """A value of this type, with the advertisement wherever a text can be."""
    match kind:
        case inspect.UnionType():
            return filled(next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
        case inspect.Metadata():
            return filled(kind.type)
        case inspect.StrType():
            return TINT if kind.pattern and kind.pattern.startswith("^#") else AD
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.VarTupleType():
            return (filled(kind.item_type),)
        case inspect.StructType():
            return kind.cls(**{field.name: filled(field.type) for field in kind.fields})
        case inspect.DictType() | inspect.AnyType():
            return {AD: AD}
        case _:
            return 1


@pytest.mark.parametrize("kind", c.COMMANDS.values(), ids=list(c.COMMANDS))
@pytest.mark.parametrize("agent_id", ["ann", "new", AD, None])
def test_no_command_of_a_muted_key_carries_a_word(kind: type[c.Command], agent_id: str | None) -> None:
    """Whatever is asked, with words in every argument, under an old id, a new one or none, nobody is told."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    fields = {field.name: filled(field.type) for field in info.fields if field.name != "agent_id"}
    if agent_id is None and any(f.name == "agent_id" and f.required for f in info.fields):
        agent_id = "ann"
    command = kind(agent_id=agent_id, **fields)  # type: ignore[call-arg]
    world, keyed, bearer = stage()
    mute(world, "pubkey", KEY)
    for caller in (keyed, bearer):
        if kind in (c.Delegate, c.Disown):  # the one never comes here, the other frees it from its owner
            continue
        outcome = world.apply(ready(world, command), T0, caller)
        assert AD not in told(outcome), outcome
        assert TINT not in told(outcome), outcome
    assert AD not in msgspec.json.encode(world.tables.profiles).decode()


def test_a_muted_agent_comes_and_works_as_it_is_known() -> None:
    """It may register again as it is, by the name that it gave or the one that it has, and walk and wave."""
    world, keyed, _ = stage()
    world.apply(c.Register(agent_id="ann", name="Bob"), T0, keyed)
    assert world.tables.profiles["ann"].name != "Bob"  # another's: it is marked
    mute(world, "pubkey", KEY)
    for command in (
        c.Register(agent_id="ann"), c.Register(agent_id="ann", name="Bob", bio="", capabilities=()),
        c.WorldAction(agent_id="ann", action="wave", target_agent_id="bob"), c.WorkFinish(agent_id="ann"),
        c.WorldWalk(agent_id="ann", target_agent_id="bob"), c.WorldLeave(agent_id="ann"),
        c.WorldMove(agent_id="ann", x=1), c.TokenRotate(agent_id="ann"),
    ):  # fmt: skip
        outcome = world.apply(command, T0, keyed)
        assert not isinstance(outcome, Rejection), (command, outcome)
    assert isinstance(world.apply(c.Disown(agent_id="ann"), T0, keyed), Rejection)


@pytest.mark.parametrize("kind", ["mute", "ban"])
def test_a_sanctioned_key_registers_nothing_new(kind: str) -> None:
    """Neither with the key, nor with a token of an agent bound to it, nor as a visitor of the page."""
    for by_token in (False, True):
        world, keyed, bearer = stage()
        mute(world, "pubkey", KEY, kind)
        caller = bearer if by_token else keyed
        for command in (c.Register(agent_id="new"), c.PlayerJoin(agent_id="human-1", name=AD)):
            outcome = world.apply(command, T0, caller)
            assert isinstance(outcome, Rejection), outcome
            assert outcome.code == ("muted" if kind == "mute" else "banned")
    stranger = Caller(address="203.0.113.9", pubkey=OTHER, npub="npub1")
    assert not isinstance(world.apply(c.Register(agent_id="cid"), T0, stranger), Rejection)
