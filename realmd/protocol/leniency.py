"""What the first server took and strict JSON or our types do not: mended before it is decoded.

Its clients send ``null`` for what they do not give, and cut texts in the middle of an emoji.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import inspect

#: An escape in a JSON text: a pair of surrogates, one alone, or any other (so that `\\\\u` is none).
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|.)",
    re.DOTALL,
)
#: Whether there can be a surrogate at all.
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def mend(text: bytes) -> bytes:
    """JSON with U+FFFD for each half of a surrogate pair; what has none comes back as it is."""
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], text)


def decode(decoder: msgspec.json.Decoder[Any], text: bytes) -> Any:
    """`decoder.decode`, which is tried again with a mended `text` if a half of a pair can be at fault."""
    try:
        return decoder.decode(text)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if not _SURROGATE.search(text):
            raise
    return decoder.decode(mend(text))


class Lenient:
    """A decoder of `struct` to which an optional argument that is ``null`` was not given."""

    def __init__(self, struct: type) -> None:
        self.type = struct
        self._strict: msgspec.json.Decoder[Any] = msgspec.json.Decoder(struct, strict=True)

    def decode(self, text: bytes) -> Any:
        """As msgspec's, with its errors."""
        if b"null" in text:
            text = msgspec.json.encode(_given(self.type, decode(_any, text)))
        return decode(self._strict, text)


_any: Final = msgspec.json.Decoder()


def _given(struct: type, value: Any) -> Any:
    """`value` without what is null and need not be there, of `struct` and of structs in lists in it."""
    if not isinstance(value, dict):
        return value
    optional, inner = _fields(struct)
    kept = {name: part for name, part in value.items() if part is not None or name not in optional}
    for name, kind in inner.items():
        if isinstance(kept.get(name), list):
            kept[name] = [_given(kind, part) for part in kept[name]]
    return kept


@lru_cache(256)
def _fields(struct: type) -> tuple[frozenset[str], dict[str, type]]:
    """The names of the fields that are optional, and name → struct of those that are lists of structs."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    optional = frozenset(field.encode_name for field in info.fields if not field.required)
    inner: dict[str, type] = {}
    for field in info.fields:
        kinds = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        for kind in kinds:
            if isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.StructType):
                inner[field.encode_name] = kind.item_type.cls
    return optional, inner
