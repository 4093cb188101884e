"""The durable outbox: what was said to relays and has not been taken by all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from .store import Store

_PUBLIC: Final = (
    "SELECT seq, body FROM events WHERE to_agent_id IS NULL AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
)
_COUNT: Final = "SELECT COUNT(*) FROM events WHERE seq > ? AND seq <= ?"
_SEQS: Final = "SELECT seq FROM events WHERE seq > ? AND seq <= ? ORDER BY seq"
_KEEP: Final = (
    "INSERT INTO publications (number, event, pending) VALUES (?, ?, ?)"
    " ON CONFLICT (number) DO UPDATE SET pending = excluded.pending"
)
_MARK: Final = (
    "INSERT INTO marks (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)


class Publication(Struct, frozen=True):
    """A signed event (JSON) and the URLs of the relays that it waits for; `number` rises."""

    number: int
    event: bytes
    pending: tuple[str, ...]


class Kept(Struct, frozen=True):
    """What was kept: publications by number, and the marks."""

    publications: list[Publication]
    marks: dict[str, str]


class IPublications(Interface):
    """Keeps publications; every method returns a Deferred that fails with `StorageError`."""

    def load() -> Deferred[Kept]:
        """Everything that is kept."""

    def keep(changed: Sequence[Publication], gone: Sequence[int], marks: Mapping[str, str]) -> Deferred[None]:
        """Add or change, delete by number, and set marks, in one transaction."""

    def public(after: int, up_to: int, limit: int) -> Deferred[list[tuple[int, bytes]]]:
        """(seq, body) of the first `limit` public events with `after` < seq <= `up_to`."""

    def missing(after: int, up_to: int, limit: int) -> Deferred[list[int]]:
        """The first `limit` numbers with `after` < seq <= `up_to` of which the journal has no event."""


@implementer(IPublications)
class Publications:
    """`IPublications` in the tables of `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self) -> Deferred[Kept]:
        def work(cursor: Any) -> Kept:
            cursor.execute("SELECT number, event, pending FROM publications ORDER BY number")
            found = [
                Publication(number, event.encode(), tuple(msgspec.json.decode(pending, type=list[str])))
                for number, event, pending in cursor.fetchall()
            ]
            cursor.execute("SELECT key, value FROM marks")
            return Kept(found, dict(cursor.fetchall()))

        return self._store.run(work)

    def keep(
        self, changed: Sequence[Publication], gone: Sequence[int], marks: Mapping[str, str]
    ) -> Deferred[None]:
        def work(cursor: Any) -> None:
            for sql, rows in (
                (
                    _KEEP,
                    [(p.number, p.event.decode(), msgspec.json.encode(p.pending).decode()) for p in changed],
                ),
                ("DELETE FROM publications WHERE number = ?", [(number,) for number in gone]),
                (_MARK, list(marks.items())),
            ):
                if rows:
                    cursor.executemany(self._store.sql(sql), rows)

        return self._store.run(work, writes=True)

    def public(self, after: int, up_to: int, limit: int) -> Deferred[list[tuple[int, bytes]]]:
        def work(cursor: Any) -> list[tuple[int, bytes]]:
            cursor.execute(self._store.sql(_PUBLIC), (after, up_to, limit))
            return [(seq, body.encode()) for seq, body in cursor.fetchall()]

        return self._store.run(work)

    def missing(self, after: int, up_to: int, limit: int) -> Deferred[list[int]]:
        def work(cursor: Any) -> list[int]:
            cursor.execute(self._store.sql(_COUNT), (after, up_to))
            if cursor.fetchone()[0] == up_to - after:  # as a rule
                return []
            cursor.execute(self._store.sql(_SEQS), (after, up_to))
            found: list[int] = []
            last = after
            for (seq,) in iter(cursor.fetchone, None):  # adbapi lets nobody iterate
                found += range(last + 1, min(seq, last + 1 + limit - len(found)))
                last = seq
                if len(found) >= limit:
                    return found
            return [*found, *range(last + 1, min(up_to, last + limit - len(found)) + 1)]

        return self._store.run(work)
