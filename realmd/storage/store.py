"""The store: a realm's journal and tables in an SQL database, by way of adbapi's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from twisted.enterprise import adbapi
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from zope.interface import implementer

from realmd.world.tables import KINDS

from ..host.clock import milliseconds
from ..host.reactor import IReactor
from ..primitives.figures import Figures
from . import query, schema
from .engines import Engine, Hold
from .head import Mark
from .interface import Entry, IStore, Loaded, Lost, Pruned, Retention, Rows, StorageError, Unusable
from .retention import prune
from .witness import SET_META, Account, new_epoch, sentence, take_up

T = TypeVar("T")

#: Characters that a probe writes.  On a disk with room for less, a store that a small probe
#: calls well would fail at the next commit, and be well again, each second.
PROBE_LENGTH: Final = 131_072


@implementer(IStore)
class Store:
    """`IStore` over an SQL engine.

    `location` is what the engine opens: for SQLite the path of the file.  `directory` holds the
    schema files.  `beside`: files that only a realm with a past has.  `mint` makes the name of an
    epoch.  All SQL runs in the pool's thread in the order it was asked for.
    """

    log = Logger()

    def __init__(
        self,
        engine: Engine,
        location: str,
        reactor: IReactor,
        directory: Path = schema.DIRECTORY,
        beside: Sequence[Path] = (),
        mint: Callable[[], str] = new_epoch,
    ) -> None:
        #: What was lost, found at this start or before; and at this one.
        self.lost: tuple[Lost, ...] = ()
        self.found: Lost | None = None
        #: Names the history in which seqs count.
        self.epoch = ""
        self._engine = engine
        self._beside = beside
        self._mint = mint
        self._location = location
        self._reactor = reactor
        self._directory = directory
        self._pool: adbapi.ConnectionPool | None = None
        self._hold: Hold | None = None
        self._closing = False
        self._gate = DeferredLock()  # a close asked for during an open waits for its end
        self._seq = 0
        self._told = ""

    def figures(self) -> Figures:
        """For the metrics."""
        lost = "Acknowledged changes that this start did not find."
        return [("realmd_lost_at_start", lost, lambda: self.found.size() if self.found else 0)]

    # What IStore promises.

    def open(self) -> Deferred[Loaded]:
        """Check, upgrade and load; a failed open may be tried again."""
        return self._gate.run(lambda: Deferred.fromCoroutine(self._open()))

    def commit(self, entries: Sequence[Entry], rows: Rows, seq: int) -> Deferred[None]:
        """Keep all of it or nothing; `entries` must be new and none beyond `seq`."""
        if not entries and not rows and seq == self._seq:
            return succeed(None)
        return Deferred.fromCoroutine(self._commit(entries, rows, seq))

    def history(self, since: int, after: int, limit: int) -> Deferred[list[bytes]]:
        """Bodies of public events; by seq when `after` is given, else by time."""
        return self._read(*query.history(since, after, limit))

    def inbox(
        self, agent_id: str, since: int, limit: int, after: int | None = None, received: bool = False,
        peer: str | None = None,
    ) -> Deferred[list[bytes]]:  # fmt: skip
        """Bodies of private events to or from `agent_id`, by time."""
        return self._read(*query.inbox(agent_id, since, limit, after, received, peer))

    def probe(self, now: int) -> Deferred[int]:
        """Commit `now` (ms), with as much beside it as a busy tick commits; the last committed seq."""
        # Digits of the time, so that every page of it differs from the last and has to be written.
        room = str(now) * (PROBE_LENGTH // len(str(now)))

        def work(cursor: Any) -> int:
            cursor.execute(self._engine.begin)
            self._execute(cursor, "UPDATE meta SET value = ? WHERE key = 'probe'", (room,))
            return self._get_seq(cursor)

        return Deferred.fromCoroutine(self._run(work))

    def prune(self, now: int, retention: Retention) -> Deferred[Pruned]:
        """Delete in small transactions, commits going in between; `bytes` is what is then in use."""
        return Deferred.fromCoroutine(prune(self._run, self._engine, now, retention))

    def begin_epoch(self) -> Deferred[str]:
        """From the next commit on seqs count in another history; its name."""
        return Deferred.fromCoroutine(self._begin_epoch())

    def close(self) -> Deferred[None]:
        """Finish what was asked, mark the clean end, let go.  Never fails; closing twice is fine."""
        return self._gate.run(lambda: Deferred.fromCoroutine(self._close()))

    # For what is kept beside the world.

    def run(self, work: Callable[[Any], T], writes: bool = False) -> Deferred[T]:
        """Run `work(cursor)` in the store's thread, in turn; with `writes` as one transaction."""

        def whole(cursor: Any) -> T:
            if writes:
                cursor.execute(self._engine.begin)
            return work(cursor)

        return Deferred.fromCoroutine(self._run(whole))

    def sql(self, text: str) -> str:
        """`text`, with `?` for a parameter, as the engine writes it."""
        return text.replace("?", self._engine.mark)

    # Life of the connection.

    async def _open(self) -> Loaded:
        if self._pool is not None:
            raise StorageError(f"{self._location} is open already.")
        known = schema.read(self._directory)
        self._pool = adbapi.ConnectionPool(
            self._engine.dbapi, cp_reactor=self._reactor, **self._engine.pool(self._location)
        )
        try:
            self._hold = await self._in_thread(lambda: self._engine.hold(self._location, self._beside))
            await self._run(self._check)
            await self._upgrade(known)
            loaded, clean, account = await self._run(self._load)
            await self._in_thread(
                partial(self._hold.head.begin, Mark(account.seq, account.commits, account.seq, account.epoch))
            )
        except BaseException:
            await self._let_go()
            raise
        self._seq, self.epoch = account.seq, account.epoch
        self.lost, self.found = account.lost, account.found
        self.log.info(
            "store opened: location={location} seq={seq} clean={clean}",
            location=self._location,
            seq=loaded.seq,
            clean=clean,
        )
        self._tell(account)
        return loaded

    def _tell(self, account: Account) -> None:
        """Say once what the head knows more than the database."""
        assert self._hold is not None
        if account.found is not None:
            what = sentence(account.found, self._location, str(self._hold.head.path), account.epoch)
            self.log.critical("events lost: {what}", what=what)
        elif account.passed:
            self.log.info(
                "seq passed over first={first} last={last}: the machine ended before the realm did",
                first=account.passed,
                last=account.seq,
            )

    def _check(self, cursor: Any) -> None:
        wrong = self._engine.check(cursor)
        if wrong:
            raise Unusable(
                f"{self._location} is damaged ({wrong}). Restore it from a backup, or move it aside to start "
                "an empty realm."
            )

    async def _upgrade(self, known: Sequence[schema.Migration]) -> None:
        engine, location = self._engine, self._location
        pending = await self._run(lambda cursor: schema.pending(cursor, engine, location, known))
        assert self._hold is not None
        if pending and pending[0].version == 1:
            self._hold.need_new("empty")
        if pending and pending[0].version > 1:
            suffix = f"before-{pending[0].version:04}"
            name = await self._run(lambda cursor: engine.backup(cursor.connection, location, suffix))
            self.log.info("store backup before upgrade: file={name}", name=name)
        for migration in pending:
            await self._run(partial(schema.apply, engine=engine, migration=migration))
            self.log.info("store upgraded: version={version}", version=migration.version)

    def _load(self, cursor: Any) -> tuple[Loaded, bool, Account]:
        assert self._hold is not None
        head, now = self._hold.head, milliseconds(self._reactor)
        rows = {kind: self._load_kind(cursor, kind, struct) for kind, struct in KINDS.items()}
        cursor.execute("SELECT value FROM meta WHERE key = 'clean'")
        clean = cursor.fetchone() == ("1",)
        cursor.execute(self._engine.begin)
        self._set_meta(cursor, "clean", 0)
        account = take_up(cursor, partial(self._execute, cursor), head.mark, head.boot, now, self._mint)
        return Loaded(rows, account.seq, account.epoch), clean, account

    def _load_kind(self, cursor: Any, kind: str, struct: type[Struct]) -> dict[str, Struct]:
        decoder = msgspec.json.Decoder(struct)
        rows: dict[str, Struct] = {}
        cursor.execute(f"SELECT key, body FROM {kind} ORDER BY key")
        try:
            for key, body in cursor.fetchall():
                rows[key] = decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise Unusable(
                f"{self._location}: the row {key!r} of table {kind} cannot be read ({error}). Restore the "
                "database from a backup, or correct or delete that row with the database's own shell."
            ) from error
        return rows

    async def _close(self) -> None:
        if self._pool is None:
            return
        marked = Deferred.fromCoroutine(self._run(self._mark_clean))  # behind all that was asked before
        self._closing = True
        try:
            await marked
            if self._hold is not None:
                await self._in_thread(self._hold.head.end)
        except StorageError as error:
            self.log.warn("store closed without its clean mark: {error}", error=error)
        finally:
            await self._let_go()
            self._closing = False

    def _mark_clean(self, cursor: Any) -> None:
        cursor.execute(self._engine.begin)
        self._set_meta(cursor, "clean", 1)

    async def _let_go(self) -> None:
        assert self._pool is not None
        await self._in_thread(self._disconnect)
        pool, self._pool = self._pool, None
        pool.close()
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    def _disconnect(self) -> None:
        # In the pool's thread: closing folds the log back into the file, which may take a while.
        assert self._pool is not None
        self._pool.disconnect(self._pool.connections.get(self._pool.threadID()))

    # Running SQL.

    def _in_thread(self, work: Callable[[], T]) -> Deferred[T]:
        assert self._pool is not None
        return deferToThreadPool(self._reactor, self._pool.threadpool, work)

    async def _run(self, work: Callable[[Any], T]) -> T:
        """Run `work(cursor)` in the pool's thread, as one transaction if it begins one."""
        pool, hold = self._pool, self._hold
        if pool is None or hold is None or self._closing:
            raise StorageError(f"{self._location} is not open.")

        def verified(cursor: Any) -> T:
            hold.verify()
            try:
                return work(cursor)
            except BaseException:
                # The error's traceback keeps the cursor, and that the files of a closed connection open.
                cursor.close()
                raise

        try:
            result: T = await pool.runInteraction(verified)
            return result
        except StorageError:
            raise
        except CancelledError:
            raise StorageError(f"{self._location} did not answer in time.") from None
        except Exception as error:
            if self._engine.lost(error) and not self._closing:
                await self._in_thread(self._disconnect)
            raise self._engine.explain(error, self._location) from error

    def _execute(self, cursor: Any, sql: str, values: Sequence[Any]) -> None:
        cursor.execute(sql.replace("?", self._engine.mark), values)

    def _get_seq(self, cursor: Any) -> int:
        cursor.execute("SELECT value FROM meta WHERE key = 'seq'")
        return int(cursor.fetchone()[0])

    def _get_commits(self, cursor: Any) -> int:
        cursor.execute("SELECT value FROM meta WHERE key = 'commits'")
        found = cursor.fetchone()
        return int(found[0]) if found else 0

    def _set_meta(self, cursor: Any, key: str, value: int) -> None:
        self._execute(cursor, "UPDATE meta SET value = ? WHERE key = ?", (str(value), key))

    def _read(self, sql: str, values: Sequence[Any]) -> Deferred[list[bytes]]:
        def work(cursor: Any) -> list[bytes]:
            self._execute(cursor, sql, values)
            # A damaged character does not take the rest of the history with it.
            return [body.encode(errors="replace") for (body,) in cursor.fetchall()]

        return Deferred.fromCoroutine(self._run(work))

    # Writing.

    async def _commit(self, entries: Sequence[Entry], rows: Rows, seq: int) -> None:
        await self._run(lambda cursor: self._write(cursor, entries, rows, seq))
        self._seq = seq
        fault = self._hold.head.fault if self._hold is not None else ""
        if fault and fault != self._told:
            self.log.error(
                "head not written: {fault} What is lost from now on may go unnoticed.", fault=fault
            )
        self._told = fault

    async def _begin_epoch(self) -> str:
        epoch = self._mint()
        await self._run(lambda cursor: self._execute(cursor, SET_META, ("epoch", epoch)))
        if self._hold is not None and (mark := self._hold.head.mark) is not None:
            await self._in_thread(partial(self._hold.head.begin, replace(mark, epoch=epoch)))
        self.epoch = epoch
        return epoch

    def _write(self, cursor: Any, entries: Sequence[Entry], rows: Rows, seq: int) -> None:
        assert self._hold is not None
        head = self._hold.head
        head.reserve(seq, self._reactor.seconds())
        cursor.execute(self._engine.begin)
        last, commits = self._get_seq(cursor), self._get_commits(cursor) + 1
        numbers = [entry.seq for entry in entries]
        if seq < last or any(not last < number <= seq for number in numbers):
            # An old number may be free again after a prune; taking it would repeat it.
            raise StorageError(f"Events {numbers} up to {seq} do not follow the last committed, {last}.")
        for sql, values in query.write(entries, rows):
            cursor.executemany(sql.replace("?", self._engine.mark), values)
        self._set_meta(cursor, "seq", seq)
        self._execute(cursor, SET_META, ("commits", str(commits)))
        cursor.connection.commit()
        # Behind it: whoever is killed in between must not find more in the head than was kept.
        head.note(seq, commits, self._reactor.seconds())
