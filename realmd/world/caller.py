"""On whose behalf a command comes.  Doors make a `Caller` of what was proven to them."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field

from .model import Via


class Caller(Struct, eq=False):
    """Who stands behind a connection, or behind one request.

    `local`: a program on the realm's own host, not a page of some site and not behind a proxy.
    `pubkey` (hex) and `npub`: a Nostr key that was proven.  `serials`: agentId → serial of the
    token that was shown for it, or that registering it on this connection made.  `source` and
    `network`: what counts as one address, and as one network, where shares are kept; "" of a local
    program, which has no share.  `via`: what it asks was said where others hear it, too.
    """

    local: bool = False
    address: str = ""
    pubkey: str = ""
    npub: str = ""
    serials: dict[str, int] = field(default_factory=dict)
    #: The daemon itself and its minds; no door makes such a caller.
    inside: bool = False
    source: str = ""
    network: str = ""
    via: Via | UnsetType = UNSET

    def remember(self, agent_id: str, serial: int) -> None:
        """From now on this caller holds the token of that serial."""
        if not self.inside:
            self.serials[agent_id] = serial


INSIDE = Caller(inside=True)
