"""Shares of requests, messages and registrations: token buckets by connection, address and network.

Where a message says who sends it, and
who may, is no matter here: this bounds the work that anybody can cause.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..host.network import Sparing
from ..primitives.bucket import Bucket, Rate, Table
from ..primitives.errors import Fault
from ..settings.limits import Limits
from .peers import Peer

#: Bytes that one request or message, and its answer, may have at the price of one; each such
#: piece more costs one more.
PIECE: Final = 4096
#: What else costs more or less than one: a file of the page (a browser loads some hundred at once),
#: and what makes an agentId or collects all metrics.
FILE_COST: Final = 0.1
HEAVY_COST: Final = 20.0
HOUR: Final = 3600.0
#: A network may register as much as so many of its addresses.
NETWORK_REGISTRATIONS: Final = 4
#: The longest wait (s) that is told; who comes then and is too early is told again.
LONGEST_WAIT: Final = 60
#: The time (s) in which `flood_refusals` make a flood.
FLOOD_WINDOW: Final = 10.0
Name = Literal["connection", "address", "network", "registrations"]


class Refusal(Struct, frozen=True):
    """Which share is used up, and how long (s) until enough of it is back."""

    limit: Name
    wait: float

    @property
    def seconds(self) -> int:
        """For Retry-After: whole seconds, at least one and at most `LONGEST_WAIT`."""
        return max(1, min(LONGEST_WAIT, math.ceil(self.wait)))

    @property
    def text(self) -> str:
        what = "registrations" if self.limit == "registrations" else "requests"
        whose = "this address" if self.limit == "registrations" else f"this {self.limit}"
        when = "later" if self.wait > LONGEST_WAIT else f"in {self.seconds} s"
        return f"Too many {what} from {whose}; try again {when}"


class RateLimited(Fault):
    """Raised at a door to refuse what comes too fast (HTTP 429)."""

    status = 429

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text, code="rate_limited")
        self.seconds = refusal.seconds


class Throttle:
    """The share of one connection, and how often it went beyond any."""

    __slots__ = ("_rates", "_share", "_strikes", "asked", "flooding")

    def __init__(self, rates: RateLimits) -> None:
        now = rates.clock.seconds()
        self._rates = rates
        self._share = Bucket(rates.connection, now)
        self._strikes = Bucket(rates.strikes, now)
        #: Its queries that wait for an answer.
        self.asked = 0
        #: It was refused so often that it is to be closed.
        self.flooding = False

    def admit(self, peer: Peer, door: str, cost: float = 1.0, shared: bool = False) -> Refusal | None:
        """Take `cost` of all shares that `peer` has, or say why not.

        `shared`: a proxy sends requests of several clients here, so that the connection has no share.
        """
        rates = self._rates
        now = rates.clock.seconds()
        wait = 0.0 if shared else self._share.take(rates.connection, cost, now)
        refusal = Refusal("connection", wait) if wait else rates.charge(peer, cost, now)
        if refusal is not None:
            rates.refused[refusal.limit] += 1
            if shared:
                rates.strike(peer, door, refusal.limit, now)
            elif self._strikes.take(rates.strikes, 1.0, now) and not self.flooding:
                self.flooding = True
                rates.flood(door, peer, refusal.limit)
        return refusal

    def answered(self, peer: Peer, size: int, shared: bool = False) -> None:
        """Take the price of an answer of `size` bytes: short questions may have long ones."""
        if size >= PIECE:
            self.owe(peer, size // PIECE, shared)

    def owe(self, peer: Peer, cost: float, shared: bool = False) -> None:
        """Take `cost` of all shares, there or not: it has been caused already."""
        rates = self._rates
        now = rates.clock.seconds()
        if not shared:
            self._share.owe(rates.connection, cost, now)
        rates.owe(peer, cost, now)


class RateLimits:
    """The shares of all addresses and networks; what runs on this host (`Peer.local`) has no bounds there."""

    _log = Logger(namespace="realmd.gateway")

    def __init__(self, limits: Limits, clock: IReactorTime) -> None:
        self.clock = clock
        self.connection = Rate(limits.connection_rate, limits.connection_rate * limits.burst_s)
        self.strikes = Rate(limits.flood_refusals / FLOOD_WINDOW, limits.flood_refusals)
        self.refused: dict[Name, int] = {"connection": 0, "address": 0, "network": 0, "registrations": 0}
        self.floods = 0
        self._addresses = Table(_rate(limits.address_rate, limits.burst_s), limits.tracked)
        self._networks = Table(_rate(limits.network_rate, limits.burst_s), limits.tracked)
        hourly = limits.address_registrations
        self._registering = Table(Rate(hourly / HOUR, hourly), limits.tracked)
        networks = hourly * NETWORK_REGISTRATIONS
        self._networks_registering = Table(Rate(networks / HOUR, networks), limits.tracked)
        self._striking = Table(self.strikes, limits.tracked)
        self._say = Sparing(self._log, clock)

    def throttle(self) -> Throttle:
        """For a connection that begins."""
        return Throttle(self)

    def charge(self, peer: Peer, cost: float, now: float) -> Refusal | None:
        """Take `cost` of what the address and the network of `peer` may."""
        if peer.local:
            return None
        if wait := self._addresses.take(peer.source, cost, now):
            return Refusal("address", wait)
        if wait := self._networks.take(peer.network, cost, now):
            return Refusal("network", wait)
        return None

    def strike(self, peer: Peer, door: str, limit: str, now: float) -> None:
        """A request of `peer` that a proxy sent was refused: its connection is not to blame, it is."""
        if self._striking.take(peer.source, 1.0, now):
            self._striking.owe(peer.source, -self.strikes.burst, now)  # the next line after as many more
            self.flood(door, peer, limit)

    def owe(self, peer: Peer, cost: float, now: float) -> None:
        """Take `cost` of it, there or not.  What an address cannot owe its network does not, either."""
        if not peer.local:
            taken = self._addresses.owe(peer.source, cost, now)
            self._networks.owe(peer.network, taken, now)

    def connect(self, peer: Peer) -> Refusal | None:
        """A connection from `peer`, which costs it as much as a request."""
        refusal = self.charge(peer, 1.0, self.clock.seconds())
        if refusal is not None:
            self.refused[refusal.limit] += 1
        return refusal

    def register(self, peer: Peer) -> Refusal | None:
        """An agentId that the realm does not know yet, asked for by `peer`."""
        if peer.local:
            return None
        now = self.clock.seconds()
        # The network first: who has nothing of it left takes no place among the addresses, either.
        wait = self._networks_registering.take(peer.network, 1.0, now)
        if not wait:
            wait = self._registering.take(peer.source, 1.0, now)
            if not wait:
                return None
            self._networks_registering.owe(peer.network, -1.0, now)  # it was not taken after all
        self.refused["registrations"] += 1
        return Refusal("registrations", wait)

    def flood(self, door: str, peer: Peer, limit: str) -> None:
        """A connection does not stop asking for more than it may; it is closed."""
        self.floods += 1
        self._say.warn(
            "flood door={door} peer={peer} limit={limit}", door=door, peer=peer.address, limit=limit
        )

    def tracked(self) -> int:
        """Buckets kept."""
        tables = (self._addresses, self._networks, self._registering, self._networks_registering)
        return sum(map(len, tables))


def _rate(per_second: float, burst_s: float) -> Rate:
    return Rate(per_second, per_second * burst_s)


def cost_of(size: int) -> float:
    """Price of a request or message of `size` bytes."""
    return 1.0 + size // PIECE
