"""Every text that an outsider can send, found in the declarations of the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest
from msgspec import inspect

from realmd.primitives.errors import Rejection
from realmd.world import commands as c
from realmd.world.engine import RULES, World
from realmd.world.model import Claim
from tests.world.worlds import T0, done, peopled

SECRET: Final = "AKIA" + "IOSFODNN7EXAMPLE"
#: A secret, a blocked word, what turns a line round, and what is not seen.
LEAK: Final = f"{SECRET} \u202e darn\u200b"
#: What a text may say so that the command gets as far as its rule.
GOOD: Final[dict[str, Any]] = {
    "agentId": "ann", "toAgentId": "bob", "workstationId": "memory-archive", "requestId": "r3",
    "skillId": "lamp", "targetAgentId": "bob", "color": "#112233",
}  # fmt: skip
#: The front desk makes `set-owner` of it; nothing of its event is kept.
DESK: Final = {c.Delegate}
#: Ids must be those of something that is known; the id of a newcomer may not look like a secret.
REFUSED: Final = {("agentId",), ("toAgentId",), ("workstationId",), ("requestId",), ("skillId",)}
Path = tuple[str, ...]


def texts(kind: inspect.Type, path: Path = ()) -> Iterator[Path]:
    """Where in a value of this type text can stand: names of fields, "[]" for an item, "{}" for a value."""
    match kind:
        case inspect.Metadata():
            yield from texts(kind.type, path)
        case inspect.UnionType():
            for one in kind.types:
                yield from texts(one, path)
        case inspect.VarTupleType():
            yield from texts(kind.item_type, (*path, "[]"))
        case inspect.StructType():
            for field in kind.fields:
                yield from texts(field.type, (*path, field.encode_name))
        case inspect.StrType():
            yield path
        case inspect.AnyType():
            yield from (path, (*path, "[]"), (*path, "{}"), (*path, "password\u200b"))


def filled(info: inspect.StructType, path: Path) -> dict[str, Any]:
    """The fields that are needed, and the one that `path` leads to with the leak in it."""
    return {
        field.encode_name: leaking(field.type, path[1:]) if field.encode_name == path[0] else good(field)
        for field in info.fields
        if field.required or field.encode_name == path[0]
    }


def leaking(kind: inspect.Type, rest: Path) -> Any:
    match kind:
        case inspect.Metadata():
            return leaking(kind.type, rest)
        case inspect.UnionType():
            return leaking(next(t for t in kind.types if not isinstance(t, inspect.NoneType)), rest)
        case inspect.VarTupleType():
            return [leaking(kind.item_type, rest[1:])]
        case inspect.StructType():
            return filled(kind, rest)
        case inspect.AnyType() if rest:
            return {"[]": [LEAK], "{}": {LEAK: LEAK}}.get(rest[0], {rest[0]: "hunter22"})
    return LEAK


def good(field: inspect.Field) -> Any:
    if isinstance(field.type, inspect.LiteralType):
        return field.type.values[0]
    return GOOD.get(field.encode_name, "plain")


CASES: Final = [
    pytest.param(kind, path, id=f"{name} {'.'.join(path)}".replace("\u200b", "?"))
    for name, kind in c.COMMANDS.items()
    if kind not in DESK
    for path in dict.fromkeys(texts(inspect.type_info(kind)))
]


def lively() -> World:
    """A world in which every command has something to do."""
    world = peopled("ann", "bob", blocked_words=("darn",))
    done(world, c.AgentRequest(agent_id="bob", to_agent_id="ann", request_type="info"))
    done(world, c.ClawhubPublish(agent_id="ann", id="lamp", name="Lamp"))
    world.tables.put("claims", "memory-archive", Claim("memory-archive", "ann", T0, T0))
    world.holding["ann"] = "memory-archive"
    world.seal()
    return world


@pytest.mark.parametrize(("kind", "path"), CASES)
def test_no_text_is_kept_or_told_as_it_came(kind: type[c.Command], path: Path) -> None:
    """In whatever field a secret or a hidden character is sent: it is refused, or masked and taken out."""
    world = lively()
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    sender = {"agentId": "ann"} if any(field.encode_name == "agentId" for field in info.fields) else {}
    command = msgspec.convert({**sender, **filled(info, path)}, kind)
    outcome = world.apply(command, T0 + 5000)
    refused = isinstance(outcome, Rejection)
    assert refused == (path in REFUSED or (kind, path) == (c.WorldWalk, ("targetAgentId",))), outcome
    told = () if isinstance(outcome, Rejection) else outcome
    kept = msgspec.json.encode([told, list(world.seal().after.values())]).decode()
    assert [part for part in (SECRET, "darn", "\u202e", "\u200b", "hunter22") if part in kept] == []


def test_the_cases_are_all_there_are() -> None:
    """Every command with a rule is tried, with the ids of skills and plugins among its texts."""
    assert {kind for kind in c.COMMANDS.values() if kind not in RULES} == DESK
    tried = {(param.values[0], param.values[1]) for param in CASES}
    for known in (
        (c.Register, ("skills", "[]", "skillId")), (c.ClawhubPublish, ("id",)), (c.WorldChat, ("text",)),
        (c.ClawhubPublish, ("tags", "[]")), (c.AgentRequest, ("payload", "password\u200b")),
    ):  # fmt: skip
        assert known in tried
