"""What the realm asks of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Interface

from realmd.settings.storage import Storage

from ..primitives.errors import BeyondRepair

DAY_MS: Final = 86_400_000

#: (table of `world.tables.KINDS`, key) → the row to keep, or None to delete it.
Rows = Mapping[tuple[str, str], Struct | None]


class StorageError(Exception):
    """The store cannot be opened or used; the text says what is wrong and what to do."""


class Unusable(StorageError, BeyondRepair):
    """The database is damaged, a newer realmd's or something else: no second start will mend that."""


class Entry(Struct, frozen=True):
    """One journalled event: its JSON `body` as it went over the wire, and what is searched by."""

    seq: int
    timestamp: int
    kind: str
    agent_id: str
    to_agent_id: str | None
    body: bytes


class Lost(Struct, frozen=True):
    """What had been acknowledged and was not there at a start.

    The events `first` to `last` (none if `last` is less), in `commits` commits; up to `passed`, numbers
    may have been given.  `found` at that time (ms).
    """

    first: int
    last: int
    passed: int
    commits: int
    found: int

    def size(self) -> int:
        """How many acknowledged changes it was, at least."""
        return max(self.last - self.first + 1, self.commits)

    def told(self) -> str:
        """In words."""
        if self.last < self.first:
            return f"{self.commits} acknowledged changes were lost, none an event (places, tokens, sanctions)"
        beyond = f", and up to {self.passed} if there were any" if self.passed > self.last else ""
        return f"the acknowledged events {self.first} to {self.last} were lost{beyond}"


class Loaded(Struct, frozen=True):
    """Everything the world starts from; `rows` as {table: {key: struct}}.

    `epoch` names the history in which `seq` counts.
    """

    rows: dict[str, dict[str, Struct]]
    seq: int
    epoch: str = ""


class Retention(Struct, frozen=True):
    """How long to keep what: ages in ms, sizes in bytes; the oldest goes first."""

    events_age: int
    messages_age: int
    max_bytes: int

    @classmethod
    def of(cls, storage: Storage) -> Retention:
        """What the settings say."""
        return cls(
            events_age=storage.events_days * DAY_MS,
            messages_age=storage.messages_days * DAY_MS,
            max_bytes=storage.max_mb * 1_048_576,
        )


class Pruned(Struct, frozen=True):
    """What a prune took away, and how large the store is now (bytes)."""

    events: int
    messages: int
    bytes: int


class IStore(Interface):
    """A durable store of one realm.  Every method returns a Deferred; none blocks the reactor.

    Failures of the medium (full, read-only, gone) fail the Deferred with `StorageError`
    and leave the store usable for a later try.
    """

    def open() -> Deferred[Loaded]:
        """Check, upgrade if needed (after a backup), and load."""

    def commit(entries: Sequence[Entry], rows: Rows, seq: int) -> Deferred[None]:
        """Keep all of it or nothing, in one transaction, on the medium when the Deferred fires."""

    def history(since: int, after: int, limit: int) -> Deferred[list[bytes]]:
        """Bodies of public events, oldest first.

        Those with timestamp > `since` and seq > `after`; with both 0, the newest `limit`,
        else the first `limit`.
        """

    def inbox(
        agent_id: str, since: int, limit: int, after: int | None = None, received: bool = False,
        peer: str | None = None,
    ) -> Deferred[list[bytes]]:  # fmt: skip
        """Bodies of private events to or from `agent_id` after the time `since`, ordered as by `history`.

        With `after`, those at that very time with a greater seq, too; with `received` those to it only;
        with `peer` those from or to that one, of the newest `query.LOOKED_THROUGH` each way.
        """

    def probe(now: int) -> Deferred[int]:
        """Write something small, durably, and return the last committed seq."""

    def prune(now: int, retention: Retention) -> Deferred[Pruned]:
        """Take away what is older or more than `retention` allows."""

    def close() -> Deferred[None]:
        """Let go of the medium; a clean end is remembered."""
