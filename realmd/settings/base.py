"""What the declarations of settings share: units, forms, and the base of every section."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

WEB = r"^(https?://[^\s/]\S*)?$"
LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
PATH = r"^[^\x00]*$"
AN_ADDRESS = {"allowed": "an http:// or https:// address, or nothing"}

Seconds = Annotated[float, Meta(ge=0.1, le=86_400)]
Bytes = Annotated[int, Meta(ge=1024, le=16_777_216)]
Days = Annotated[int, Meta(ge=1, le=36_500)]
RelayUrl = Annotated[str, Meta(pattern=r"^wss?://[^\s/]\S*$", extra={"allowed": "ws:// or wss:// addresses"})]
WebOrigin = Annotated[
    str,
    Meta(
        pattern=r"^(\*|null|[a-z][a-z0-9+.-]*://[^\s/]+)$",
        extra={"allowed": 'origins like "https://example.org", or "*" for any'},
    ),
]


class Section(Struct, frozen=True):
    """Base of every section; the docstring's first line heads it in realmd.toml."""
