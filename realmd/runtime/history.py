"""The newest journalled public events, in memory, so that asking for them costs no query."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred, succeed

from ..storage.interface import Entry, IStore


class Line(Struct, frozen=True):
    """One event, as it is searched and shown."""

    seq: int
    timestamp: int
    body: bytes

    @staticmethod
    def of(body: bytes) -> Line:
        """The line of a journalled event."""
        marks = _marks.decode(body)
        return Line(marks.seq, marks.timestamp, body)


class _Marks(Struct):
    seq: int
    timestamp: int


_marks: Final = msgspec.json.Decoder(_Marks)


class History:
    """A ring of the last `size` public events over the store that has them all."""

    def __init__(self, store: IStore, size: int = 1000) -> None:
        self._store = store
        self._lines: deque[Line] = deque(maxlen=size)
        self._complete = True

    def preload(self, lines: Iterable[Line]) -> None:
        """What the store holds, oldest first, before the first event of this run."""
        self._lines.extend(lines)
        self._complete = len(self._lines) < (self._lines.maxlen or 0)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take in committed events."""
        for entry in entries:
            if entry.to_agent_id is None:
                if len(self._lines) == self._lines.maxlen:
                    self._complete = False
                self._lines.append(Line(entry.seq, entry.timestamp, entry.body))

    def read(self, since: int, after: int, limit: int) -> Deferred[list[bytes]]:
        """As `IStore.history`."""
        lines = self._lines
        if not since and not after:
            if self._complete or len(lines) >= limit:
                return succeed([line.body for line in list(lines)[-limit:]])
        elif self._complete or (lines and (lines[0].timestamp <= since or lines[0].seq <= after)):
            found = (line.body for line in lines if line.timestamp > since and line.seq > after)
            return succeed([body for body, _ in zip(found, range(limit), strict=False)])
        return self._store.history(since, after, limit)
