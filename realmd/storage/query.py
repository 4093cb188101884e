"""The SQL shared by all engines, with `?` for a parameter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from realmd.world.tables import KINDS

from .interface import Entry, Rows

_LARGEST: Final = 2**63 - 1

INSERT_EVENT: Final = (
    "INSERT INTO events (seq, ts, kind, agent_id, to_agent_id, body) VALUES (?, ?, ?, ?, ?, ?)"
)
_PRUNE_OLD: Final = (
    "DELETE FROM events WHERE seq IN"
    " (SELECT seq FROM events WHERE to_agent_id {} AND ts < ? ORDER BY ts, seq LIMIT ?)"
)
PRUNE_PUBLIC: Final = _PRUNE_OLD.format("IS NULL")
PRUNE_PRIVATE: Final = _PRUNE_OLD.format("IS NOT NULL")
OLDEST: Final = "SELECT seq, to_agent_id FROM events ORDER BY seq LIMIT ?"
PRUNE_UP_TO: Final = "DELETE FROM events WHERE seq <= ?"

# The clock may step back, so time and seq can disagree: whoever pages by one is served in its
# order, or would miss events.  `+ts` keeps the planner on the index that gives the order.
_NEWEST: Final = (
    "SELECT body FROM (SELECT seq, ts, body FROM events WHERE to_agent_id IS NULL"
    " ORDER BY ts DESC, seq DESC LIMIT ?) AS newest ORDER BY ts, seq"
)
_SINCE: Final = "SELECT body FROM events WHERE to_agent_id IS NULL AND ts > ? ORDER BY ts, seq LIMIT ?"
_AFTER: Final = (
    "SELECT body FROM events WHERE to_agent_id IS NULL AND +ts > ? AND seq > ? ORDER BY seq LIMIT ?"
)
# Each half stops at the limit by its own index; UNION shows a message to oneself once.
_RECEIVED: Final = (
    "SELECT * FROM (SELECT seq, ts, body, agent_id AS other FROM events"
    " WHERE to_agent_id = ? AND (ts, seq) > (?, ?) ORDER BY ts {0}, seq {0} LIMIT ?) AS received"
)
_SENT: Final = (
    "SELECT * FROM (SELECT seq, ts, body, to_agent_id AS other FROM events"
    " WHERE agent_id = ? AND to_agent_id IS NOT NULL AND (ts, seq) > (?, ?)"
    " ORDER BY ts {0}, seq {0} LIMIT ?) AS sent"
)
_FOUND: Final = (
    "SELECT body FROM (SELECT seq, ts, body FROM ({halves}) AS found{which}"
    " ORDER BY ts {0}, seq {0} LIMIT ?) AS listed ORDER BY ts, seq"
)
#: Of so many letters received, and as many sent, those of a conversation are found.
LOOKED_THROUGH: Final = 2000


def history(since: int, after: int, limit: int) -> tuple[str, Sequence[Any]]:
    """The query for public events, and its values."""
    since, after, limit = _bound(since), _bound(after), _bound(limit)
    if after:
        return _AFTER, (since, after, limit)
    if since:
        return _SINCE, (since, limit)
    return _NEWEST, (limit,)


def inbox(
    agent_id: str, since: int, limit: int, after: int | None, received: bool = False, peer: str | None = None
) -> tuple[str, Sequence[Any]]:
    """The query for the private events of `agent_id`, and its values."""
    since, limit = _bound(since), _bound(limit)
    most = limit if peer is None else LOOKED_THROUGH
    half = (agent_id, since, _LARGEST if after is None else _bound(after), most)
    halves = (_RECEIVED,) if received else (_RECEIVED, _SENT)
    which = "" if peer is None else " WHERE other = ?"
    text = _FOUND.replace("{halves}", " UNION ".join(halves)).replace("{which}", which)
    values = (*half * len(halves), *(() if peer is None else (peer,)), limit)
    return text.format("ASC" if since or after else "DESC"), values


def _bound(number: int) -> int:
    # What a client may send does not always fit a column; a negative LIMIT would mean no limit.
    return max(0, min(number, _LARGEST))


def write(entries: Sequence[Entry], rows: Rows) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """The statements that keep one batch, each with its lists of values."""
    if entries:
        yield (
            INSERT_EVENT,
            [(e.seq, e.timestamp, e.kind, e.agent_id, e.to_agent_id, e.body.decode()) for e in entries],
        )
    for kind in sorted({kind for kind, _ in rows}):
        if kind not in KINDS:
            raise KeyError(f"no table {kind}")
        changed = [(key, row) for (table, key), row in rows.items() if table == kind]
        kept = [(key, msgspec.json.encode(row).decode()) for key, row in changed if row is not None]
        gone = [(key,) for key, row in changed if row is None]
        if kept:
            yield (
                f"INSERT INTO {kind} (key, body) VALUES (?, ?)"
                " ON CONFLICT (key) DO UPDATE SET body = excluded.body",
                kept,
            )
        if gone:
            yield f"DELETE FROM {kind} WHERE key = ?", gone
