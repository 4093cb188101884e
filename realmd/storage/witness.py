"""What a start finds when it holds the database against its head, and what it does about it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from .head import Mark
from .interface import Lost

#: Beginning of a `meta` key that names the first of the numbers that were passed over; its value: the last.
GAP: Final = "gap:"
#: Beginning of a `meta` key of a loss that was found; the epoch that began with it follows.
LOST: Final = "lost:"
#: Losses that are remembered.
MOST_LOST: Final = 8

SET_META: Final = (
    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
#: Runs one statement, written with `?`, with its values.
Execute = Callable[[str, tuple[Any, ...]], Any]


def new_epoch() -> str:
    """A name that no epoch of any realm has had."""
    return secrets.token_hex(8)


class Account(Struct, frozen=True):
    """Where the realm goes on: after `seq`, in `epoch`.  `passed`: the first number passed over, or 0."""

    seq: int
    commits: int
    epoch: str
    passed: int
    found: Lost | None
    lost: tuple[Lost, ...]


def take_up(
    cursor: Any, execute: Execute, mark: Mark | None, boot: str, now: int, mint: Callable[[], str]
) -> Account:
    """Compare, within a transaction, the database with what its head says, and write down what follows.

    Numbers that may have been given are passed over.  A realm without an epoch, and one of which
    something acknowledged is missing, begins a new one, by `mint`.
    """
    notes = _notes(cursor)
    seq, commits = int(notes["seq"]), int(notes.get("commits", "0"))
    epoch, found, on = notes.get("epoch", ""), None, seq
    if mark is not None:
        on = max(seq, mark.given(boot))
        missing = max(mark.commits - commits, 0)
        if mark.seq > seq or missing:
            epoch = ""
            found = Lost(first=seq + 1, last=max(mark.seq, seq), passed=on, commits=missing, found=now)
            commits = max(commits, mark.commits)
    if not epoch:
        epoch = mint()
        execute(SET_META, ("epoch", epoch))
    if on > seq:
        execute(SET_META, (f"{GAP}{seq + 1}", str(on)))
        execute(SET_META, ("seq", str(on)))
    lost = {key: _loss(value) for key, value in notes.items() if key.startswith(LOST)}
    if found is not None:
        execute(SET_META, ("commits", str(commits)))
        execute(SET_META, (f"{LOST}{epoch}", msgspec.json.encode(found).decode()))
        lost[f"{LOST}{epoch}"] = found
        for key in sorted(lost, key=lambda key: lost[key].found)[:-MOST_LOST]:
            execute("DELETE FROM meta WHERE key = ?", (key,))
            del lost[key]
    told = tuple(sorted(lost.values(), key=lambda loss: loss.found))
    return Account(on, commits, epoch, seq + 1 if on > seq else 0, found, told)


def _notes(cursor: Any) -> dict[str, str]:
    cursor.execute("SELECT key, value FROM meta")
    return dict(cursor.fetchall())


def _loss(value: str) -> Lost:
    return msgspec.json.decode(value, type=Lost)


def sentence(lost: Lost, location: str, head: str, epoch: str) -> str:
    """What is lost, for whoever runs the realm."""
    return (
        f"{lost.told()}: {location} ends at {lost.first - 1}, {head} knows of {lost.last}. A backup may have "
        f"them. The realm goes on at {lost.passed + 1}, in epoch {epoch}."
    )
