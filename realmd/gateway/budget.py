"""Bytes in flight: what was made for clients, and their sockets have not taken.

There is so much of it for the whole process, for each address, and for each connection.  Beyond the first
two, room is made: whoever holds most and has taken nothing for longest is hung up on first, those who speak
for an agent or a player last.  What a socket has taken is the kernel's, and not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..host.network import Sparing
from ..primitives.figures import Figures
from ..settings.limits import Limits
from .account import PLEDGE, Account, Holder, Pool

#: Room is made down to this part of a limit, if more than the other is really held: so that looking at
#: all that is held is paid for by what came meanwhile.
DOWN_TO: Final = 7 / 8
REALLY: Final = 15 / 16
#: Who is refused for a full pool may be so on the word of a look no older than this (s).
AGAIN: Final = 0.1


class Budget:
    """All accounts.  `total`, `address` and `connection` are the limits (bytes)."""

    _log = Logger(namespace="realmd.gateway")

    def __init__(self, total: int, address: int, connection: int, clock: IReactorTime) -> None:
        self.clock = clock
        self.connection = connection
        self.total = Pool(total)
        self.refused = 0
        self.evicted: Counter[str] = Counter({"reader": 0, "agent": 0})
        self._address = address
        self._addresses: dict[str, Pool] = {}
        self._say = Sparing(self._log, clock, most=5)

    @classmethod
    def of(cls, limits: Limits, connection: int, memory: int, clock: IReactorTime) -> Budget:
        """As the settings say, on a machine that gives the process `memory` bytes."""
        total = limits.in_flight_bytes or memory // 4
        return cls(total, limits.address_in_flight_bytes, connection, clock)

    def open(self, holder: Holder) -> Account:
        """For a connection that begins."""
        return Account(self, holder)

    def pool(self, source: str | None) -> tuple[Pool, ...]:
        """The address's; none for who is held to no share of one."""
        if source is None:
            return ()
        pool = self._addresses.get(source)
        if pool is None:
            pool = self._addresses[source] = Pool(self._address)
        return (pool,)

    def forget(self, source: str | None) -> None:
        """A connection from there is gone."""
        if source is not None and source in self._addresses and not self._addresses[source].accounts:
            del self._addresses[source]

    def settle(self, pool: Pool) -> None:
        """See what is really held in it."""
        pool.settled = self.clock.seconds()
        for account in pool.accounts:
            account.settle()

    def full(self, pool: Pool) -> bool:
        """Whether there is no room for one more query."""
        if pool.held + PLEDGE > pool.limit and self.clock.seconds() - pool.settled >= AGAIN:
            self.settle(pool)
        return pool.held + PLEDGE > pool.limit

    def make_room(self, pool: Pool) -> None:
        """`pool` seems to hold more than it may."""
        self.settle(pool)
        if pool.held <= pool.limit * REALLY:
            return
        now = self.clock.seconds()

        def order(account: Account) -> tuple[bool, float]:
            return account.holder.speaks(), -account.held * (1.0 + now - account.since)

        for account in sorted((a for a in pool.accounts if a.held), key=order):
            if pool.held <= pool.limit * DOWN_TO:
                break
            kind = "agent" if account.holder.speaks() else "reader"
            self.evicted[kind] += 1
            self._say.warn(
                "memory for clients is used up kind={kind} peer={peer} held={held} in_flight={total}",
                kind=kind, peer=account.source or "local", held=account.held, total=self.total.held,
            )  # fmt: skip
            holder = account.holder
            account.close()
            holder.evict()

    def in_flight(self) -> int:
        """Bytes, as they really are now."""
        self.settle(self.total)
        return self.total.held

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            ("realmd_in_flight_bytes", "Made for clients, not taken by their sockets.", self.in_flight),
            ("realmd_in_flight_max_bytes", "What that may be.", lambda: self.total.limit),
            ("realmd_in_flight_refused_total", "Queries there was no room for.", lambda: self.refused),
        ]

    def watch_each(self, watch: Callable[[str, str, str, Callable[[], dict[str, float]]], None]) -> None:
        """The metrics with labels."""
        watch(
            "realmd_in_flight_evicted_total", "Connections closed for what they held.", "kind",
            lambda: {kind: float(n) for kind, n in self.evicted.items()},
        )  # fmt: skip
