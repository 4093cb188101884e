"""What is too old or too much goes, the oldest first, a bounded step a transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from . import query
from .engines import Engine
from .interface import Pruned, Retention

T = TypeVar("T")
#: Events deleted in one transaction, so that a commit never waits long behind a prune.
STEP: Final = 500


class Run(Protocol):
    """Runs `work(cursor)` as one transaction and returns what it returned."""

    def __call__(self, work: Callable[[Any], T], /) -> Awaitable[T]: ...


async def prune(run: Run, engine: Engine, now: int, retention: Retention) -> Pruned:
    """Delete by age (`now` in ms), then by size, then give space back to the file system.

    Others may commit between any two transactions.
    """
    oldest_event, oldest_message = now - retention.events_age, now - retention.messages_age
    events = await _while_full(run, partial(_old, engine, query.PRUNE_PUBLIC, oldest_event))
    messages = await _while_full(run, partial(_old, engine, query.PRUNE_PRIVATE, oldest_message))
    while True:
        public, private, size = await run(partial(_oldest, engine, retention.max_bytes))
        events, messages = events + public, messages + private
        if not public + private:
            break
    while await run(engine.tidy):
        pass
    return Pruned(events, messages, size)


async def _while_full(run: Run, work: Callable[[Any], int]) -> int:
    total = 0
    while True:
        count = await run(work)
        total += count
        if count < STEP:
            return total


def _old(engine: Engine, sql: str, before: int, cursor: Any) -> int:
    """Delete a step of what is older than `before` (ms)."""
    cursor.execute(engine.begin)
    cursor.execute(sql.replace("?", engine.mark), (before, STEP))
    return int(cursor.rowcount)


def _oldest(engine: Engine, most: int, cursor: Any) -> tuple[int, int, int]:
    """Delete the oldest step when over `most` bytes: (public, private, bytes in use before)."""
    size = engine.size(cursor)
    if size <= most:
        return 0, 0, size
    cursor.execute(engine.begin)
    cursor.execute(query.OLDEST.replace("?", engine.mark), (STEP,))
    oldest = cursor.fetchall()
    if oldest:
        cursor.execute(query.PRUNE_UP_TO.replace("?", engine.mark), (oldest[-1][0],))
    private = sum(1 for _, receiver in oldest if receiver is not None)
    return len(oldest) - private, private, size
