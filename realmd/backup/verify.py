"""Verifying a backup: it is restored into a folder of its own, opened as the daemon would, and compared."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

from msgspec import UNSET, Struct
from msgspec.structs import replace

from ..host.reactor import IReactor
from ..storage.engines import ENGINES
from ..storage.interface import Loaded, StorageError
from ..storage.store import Store
from ..world.atlas import Atlas
from ..world.bounds import cut
from ..world.engine import World
from ..world.limits import Limits
from ..world.model import Profile
from ..world.tables import Tables
from . import archive, database, journal
from .files import scratch
from .manifest import BackupError, Content, Manifest
from .replay import Replay

#: Events replayed between two looks at what they told.
STEP: Final = 5000


class Verified(Struct, frozen=True):
    """What the backup was shown to hold."""

    manifest: Manifest
    events: int = 0
    rows: int = 0
    seq: int = 0


async def verify(path: Path, atlas: Atlas, reactor: IReactor, folder: Path, now: int) -> Verified:
    """Restore the archive at `path` into a new folder in `folder`, and see that it is the realm.

    All digests are compared; the store opens the database, upgrading it if it must; a world on
    `atlas` takes it up; the journal is replayed and compared with the tables.  Raises
    `BackupError` with the first thing that is not as it should be.
    """
    with scratch(folder) as place:
        opened = archive.unpack(path, place)
        members = opened.manifest.members_of("database")
        if not members:
            return Verified(opened.manifest)
        copy = opened.files[members[0].name]
        expected = opened.manifest.content
        assert expected is not None
        database.check(copy)
        _compare(expected, database.describe(copy))
        read = check_journal(copy, journal.load(copy))
        loaded = await _open(copy, reactor)
        world = World(atlas, Limits(), random.Random(0))
        world.tables.load(loaded.rows, loaded.seq)
        world.begin(now)
        rows = {kind: len(found) for kind, found in loaded.rows.items()}
        wrong = [k for k, n in rows.items() if k in expected.tables and n != expected.tables[k].rows]
        if wrong or loaded.seq != expected.seq:
            raise BackupError(f"{path}: the store reads another realm than was backed up: {wrong or 'seq'}.")
    return Verified(opened.manifest, read, sum(rows.values()), loaded.seq)


async def _open(copy: Path, reactor: IReactor) -> Loaded:
    store = Store(ENGINES["sqlite"], str(copy), reactor)
    try:
        return await store.open()
    except StorageError as error:
        raise BackupError(f"The store cannot open the restored database: {error}") from error
    finally:
        await store.close()


def _compare(expected: Content, found: Content) -> None:
    if found.seq != expected.seq:
        raise BackupError(f"The database ends at event {found.seq}, the manifest says {expected.seq}.")
    for name in sorted(expected.tables.keys() | found.tables.keys()):
        before, after = expected.tables.get(name), found.tables.get(name)
        if before != after:
            counts = [table.rows if table else "no" for table in (before, after)]
            raise BackupError(f"Table {name} has {counts[1]} rows, not the {counts[0]} that were backed up.")


def check_journal(path: Path, tables: Tables) -> int:
    """Replay the journal and hold the tables against it; how many events there are.

    The journal may have lost its oldest events, and rows may be gone that time took away (old
    notes, old requests, forgotten profiles).  A row that is there must be what the last event
    about it says.
    """
    play, told, count, last = Replay(Tables()), dict[tuple[str, str], Any](), 0, 0
    for one in journal.entries(path):
        if not last < one.seq <= tables.seq:
            raise BackupError(
                f"Event {one.seq} stands after event {last} in a journal that ends at {tables.seq}."
            )
        play.apply(journal.decode(one))
        last, count = one.seq, count + 1
        if count % STEP == 0:
            _take(play, told, tables)
    _take(play, told, tables)
    for (kind, key), row in told.items():
        _hold(kind, key, tables.rows(kind).get(key), row)
    return count


def _hold(kind: str, key: str, kept: Any, told: Any) -> None:
    """A row that is kept against what the last event about it told (None: it ended)."""
    if isinstance(kept, Profile) and isinstance(told, Profile):  # what is not told takes room, too
        told = cut(replace(told, pubkey=kept.pubkey, npub=kept.npub, avatar=kept.avatar))
    if kept is not None and told is not None and _said(kind, kept) != _said(kind, told):
        raise BackupError(f"The row {key!r} of table {kind} is not what the journal says of it.")
    if kind in ("bodies", "claims") and kept is not None and told is None:
        raise BackupError(f"The row {key!r} of table {kind} is there, and the journal ended it.")
    if kind == "bodies" and kept is None and told is not None:
        raise BackupError(f"The row {key!r} of table {kind} is missing, and the journal began it.")


def _take(play: Replay, told: dict[tuple[str, str], Any], tables: Tables) -> None:
    """Move what was told into `told`; old notes and the like that are gone need no memory."""
    for (kind, key), row in play.tables.seal().after.items():
        if kind in ("posts", "requests") and key not in tables.rows(kind):
            play.tables.rows(kind).pop(key, None)
        else:
            told[kind, key] = row


def _said(kind: str, row: Any) -> Any:
    """The part of a row that its events tell."""
    match kind:
        case "profiles":
            return row.name, row.bio, row.capabilities, row.color, row.skills
        case "bodies":
            return row.agent_id
        case "identities":
            return row.pubkey
        case "claims":
            return row.agent_id, row.working_since > 0
        case "plugins":  # whose it is was not always told
            return replace(row, author="", credit=UNSET)
        case "installed":
            return replace(row, installed_by="")
    return row
