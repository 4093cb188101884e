"""`describe`: what can be asked, generated from the structs that validate it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from msgspec import inspect

from ..world.commands import COMMANDS
from ..world.queries import QUERIES

VERSION: Final = "3.0.0"
_SIMPLE: Final = {
    inspect.StrType: "string",
    inspect.FloatType: "number",
    inspect.IntType: "integer",
    inspect.BoolType: "boolean",
    inspect.AnyType: "any",
    inspect.DictType: "object",
    inspect.StructType: "object",
    inspect.VarTupleType: "array",
    inspect.LiteralType: "string",
}


@lru_cache(4)  # it takes some ms to make, and anybody may ask
def describe(base: str, port: int, half: float) -> dict[str, Any]:
    """The `skill` that agents read to learn the room's commands; shared, so not to be changed.

    `base` is the realm's address without a slash, `half` how far the world reaches from its middle.
    """
    commands = {name: _command(struct) for name, struct in {**COMMANDS, **QUERIES}.items()}
    for name in ("world-move", "world-walk"):
        for axis in ("x", "z"):
            commands[name]["args"][axis] |= {"min": -half, "max": half}
    return {
        "name": "world-room",
        "version": VERSION,
        "description": "A shared three-dimensional room: join, walk, talk, work at stations, message others.",
        "ipc": {"transport": "http", "endpoint": "/ipc", "defaultPort": port, "url": f"{base}/ipc"},
        "commands": commands,
    }


def _command(struct: type) -> dict[str, Any]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    entry: dict[str, Any] = {"description": " ".join((struct.__doc__ or "").split())}
    fields = {field.encode_name: field for field in info.fields}
    if "agentId" in fields and fields["agentId"].required and not getattr(struct, "stranger", False):
        entry["requiresAgent"] = True
    entry["args"] = {name: _argument(field) for name, field in fields.items()}
    return entry


def _argument(field: inspect.Field) -> dict[str, Any]:
    argument = _type(field.type)
    if field.required:
        argument["required"] = True
    elif isinstance(field.default, (str, int, float)):
        argument["default"] = field.default
    return argument


def _type(kind: inspect.Type) -> dict[str, Any]:
    if isinstance(kind, inspect.Metadata):
        told = (kind.extra_json_schema or {}).get("description")
        return {**_type(kind.type), **({"description": told} if told else {})}
    if isinstance(kind, inspect.UnionType):
        real = [t for t in kind.types if not isinstance(t, inspect.NoneType)]
        return _type(real[0])
    described: dict[str, Any] = {"type": _SIMPLE[type(kind)]}
    for ours, theirs in (("min", "ge"), ("max", "le")):
        if (bound := getattr(kind, theirs, None)) is not None:
            described[ours] = bound
    if isinstance(kind, inspect.StrType):
        if kind.max_length is not None:
            described["maxLength"] = kind.max_length
        if kind.min_length is not None:
            described["minLength"] = kind.min_length
    if isinstance(kind, inspect.LiteralType):
        described["enum"] = sorted(kind.values)
    if isinstance(kind, inspect.VarTupleType):
        described["items"] = _type(kind.item_type)
        if kind.max_length is not None:
            described["maxItems"] = kind.max_length
    if isinstance(kind, inspect.StructType):
        described["fields"] = {f.encode_name: _argument(f) for f in kind.fields}
    return described
