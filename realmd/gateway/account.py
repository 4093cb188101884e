"""What is in flight to one connection, and what several hold together.

What several clients wait for is one object in memory, so a pool counts it once.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from twisted.internet.interfaces import IReactorTime

from ..protocol.paging import LIST_BYTES

#: What is passed to a transport at once (bytes); Twisted pauses who fills its buffer further.
PIECE: Final = 65_536
#: What a query is taken to hold (bytes) while it waits for its answer.
PLEDGE: Final = LIST_BYTES


class Holder(Protocol):
    """A connection, as the budget sees it."""

    def speaks(self) -> bool:
        """Whether it speaks for an agent or a player."""

    def in_transport(self) -> int:
        """Bytes that its transport holds now; see `held_by`."""

    def evict(self) -> None:
        """Hang up: what it holds is needed for others."""


class Gone:
    """The holder of an account that is closed."""

    def speaks(self) -> bool:
        return False

    def in_transport(self) -> int:
        return 0

    def evict(self) -> None: ...


GONE: Final = Gone()


class Pool:
    """What several accounts hold together: `own` bytes that only one of them has, and `shared` ones."""

    __slots__ = ("_times", "accounts", "limit", "own", "settled", "shared")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        #: When it was last looked at what is really held (s).
        self.settled = -1.0
        self.own = self.shared = 0
        self.accounts: set[Account] = set()
        #: By the object's id, which is its own as long as somebody holds it.
        self._times: dict[int, int] = {}

    @property
    def held(self) -> int:
        return self.own + self.shared

    def hold(self, data: bytes) -> None:
        times = self._times.get(id(data), 0)
        self._times[id(data)] = times + 1
        if not times:
            self.shared += len(data)

    def release(self, data: bytes) -> None:
        times = self._times.pop(id(data)) - 1
        if times:
            self._times[id(data)] = times
        else:
            self.shared -= len(data)


class Purse(Protocol):
    """What an account needs of the budget that it is part of."""

    clock: IReactorTime
    total: Pool
    refused: int

    def pool(self, source: str | None) -> tuple[Pool, ...]:
        """The address's; none for who is held to no share of one."""

    def forget(self, source: str | None) -> None:
        """A connection from there is gone."""

    def full(self, pool: Pool) -> bool:
        """Whether there is no room for one more query."""

    def make_room(self, pool: Pool) -> None:
        """`pool` seems to hold more than it may."""


class Account:
    """What is in flight to one connection.

    `own` never falls behind the truth, and is put right whenever the transport has drained or room is made.
    """

    __slots__ = ("_budget", "_held", "_pledged", "_pools", "holder", "own", "shared", "since", "source")

    def __init__(self, budget: Purse, holder: Holder) -> None:
        self._budget = budget
        self.holder = holder
        #: The address that it is charged to.
        self.source: str | None = None
        self._pools: tuple[Pool, ...] = (budget.total,)
        self._held: list[bytes] = []
        self.own = self._pledged = 0
        #: Bytes of objects that others may wait for, too.
        self.shared = 0
        #: When it last took something (s).
        self.since = 0.0
        budget.total.accounts.add(self)

    @property
    def held(self) -> int:
        return self.own + self.shared

    def belong(self, source: str | None) -> None:
        """From now on this is the address's; None: nobody's in particular."""
        if source == self.source or not self._pools:
            return
        self._leave(self._pools[1:])
        self._budget.forget(self.source)
        self.source = source
        self._pools = (self._budget.total, *self._budget.pool(source))
        for pool in self._pools[1:]:
            pool.accounts.add(self)
            pool.own += self.own
            for data in self._held:
                pool.hold(data)

    def copied(self, size: int) -> None:
        """The transport was given `size` bytes of its own."""
        self._own(size)
        self._check()

    def hold(self, data: bytes) -> None:
        """`data` waits, as it perhaps does elsewhere."""
        if not self._pools:
            return
        if not self.held:
            self.since = self._budget.clock.seconds()
        self._held.append(data)
        self.shared += len(data)
        for pool in self._pools:
            pool.hold(data)
        self._check()

    def release(self, data: bytes) -> None:
        """`data`, which was held, waits no more; most often it is the eldest."""
        for at, held in enumerate(self._held):
            if held is data:
                del self._held[at]
                self.shared -= len(data)
                for pool in self._pools:
                    pool.release(data)
                return

    def pledge(self) -> bool:
        """Keep room for an answer that is not there yet: False if the address has used up its own."""
        if not self._pools or any(self._budget.full(pool) for pool in self._pools[1:]):
            self._budget.refused += 1
            return False
        self._pledged += PLEDGE
        self.copied(PLEDGE)
        return True

    def redeem(self) -> None:
        """The answer is there, or nobody wants it any more."""
        if self._pools:
            self._pledged -= PLEDGE
            self._own(-PLEDGE)

    def settle(self) -> None:
        """See what is really held."""
        if not self.own:
            return
        own = self.holder.in_transport() + self._pledged
        if own < self.own:
            self.since = self._budget.clock.seconds()
            self._own(own - self.own)

    def drained(self) -> None:
        """The transport holds nothing any more."""
        self.since = self._budget.clock.seconds()
        self._own(self._pledged - self.own)

    def close(self) -> None:
        """The connection is gone, or will be in a moment."""
        self._leave(self._pools)
        self._budget.forget(self.source)
        self._pools, self._held = (), []
        self.holder = GONE  # the two hold each other
        self.own = self.shared = self._pledged = 0

    def _own(self, more: int) -> None:
        if not self.held:
            self.since = self._budget.clock.seconds()
        if self._pools:
            self.own += more
            for pool in self._pools:
                pool.own += more

    def _check(self) -> None:
        for pool in self._pools:
            if pool.own + pool.shared > pool.limit:
                self._budget.make_room(pool)

    def _leave(self, pools: tuple[Pool, ...]) -> None:
        for pool in pools:
            pool.accounts.discard(self)
            pool.own -= self.own
            for data in self._held:
                pool.release(data)


def held_by(transport: Any) -> int:
    """Bytes that `transport`, or the TCP connection that it wraps, was given and its socket did not take.

    Twisted keeps its buffer whole until nearly all of it is sent, so that is what counts.
    """
    while (inner := getattr(transport, "transport", None)) is not None:
        transport = inner
    return len(getattr(transport, "dataBuffer", b"")) + getattr(transport, "_tempDataLen", 0)
