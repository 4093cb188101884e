"""Commands by relay that were taken, remembered for as long as a relay could bring them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from .store import Store

_TAKE: Final = "INSERT INTO asks (id, until) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"


class IAsks(Interface):
    """Remembers asks; every method returns a Deferred that fails with `StorageError`."""

    def load() -> Deferred[dict[str, int]]:
        """Event id (hex) → when it would be stale (ms since the epoch), of the newest that were taken."""

    def take(asks: Mapping[str, int], now: int) -> Deferred[None]:
        """Remember `asks`, and forget those stale at `now` (ms), in one transaction.

        The newest taken stay until others are: so `load` tells that the clock was set back.
        """


@implementer(IAsks)
class Asks:
    """`IAsks` in a table of `store`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self) -> Deferred[dict[str, int]]:
        def work(cursor: Any) -> dict[str, int]:
            cursor.execute("SELECT id, until FROM asks")
            return dict(cursor.fetchall())

        return self._store.run(work)

    def take(self, asks: Mapping[str, int], now: int) -> Deferred[None]:
        def work(cursor: Any) -> None:
            cursor.execute(self._store.sql("DELETE FROM asks WHERE until < ?"), (now,))
            cursor.executemany(self._store.sql(_TAKE), list(asks.items()))

        return self._store.run(work, writes=True)
