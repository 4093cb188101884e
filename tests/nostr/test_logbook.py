"""The log leaves nothing out, whenever the journal commits."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed

from realmd.identity.nostr_event import Event
from realmd.nostr.bridge.key import Key
from realmd.nostr.bridge.logbook import Logbook
from realmd.nostr.bridge.voice import Voice
from realmd.nostr.events.log import Head
from realmd.protocol import encode
from realmd.world import events

from .scene import logged


class Journal:
    """The journal as the logbook reads it, each reading answered when the test says; and its outbox."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, bytes]] = []
        self.reading: list[tuple[Deferred[list[tuple[int, bytes]]], int, int]] = []
        self.published: list[Event] = []

    def commit(self, *seqs: int) -> int:
        """Have events of these numbers; the last of them."""
        made = [events.Chat(agent_id="ada", timestamp=5, seq=seq, text=f"word {seq}") for seq in seqs]
        self.rows += [(event.seq, encode.event(event)) for event in made]
        return seqs[-1]

    def answer(self) -> None:
        reading, after, up_to = self.reading.pop(0)
        reading.callback([row for row in self.rows if after < row[0] <= up_to])

    def public(self, after: int, up_to: int, limit: int) -> Deferred[list[tuple[int, bytes]]]:
        self.reading.append((Deferred(), after, up_to))
        return self.reading[-1][0]

    def missing(self, after: int, up_to: int, limit: int) -> Deferred[list[int]]:
        return succeed([])

    def waiting(self, kind: int) -> int:
        return 0

    async def add(self, events: Sequence[Event], marks: Mapping[str, str]) -> None:
        self.published += events


def test_what_is_committed_while_the_log_is_written_is_in_the_next_batch(tmp_path: Path) -> None:
    """However slow the store is to read: each event is in the log once, and none in a range without it."""
    key = Key(tmp_path, None, os.urandom, {})
    key.open()
    relays: Any = type("NoRelays", (), {"connected": list, "work_wanted": int})()
    voice = Voice(key, relays, lambda event, bits: succeed(event), lambda: 1_790_000_000_000)
    journal: Any = Journal()
    book = Logbook("hall", voice, journal, journal)
    book.head = Head()
    book.committed = journal.commit(1, 2, 3)
    writing = Deferred.fromCoroutine(book.work())
    book.committed = journal.commit(4, 5)
    journal.answer()
    journal.answer()
    assert writing.called
    assert [event["seq"] for event in logged(journal.published)] == [1, 2, 3, 4, 5]
    ranges = [(told["fromSeq"], told["toSeq"]) for told in (json.loads(e.content) for e in journal.published)]
    assert ranges == [(1, 3), (4, 5)]
    assert book.lag == 0
