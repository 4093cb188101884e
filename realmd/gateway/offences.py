"""What no client should do: counted, and told in few lines, however many do it how often."""

from __future__ import annotations

from typing import Final, Literal

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..host.network import Sparing
from ..primitives.errors import Fault, Unproven

Kind = Literal["identity", "http", "frames", "message", "origin", "host", "path"]
#: identity: nothing was proven, or not this; http, frames: the protocol was broken, or its bounds;
#: message: it cannot be read; origin, host: a page of another site; path: there is none.
KINDS: Final[tuple[Kind, ...]] = ("identity", "http", "frames", "message", "origin", "host", "path")
#: Refusals that say so: somebody wanted to speak for another.
IDENTITY: Final = frozenset({"token_required", "token_revoked", "not_yours", "reserved"})
MISDIRECTED: Final = 421
#: Lines a minute of each kind; the next one tells how many there were.
LINES: Final = 3


class Offences:
    """Who did what is in the log, by the address; how often, in the metrics."""

    _log = Logger(namespace="realmd.gateway")

    def __init__(self, clock: IReactorTime) -> None:
        self.counts: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._say = {kind: Sparing(self._log, clock, most=LINES) for kind in KINDS}

    def note(self, kind: Kind, door: str, peer: str) -> None:
        """Somebody at `peer` (an address) did this."""
        self.counts[kind] += 1
        self._say[kind].info(
            "offence kind={kind} door={door} peer={peer} n={n}",
            kind=kind, door=door, peer=peer, n=self.counts[kind],
        )  # fmt: skip

    def fault(self, fault: Fault, door: str, peer: str) -> None:
        """A request or message of theirs was wrong in itself."""
        kind: Kind = "host" if fault.status == MISDIRECTED else "message"
        self.note("identity" if isinstance(fault, Unproven) else kind, door, peer)

    def refused(self, code: object, door: str, peer: str) -> None:
        """A refusal with this code was the answer."""
        if code in IDENTITY:
            self.note("identity", door, peer)
