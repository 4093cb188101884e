"""The head beside the database, and the epoch of its numbers, on every way back."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

from realmd.backup import database
from realmd.storage.head import Mark, head_file, read, write

from ..process.audit import read as read_journal
from .conftest import Home


def epoch(home: Home) -> str:
    """The epoch of the realm, which its head must know as its database does."""
    notes, mark = database.meta(home.database), read(head_file(home.database))
    assert mark is not None
    assert (mark.seq, mark.commits, mark.epoch) == (int(notes["seq"]), int(notes["commits"]), notes["epoch"])
    return mark.epoch


def test_a_restore_opens_an_epoch(home: Home, talk: Callable[..., None]) -> None:
    """The head of the realm that was is moved aside with it; the backup has none, and the new one fits."""
    talk("one")
    first = epoch(home)
    file = home.backup()
    with tarfile.open(file) as archive:
        assert [name for name in archive.getnames() if "head" in name] == []
    talk("two")
    assert epoch(home) == first, "a start is no new epoch"
    home.done("restore", "--force", "--without-keys")
    restored = epoch(home)
    assert restored != first
    aside = next(home.state.glob("aside-*"))
    assert (mark := read(aside / "realm.sqlite.head")) is not None
    assert mark.epoch == first
    talk("three")
    assert epoch(home) == restored
    assert head_file(home.database).stat().st_mode & 0o777 == 0o640


def test_numbers_of_a_damaged_database_are_not_given_again(home: Home, talk: Callable[..., None]) -> None:
    """What the database cannot tell any more, its head still does."""
    talk("one")
    home.backup()
    talk("two", "three")
    given = int(database.meta(home.database)["seq"])
    home.database.write_bytes(b"nonsense" * 1000)
    said = home.done("restore", "--force", "--without-keys")
    assert f"to={given}: the realm has given these numbers before" in said
    assert int(database.meta(home.database)["seq"]) == given
    talk("four")


def test_a_rollback_opens_an_epoch(home: Home, talk: Callable[..., None]) -> None:
    """What was said since the upgrade is taken back, so clients have to know."""
    talk("old")
    first = epoch(home)
    home.upgrade()
    home.done("rollback")
    assert epoch(home) != first
    talk("again")


def test_an_import_opens_an_epoch_if_it_changes_anything(
    home: Home, talk: Callable[..., None], tmp_path: Path
) -> None:
    """Twice is once here, too."""
    talk("one")
    first = epoch(home)
    profiles = tmp_path / "profiles.json"
    profiles.write_text(json.dumps([{"agentId": "bare", "name": "Bare"}]))
    home.done("import", profiles)
    second = epoch(home)
    assert second != first
    home.done("import", profiles)
    assert epoch(home) == second
    talk("two")


def test_a_journal_goes_on_over_what_was_lost(home: Home, talk: Callable[..., None]) -> None:
    """After a loss one still goes on from a backup of before, with the journal of what came since."""
    talk("one")
    home.backup()
    mark = read(head_file(home.database))
    assert mark is not None
    write(head_file(home.database), Mark(mark.seq + 5, mark.commits + 5, mark.seq + 5, mark.epoch))
    talk("two")
    assert int(database.meta(home.database)["seq"]) > mark.seq + 5
    home.done("restore", "--force", "--without-keys", "--until", "2100-01-01")
    said = [event.get("text") for event in read_journal(home.database).events.values()]
    assert [text for text in said if text in ("one", "two")] == ["one", "two"]
