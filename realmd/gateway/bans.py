"""Who is banned by address: refused at the door, with a word as long as there are not too many of them."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol
from twisted.logger import Logger

from ..host.network import Sparing
from ..primitives.bucket import Bucket, Rate
from ..primitives.errors import Fault
from ..primitives.figures import Figures
from ..runtime.realm import refusal
from ..world.engine import World
from ..world.model import Sanction
from ..world.rules.sanctions import told
from .peers import UNIX, Peer, Peers, plain

#: Connections of banned addresses that are told why, a second; those beyond are cut without a word.
WORDS: Final = Rate(20.0, 100.0)


class Barred(Fault):
    """A request from a banned address (HTTP 403); `fields` is the answer."""

    status = 403

    def __init__(self, sanction: Sanction) -> None:
        rejection = told(sanction)
        assert rejection is not None
        self.fields = refusal(rejection).fields
        super().__init__(rejection.text, code=rejection.code)


class Bans:
    """Asks the world's sanctions for every connection and every request."""

    _log = Logger(namespace="realmd.gateway")

    def __init__(self, world: World, peers: Peers, clock: IReactorTime) -> None:
        self.refused = self.cut = 0
        self._world = world
        self._peers = peers
        self._clock = clock
        self._words = Bucket(WORDS, clock.seconds())
        self._say = Sparing(self._log, clock, most=5)

    def admit(self, peer: Peer) -> None:
        """Raise `Barred` if `peer` is banned."""
        sanction = self._world.tables.standing.banned(peer.address, self._world.now)
        if sanction is not None:
            self.refused += 1
            self._say.info("banned peer={peer} network={network}", peer=peer.address, network=sanction.target)
            raise Barred(sanction)

    def cuts(self, address: Any) -> bool:
        """Whether a connection from `address` (of the transport) is to be cut without a word.

        Not that of a proxy: whoever comes by it is looked at by request.
        """
        host = plain(getattr(address, "host", UNIX))
        standing = self._world.tables.standing
        if standing.banned(host, self._world.now) is None or self._peers.trusts(host):
            return False
        if not self._words.take(WORDS, 1.0, self._clock.seconds()):
            return False
        self.cut += 1
        return True

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            ("realmd_sanctions", "Mutes and bans in force.", lambda: len(self._world.tables.sanctions)),
            ("realmd_banned_requests_total", "Requests of banned addresses.", lambda: self.refused),
            ("realmd_banned_cut_total", "Connections of banned addresses cut unheard.", lambda: self.cut),
        ]


class Cut(Protocol):
    """A connection that ends at once."""

    def connectionMade(self) -> None:
        self.transport.abortConnection()  # type: ignore[union-attr]
