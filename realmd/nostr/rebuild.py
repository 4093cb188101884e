"""A realm made anew from its log: the events as they were, and what follows from them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from ..backup import database
from ..backup.files import scratch
from ..backup.manifest import BackupError
from ..backup.place import held, parts, replace_files
from ..backup.replay import Replay
from ..host.clock import milliseconds
from ..host.reactor import IReactor
from ..storage.engines import ENGINES
from ..storage.head import head_file
from ..storage.interface import Entry, StorageError
from ..storage.publications import Publications
from ..storage.store import Store
from ..world import events
from ..world.model import VISITOR
from ..world.tables import Tables
from .events.chain import Report
from .events.log import Head, Public

#: Events written in one transaction.
STEP: Final = 2000
#: Numbers passed over, for those that were given to events which the log had not got yet: clients
#: ask for what came after the last one they saw.
SKIPPED: Final = 1000
#: The mark of the bridge's that says where its log goes on (`runtime.nostr.logbook`).
HEAD_MARK: Final = "log.head"


class Rebuilt(Struct):
    """What was written: events, those among them of kinds unknown to this realmd, the last seq."""

    events: int = 0
    unknown: int = 0
    seq: int = 0
    agents: int = 0
    notes: int = 0
    plugins: int = 0


class _Marks(Struct, rename="camel"):
    world_type: str
    agent_id: str
    timestamp: int


_marks: Final = msgspec.json.Decoder(_Marks)
_event: Final = msgspec.json.Decoder(events.JOURNALLED)


def entry_of(public: Public) -> Entry:
    """A published event as the journal keeps it, byte for byte."""
    found = _marks.decode(public.body)
    return Entry(public.seq, found.timestamp, found.world_type, found.agent_id, None, public.body)


def head_of(report: Report, checkpoint: Head | None) -> Head:
    """Where the log goes on: at the chain's end, or after it if the checkpoint knows more batches."""
    return checkpoint if report.checkpoint == "ahead" and checkpoint is not None else report.head


async def write(
    reactor: IReactor, engine: str, target: Path, head: Head, entries: list[Entry], board_posts: int
) -> Rebuilt:
    """Make the store at `target`, all or nothing.  Raises `BackupError`."""
    with held(target):
        if there := parts(target):
            raise BackupError(f"{there[0]} exists; a rebuild only makes a realm where there is none.")
        with scratch(target.parent) as place:
            new = place / target.name
            made = await _fill(reactor, engine, new, head, entries, board_posts)
            database.pass_over(new, max(made.seq, head.to_seq) + SKIPPED)
            replace_files({new: target, database.renew(new): head_file(target)}, [], 0)
    return made


async def _fill(
    reactor: IReactor, engine: str, new: Path, head: Head, entries: list[Entry], board_posts: int
) -> Rebuilt:
    made = Rebuilt()
    tables = Tables()
    replay = Replay(tables, serial=milliseconds(reactor))
    store = Store(ENGINES[engine], str(new), reactor)
    try:
        await store.open()
        for start in range(0, len(entries), STEP):
            part = entries[start : start + STEP]
            for entry in part:
                made.unknown += not _replay(replay, entry)
            await store.commit(part, {}, part[-1].seq)
        made.events, made.seq = len(entries), entries[-1].seq if entries else 0
        _tidy(tables, board_posts)
        await store.commit([], tables.seal().after, made.seq)
        await Publications(store).keep([], [], {HEAD_MARK: msgspec.json.encode(head).decode()})
    except StorageError as error:
        raise BackupError(f"Nothing was rebuilt. {error}") from error
    finally:
        await store.close()
    made.agents, made.notes = len(tables.profiles), len(tables.posts)
    made.plugins = len(tables.plugins)
    return made


def _replay(replay: Replay, entry: Entry) -> bool:
    try:
        replay.apply(_event.decode(entry.body))
    except msgspec.ValidationError:
        replay.tables.seq = entry.seq
        return False
    return True


def _tidy(tables: Tables, board_posts: int) -> None:
    """Nobody is there, so nobody holds a station; visitors of the page were here once only."""
    for kind in ("bodies", "claims"):
        for key in list(tables.rows(kind)):
            tables.drop(kind, key)
    for agent_id in [name for name in tables.profiles if name.startswith(VISITOR)]:
        tables.drop("profiles", agent_id)
    for post_id in list(tables.posts)[: max(0, len(tables.posts) - board_posts)]:
        tables.drop("posts", post_id)
