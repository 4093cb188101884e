"""The world's durable state: named tables of frozen structs, with undo.

A rule changes the tables in memory; the journal commits the change to disk a moment
later.  If that fails, `undo` puts everything back, so that what could not be made durable
never happened.  `seal` cuts the changes into batches, one a commit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from .bounds import cut
from .model import (
    Body,
    Claim,
    Identity,
    Installed,
    Plugin,
    Post,
    Profile,
    Request,
    Sanction,
)
from .sanctions import Sanctions
from .text.likeness import Likeness

#: Table name → the struct each row holds.  The store keeps one SQL table for each.
KINDS: Final[dict[str, type[Struct]]] = {
    "profiles": Profile,
    "bodies": Body,
    "claims": Claim,
    "posts": Post,
    "requests": Request,
    "plugins": Plugin,
    "installed": Installed,
    "identities": Identity,
    "sanctions": Sanction,
}


class Changes(Struct, frozen=True):
    """What one batch changed: `after` holds the rows to store (None: deleted)."""

    before: tuple[tuple[str, str, Struct | None], ...]
    after: dict[tuple[str, str], Struct | None]
    seq_before: int


class Tables:
    """All durable rows, by table and key, and the realm's last `seq`."""

    def __init__(self) -> None:
        self.profiles: dict[str, Profile] = {}
        self.bodies: dict[str, Body] = {}
        self.claims: dict[str, Claim] = {}
        self.posts: dict[str, Post] = {}
        self.requests: dict[str, Request] = {}
        self.plugins: dict[str, Plugin] = {}
        self.installed: dict[str, Installed] = {}
        self.identities: dict[str, Identity] = {}
        self.sanctions: dict[str, Sanction] = {}
        #: What the profiles are called, to find those that look alike.
        self.names = Likeness()
        self.ids = Likeness()
        #: The agentIds of the profiles, sorted, to list them by the page.
        self.order: list[str] = []
        #: The sanctions, found by whom they are on.
        self.standing = Sanctions()
        self.seq = 0
        #: The profiles that were larger than they may be when they were loaded.
        self.shortened: list[str] = []
        self._before: list[tuple[str, str, Struct | None]] = []
        self._seq_before = 0

    def rows(self, kind: str) -> dict[str, Any]:
        """The table named `kind` (a key of `KINDS`), to read."""
        table: dict[str, Any] = getattr(self, kind)
        return table

    def load(self, rows: dict[str, dict[str, Any]], seq: int) -> None:
        """Start from what the store kept."""
        for kind in KINDS:
            self.rows(kind).update(rows.get(kind, {}))
        for agent_id, kept in self.profiles.items():
            if (profile := cut(kept)) != kept:
                self.profiles[agent_id] = profile
                self.shortened.append(agent_id)
                self._before.append(("profiles", agent_id, profile))  # kept so with the first commit
            self._index("profiles", agent_id)
        for id in self.sanctions:
            self._index("sanctions", id)
        self.seq = self._seq_before = seq

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def put(self, kind: str, key: str, value: Struct) -> None:
        """Keep a row; a profile, whoever it comes from, within its bounds."""
        if isinstance(value, Profile):
            value = cut(value)
        table = self.rows(kind)
        self._before.append((kind, key, table.get(key)))
        table[key] = value
        self._index(kind, key)

    def drop(self, kind: str, key: str) -> None:
        table = self.rows(kind)
        if key in table:
            self._before.append((kind, key, table.pop(key)))
            self._index(kind, key)

    @property
    def changed(self) -> bool:
        """Whether the open batch has changes."""
        return bool(self._before)

    def mark(self) -> tuple[int, int]:
        """Where the open batch stands now, for `rewind`."""
        return len(self._before), self.seq

    def rewind(self, mark: tuple[int, int]) -> None:
        """Put back all that the open batch changed since `mark`."""
        length, self.seq = mark
        self._restore(self._before[length:])
        del self._before[length:]

    def seal(self) -> Changes:
        """End the open batch and return it; the next change starts another."""
        after = {(kind, key): self.rows(kind).get(key) for kind, key, _ in self._before}
        changes = Changes(tuple(self._before), after, self._seq_before)
        self._before = []
        self._seq_before = self.seq
        return changes

    def undo(self, changes: Changes) -> None:
        """Put back what `changes` (the latest batch not yet undone) had changed."""
        self._restore(changes.before)
        self.seq = self._seq_before = changes.seq_before

    def _restore(self, before: Sequence[tuple[str, str, Struct | None]]) -> None:
        for kind, key, old in reversed(before):
            if old is None:
                self.rows(kind).pop(key, None)
            else:
                self.rows(kind)[key] = old
            self._index(kind, key)

    def _index(self, kind: str, key: str) -> None:
        """Keep `names` and `ids` what the profiles say, and `standing` what the sanctions do."""
        if kind == "sanctions":
            if (sanction := self.sanctions.get(key)) is not None:
                self.standing.put(sanction)
            else:
                self.standing.drop(key)
        if kind != "profiles":
            return
        profile = self.profiles.get(key)
        at = bisect_left(self.order, key)
        listed = self.order[at : at + 1] == [key]
        if profile is None:
            self.names.drop(key)
            self.ids.drop(key)
            del self.order[at : at + listed]
        else:
            self.names.put(key, profile.name)
            self.ids.put(key, key)
            if not listed:
                self.order.insert(at, key)
