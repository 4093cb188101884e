"""The journal: durable events are committed here before anyone is told of them.

While one batch is being committed, the ticks that follow gather the next (group commit).
If a commit fails, everything not yet committed is undone in the world and its senders are
told ``storage_unavailable``; a probe each second finds out when the store is well again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..host.clock import milliseconds
from ..primitives.errors import Rejection
from ..primitives.figures import Figures
from ..protocol.encode import event as encode_event
from ..storage.interface import Entry, IStore, StorageError
from ..world import events
from ..world.engine import Outcome, World
from ..world.tables import Changes
from .intake import Reply

#: Events that may wait for the store before it counts as unable to keep up.
BACKLOG: Final = 10_000


class Committed(Struct, frozen=True):
    """A journalled event with its JSON."""

    event: events.Durable
    entry: Entry


#: Told of what was committed together, in order; one that fails keeps no other from hearing.
Listener = Callable[[list[Committed]], object]


class Batch(Struct):
    """What is committed together, and who waits for it."""

    committed: list[Committed] = field(default_factory=list)
    replies: list[tuple[Reply, Outcome]] = field(default_factory=list)
    #: Something waits for it, be there an event in it or not.
    due: bool = False
    joins: set[str] = field(default_factory=set)
    waiters: list[Deferred[bool]] = field(default_factory=list)
    changes: Changes | None = None
    bodies: set[str] = field(default_factory=set)
    started: float = 0.0
    alarm: IDelayedCall | None = None
    late: bool = False


class Journal:
    """Group commit of one world into one store.

    `observe` is told how long (s) each commit took, and how many events it had.
    """

    log = Logger()

    def __init__(
        self,
        world: World,
        store: IStore,
        clock: IReactorTime,
        timeout: float,
        observe: Callable[[float, int], None] = lambda seconds, events: None,
    ) -> None:
        self.available = True
        #: A commit that reported failure took place after all: memory and disk disagree.
        self.ahead = False
        self.failures = self.commits = 0
        self.commit_seconds = 0.0
        self._world = world
        self._store = store
        self._clock = clock
        self._observe = observe
        self._listeners: list[Listener] = []
        self._timeout = timeout
        self._open = Batch()
        self._flying: Batch | None = None
        self._snapshot_due = False

    def figures(self) -> Figures:
        """For the metrics."""
        return [
            ("realmd_storage_available", "1 when commits succeed.", lambda: float(self.accepting())),
            ("realmd_storage_failures_total", "Commits that failed.", lambda: self.failures),
        ]

    def listen(self, listener: Listener) -> None:
        """`listener` is told of each committed batch: after those before it, before the replies."""
        self._listeners.append(listener)

    # -- for the tick ------------------------------------------------------------------

    def accepting(self) -> bool:
        """Whether durable commands can be made durable now."""
        if not self.available or len(self._open.committed) >= BACKLOG:
            return False
        return self._flying is None or not self._flying.late

    def add(self, happened: Iterable[events.Durable], replies: Iterable[tuple[Reply, Outcome]]) -> None:
        """Journal what a tick brought; `replies` are sent once all that happened by now is committed."""
        for event in happened:
            to = event.to_agent_id if isinstance(event, events.Private) else None
            kind = str(type(event).__struct_config__.tag)
            entry = Entry(event.seq, event.timestamp, kind, event.agent_id, to, encode_event(event))
            self._open.committed.append(Committed(event, entry))
            if isinstance(event, events.Join):
                self._open.joins.add(event.agent_id)
        if self.available and self._world.tables.changed:
            self._open.due = True  # a token taken back, a ban: durable without an event
        batch = self._open if self._waiting else self._flying
        if batch is None:
            for reply, outcome in replies:
                self._tell(reply, outcome)
            return
        batch.replies.extend(replies)
        self._pump()

    def unannounced(self) -> set[str]:
        """Agents whose join is not committed yet: nobody may see them."""
        return self._open.joins | (self._flying.joins if self._flying else set())

    @property
    def idle(self) -> bool:
        return self._flying is None and not self._waiting

    def settled(self) -> Deferred[bool]:
        """Fires when all that happened by now is committed (True) or undone (False)."""
        batch = self._open if self._waiting else self._flying
        if batch is None:
            return succeed(True)
        waiter: Deferred[bool] = Deferred()
        batch.waiters.append(waiter)
        return waiter

    # -- for the clock -----------------------------------------------------------------

    def snapshot(self, count: int = 1) -> None:
        """Keep where everybody stands, with the next commit."""
        self._snapshot_due = True
        self._pump()

    def probe(self, count: int = 1) -> Deferred[None] | None:
        """While the store is away, see whether it is back."""
        return None if self.available else Deferred.fromCoroutine(self._probe())

    async def flush(self) -> None:
        """Commit everything, with a last snapshot."""
        self.snapshot()
        while self._flying is not None or self._waiting:
            await self.settled()
        if self._snapshot_due and self.available:
            self._pump()
            await self.settled()

    # -- inside ------------------------------------------------------------------------

    @property
    def _waiting(self) -> bool:
        """Whether there is something to commit after what is being committed."""
        return self._open.due or bool(self._open.committed)

    def _pump(self) -> None:
        if self._flying is not None or not (self.available or self._waiting):
            return
        batch = self._open
        if self._snapshot_due and self.available:
            batch.bodies, self._world.unsaved = self._world.unsaved, set()
        self._snapshot_due = self._snapshot_due and not self.available
        batch.changes = self._world.seal()
        if not batch.committed and not batch.changes.after and not batch.bodies:
            return
        self._open = Batch()
        self._flying = batch
        batch.started = self._clock.seconds()
        batch.alarm = self._clock.callLater(self._timeout, self._overdue, batch)
        Deferred.fromCoroutine(self._commit(batch)).addErrback(
            lambda failure: self.log.failure("journal failed", failure=failure)
        )

    async def _commit(self, batch: Batch) -> None:
        assert batch.changes is not None
        bodies = self._world.tables.bodies
        rows = {("bodies", a): bodies[a] for a in batch.bodies if a in bodies} | batch.changes.after
        entries = [committed.entry for committed in batch.committed]
        seq = entries[-1].seq if entries else batch.changes.seq_before
        try:
            await self._store.commit(entries, rows, seq)
        except Exception as error:
            if not isinstance(error, StorageError):
                self.log.failure("storage raised what it should not")
            self._landed(batch)
            self._fail(batch, error)
            return
        self._landed(batch)
        if batch.late:
            self.log.info("storage available again seq={seq}", seq=seq)
        self.commits += 1
        self.commit_seconds = self._clock.seconds() - batch.started
        self._tell(self._observe, self.commit_seconds, len(entries))
        for listener in self._listeners:
            self._tell(listener, batch.committed)
        for reply, outcome in batch.replies:
            self._tell(reply, outcome)
        for waiter in batch.waiters:
            waiter.callback(True)
        self._pump()

    def _landed(self, batch: Batch) -> None:
        self._flying = None
        if batch.alarm is not None and batch.alarm.active():
            batch.alarm.cancel()

    def _overdue(self, batch: Batch) -> None:
        """The commit goes on, and may well succeed; meanwhile nothing more is accepted."""
        batch.late = True
        self.log.error("storage unavailable cause=no commit within {timeout:g} s", timeout=self._timeout)

    def _tell(self, listener: Callable[..., object], *news: object) -> None:
        """One that fails must not keep the others from hearing."""
        try:
            listener(*news)
        except Exception:
            self.log.failure("journal listener failed listener={listener!r}", listener=listener)

    def _fail(self, batch: Batch, error: Exception) -> None:
        """Undo the failed batch and all that was built on it."""
        self.available = False
        self._world.durable = False
        self.failures += 1
        later, self._open = self._open, Batch()
        self.log.error(
            "commit failed cause={cause} undone_events={n}"
            if batch.late
            else "storage unavailable cause={cause} undone_events={n}",
            cause=str(error),
            n=len(batch.committed) + len(later.committed),
        )
        self._world.undo(self._world.seal())
        assert batch.changes is not None
        self._world.undo(batch.changes)
        self._world.unsaved |= batch.bodies
        self._snapshot_due = self._snapshot_due or bool(batch.bodies)
        refusal = Rejection("storage_unavailable", "storage_unavailable")
        for reply, _ in (*batch.replies, *later.replies):
            self._tell(reply, refusal)
        for waiter in (*batch.waiters, *later.waiters):
            waiter.callback(False)

    async def _probe(self) -> None:
        try:
            seq = await self._store.probe(milliseconds(self._clock))
        except StorageError as error:
            self.log.debug("storage still unavailable cause={cause}", cause=str(error))
            return
        if seq != self._world.tables.seq:
            if not self.ahead:
                self.log.critical(
                    "storage is ahead of the world: restart needed store_seq={s} world_seq={w}",
                    s=seq,
                    w=self._world.tables.seq,
                )
            self.ahead = True
            return
        self.available, self.ahead = True, False
        self.log.info("storage available again seq={seq}", seq=seq)
        self._pump()
