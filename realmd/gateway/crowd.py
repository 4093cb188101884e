"""Who may stay when the doors are crowded.

Connections are counted by address and network, and in all.  When there is no place left, a
new connection gets that of somebody who does the least: the HTTP connection that has waited
the longest for a request (half-open ones are among them), else the newest spectator, a
WebSocket that speaks for nobody.  Agents are never put out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..host.network import Sparing
from ..primitives.figures import Figures
from ..settings.limits import Limits
from .limits import RateLimits
from .peers import UNIX, Peer, Peers, is_loopback, peer_at, plain

#: How long (s) a WebSocket has to speak for an agent before it counts as a spectator's,
#: and an HTTP connection to send its request before its place may be given away.
GRACE: Final = 10.0
LEAST_WAIT: Final = 0.5
#: Places given away whose connections are not gone yet.  Twisted accepts some hundred
#: connections in a row, and files are kept back for no more.
MOST_LEAVING: Final = 32

Reason = Literal["total", "address", "network", "rate"]
#: What is said to whom there is no place for.
TURNED_AWAY: Final[dict[Reason, tuple[bytes, str]]] = {
    "total": (b"503 Service Unavailable", "Too many connections"),
    "address": (b"429 Too Many Requests", "Too many connections from this address"),
    "network": (b"429 Too Many Requests", "Too many connections from this network"),
    "rate": (b"429 Too Many Requests", "Too many requests from this address or network"),
}


class Waiting(Protocol):
    """An HTTP connection on which no request is being answered."""

    def give_way(self) -> None:
        """End at once: the place is needed."""


class Watcher(Protocol):
    """A WebSocket."""

    def speaks(self) -> bool:
        """Whether it speaks for an agent or a player."""

    def give_way(self) -> None:
        """Close with 1013: the place is needed."""


class Crowd:
    """Counts connections, and finds places.  `most` is how many there may be in all."""

    _log = Logger(namespace="realmd.gateway")

    def __init__(
        self, limits: Limits, most: int, peers: Peers, rates: RateLimits, clock: IReactorTime
    ) -> None:
        self.open = 0
        self.most = most
        self.spectators_most = max(1, most * limits.spectators_percent // 100)
        self.refused: Counter[Reason] = Counter({"total": 0, "address": 0, "network": 0, "rate": 0})
        self.given_way: Counter[str] = Counter({"http": 0, "spectator": 0})
        self._limits = limits
        self._peers = peers
        self._rates = rates
        self._clock = clock
        self._say = Sparing(self._log, clock, most=5)
        self._addresses: Counter[str] = Counter()
        self._networks: Counter[str] = Counter()
        self._leaving = 0
        #: Since when each waits, or is open; the eldest first.
        self._waiting: dict[Waiting, float] = {}
        self._watchers: dict[Watcher, float] = {}
        #: Those of them that were spectators at the last look, the newest last.
        self._spectators: list[Watcher] = []

    # -- coming and going ---------------------------------------------------------------

    def enter(self, address: Any) -> Reason | None:
        """Somebody connects from `address` (of the transport): None if there is a place, and it is taken."""
        peer = self._stranger(address)
        reason = self._objection(peer)
        if reason is not None:
            self.refused[reason] += 1
            self._say.warn(
                "connection limit reached limit={limit} peer={peer} refused={n}",
                limit=reason, peer=peer.address if peer else "local", n=self.refused.total(),
            )  # fmt: skip
            return reason
        self.open += 1
        self.hold(peer)
        return None

    def leave(self, address: Any) -> None:
        """A connection that had entered from `address` is gone."""
        self.open -= 1
        self._leaving = max(0, self._leaving - 1)
        self.release(self._stranger(address))

    def full(self, peer: Peer) -> Literal["address", "network"] | None:
        """Which of its shares of connections `peer` has used up, if any."""
        if self._addresses[peer.source] >= self._limits.address_connections:
            return "address"
        if self._networks[peer.network] >= self._limits.network_connections:
            return "network"
        return None

    def hold(self, peer: Peer | None) -> None:
        """One connection more of `peer`."""
        if peer is not None:
            self._addresses[peer.source] += 1
            self._networks[peer.network] += 1

    def release(self, peer: Peer | None) -> None:
        """One connection less of `peer`."""
        if peer is not None:
            for count, key in ((self._addresses, peer.source), (self._networks, peer.network)):
                count[key] -= 1
                if count[key] <= 0:
                    del count[key]

    def _stranger(self, address: Any) -> Peer | None:
        """The peer, if it is to be counted here: no program of this host, and no proxy of others."""
        host = getattr(address, "host", UNIX)
        if host == UNIX or is_loopback(host) or self._peers.trusts(plain(host)):
            return None
        return peer_at(plain(host))

    def _objection(self, peer: Peer | None) -> Reason | None:
        if peer is not None:
            if full := self.full(peer):
                return full
            if self._rates.connect(peer):
                return "rate"
        if self.open - self._leaving < self.most or self._make_room():
            return None
        return "total"

    # -- places ------------------------------------------------------------------------

    def waits(self, channel: Waiting) -> None:
        """From now on `channel` waits for a request."""
        self._waiting.pop(channel, None)
        self._waiting[channel] = self._clock.seconds()

    def busy(self, channel: Waiting) -> None:
        """`channel` does not wait any more."""
        self._waiting.pop(channel, None)

    def watches(self, watcher: Watcher) -> None:
        """A WebSocket has opened."""
        self._watchers[watcher] = self._clock.seconds()

    def watches_no_more(self, watcher: Watcher) -> None:
        self._watchers.pop(watcher, None)

    def _make_room(self) -> bool:
        if self._leaving >= MOST_LEAVING:
            return False
        now = self._clock.seconds()
        for channel, since in self._waiting.items():
            if now - since < LEAST_WAIT:
                break
            del self._waiting[channel]
            self._put_out(channel, "http")
            return True
        while self._spectators:
            watcher = self._spectators.pop()
            if watcher in self._watchers and not watcher.speaks():
                del self._watchers[watcher]
                self._put_out(watcher, "spectator")
                return True
        return False

    def _put_out(self, somebody: Waiting | Watcher, kind: str) -> None:
        self._leaving += 1
        self.given_way[kind] += 1
        somebody.give_way()

    def look(self, _: int = 1) -> None:
        """See who is a spectator by now; those beyond their number go, the newest first."""
        before = self._clock.seconds() - GRACE
        self._spectators = [w for w, since in self._watchers.items() if since <= before and not w.speaks()]
        for watcher in self._spectators[self.spectators_most :]:
            del self._watchers[watcher]
            self._put_out(watcher, "spectator")
        del self._spectators[self.spectators_most :]

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            ("realmd_connections", "Connections open, HTTP and WebSocket.", lambda: self.open),
            ("realmd_connections_max", "Connections that may be open.", lambda: self.most),
            ("realmd_spectators", "WebSockets that speak for nobody.", lambda: len(self._spectators)),
            ("realmd_spectators_max", "WebSockets that may speak for nobody.", lambda: self.spectators_most),
        ]

    def watch_each(self, watch: Callable[[str, str, str, Callable[[], dict[str, float]]], None]) -> None:
        """The metrics with labels."""
        watch(
            "realmd_connections_refused_total", "Connections turned away.", "limit",
            lambda: {str(reason): float(n) for reason, n in self.refused.items()},
        )  # fmt: skip
        watch(
            "realmd_connections_given_way_total", "Connections closed for others to get in.", "kind",
            lambda: {kind: float(n) for kind, n in self.given_way.items()},
        )  # fmt: skip
