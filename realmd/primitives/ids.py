"""What an id looks like, on the wire and in the database."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

#: Anything printable, as the old server took it, but bounded and without control characters.
AgentId = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^\\x00-\\x1f\\x7f-\\x9f]+\\Z")]
