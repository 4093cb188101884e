"""Settings of who may speak for whom."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .base import Days, Section


class Auth(Section, frozen=True):
    """Identity: who may speak for an agent."""

    mode: Annotated[
        Literal["local-open", "required", "open"],
        Meta(
            description="local-open: programs on this host need no token for agents registered by such;"
            " required: everybody needs one; open: nobody (a lab only)."
        ),
    ] = "local-open"
    token_days: Annotated[Days, Meta(description="How long a token counts.")] = 30
    key_days: Annotated[Days, Meta(description="After how long a new key signs tokens.")] = 90
