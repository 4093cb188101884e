"""How a relay does: counted by its link, read by health checks and metrics."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field


class Health(Struct, kw_only=True):
    """One relay.  Times in ms since the epoch, durations in seconds; None for what never happened."""

    connected: bool = False
    #: When it connected, or when the link was lost.
    since: int | None = None
    last_event: int | None = None
    #: Round trip of the newest ping, or of the newest answer while none came back yet.
    latency: float | None = None
    authenticated: bool = False
    accepted: int = 0
    #: By the relay's prefix, or by a reason of our own (`bounds.OWN_REASONS`).
    refused: Counter[str] = field(default_factory=Counter)
    #: Links lost or never made; how many in a row; why the last one.
    failures: int = 0
    failures_in_a_row: int = 0
    cause: str = ""
    #: Links made after the first.
    reconnects: int = 0
    received: int = 0
    #: What was received in vain: garbage, too_large, forged, unasked, known already, and unmatched, an
    #: OK for no event on its way.
    discarded: Counter[str] = field(default_factory=Counter)
    queued: int = 0
    #: Newest words of the relay for people.
    notice: str = ""
