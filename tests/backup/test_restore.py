"""Restoring: to now, to a moment, and to before an upgrade; what may not be done is not begun."""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from realmd.backup import database
from realmd.backup.files import PARTIAL
from realmd.settings.text import toml

from ..process.audit import read
from ..process.disk import small_disk
from .conftest import Home


def texts(home: Home) -> list[str]:
    return [
        e["text"]
        for e in read(home.database).events.values()
        if e["worldType"] == "chat" and e["agentId"] == "ada"
    ]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below, but locks and the shared-memory index."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith((".lock", "-shm", "-wal"))
    }


def test_a_living_realm_is_not_overwritten(home: Home, start: Callable[..., Any]) -> None:
    """While the realm runs nothing can be restored, rolled back or imported over it, not even by force."""
    daemon = start(state=home.state)
    assert daemon.ask("register", agentId="ada")["ok"]
    file = home.backup()
    (home.folder / "profiles.json").write_text("[]")
    for words in (("restore", file, "--force"), ("rollback",), ("import", home.folder / "profiles.json")):
        assert "running" in home.refused(*words)
    assert daemon.say("ada", "undisturbed")["ok"]


def test_a_realm_that_is_there_is_moved_aside_not_deleted(home: Home, talk: Callable[..., None]) -> None:
    """Without --force a state is left alone; with it the old one is found again, whole."""
    talk("one")
    file = home.backup()
    talk("two")
    before = tree(home.state)
    assert "not empty" in home.refused("restore", file)
    assert tree(home.state) == before
    said = home.done("restore", file, "--force")
    assert texts(home) == ["one"]
    aside = Path(re.search(r"aside into=(\S+)", said)[1])  # type: ignore[index]
    assert (aside / "realm.sqlite").read_bytes() == before["realm.sqlite"]


def test_numbers_are_never_given_twice(home: Home, talk: Callable[..., None]) -> None:
    """After going back, new events get numbers that clients and relays have not seen yet."""
    talk("one")
    file = home.backup()
    talk("two", "three")
    given = max(read(home.database).events)
    home.done("restore", file, "--force")
    talk("four")
    after = read(home.database).events
    assert min(seq for seq in after if seq > given) == given + 1
    assert [after[seq]["text"] for seq in after if seq > given and after[seq].get("text") == "four"]
    assert home.done("backup", "verify", home.backup())


def test_keys_come_back_with_the_secret_key_alone(
    home: Home, homes: Callable[[str], Home], talk: Callable[..., None]
) -> None:
    """Without the key, or with another, nothing is restored; with it tokens keep their worth."""
    talk("hello")
    public, secret = home.keygen()
    _, other_secret = home.keygen("other.key")
    home.configure(public_key=public)
    file, other = home.backup(), homes("other")
    assert "--key FILE" in other.refused("restore", file)
    assert "sealed to" in other.refused("restore", file, "--key", other_secret)
    assert "no secret key" in other.refused("restore", file, "--key", home.state / "token-keys")
    assert not other.database.exists()
    other.done("restore", file, "--key", secret)
    assert (other.state / "token-keys").read_bytes() == (home.state / "token-keys").read_bytes()
    assert (other.state / "token-keys").stat().st_mode & 0o777 == 0o600
    assert other.database.stat().st_mode & 0o777 == 0o640
    assert texts(other) == ["hello"]


@pytest.mark.parametrize("harm", ["truncated", "flipped", "foreign", "missing"])
def test_a_bad_archive_changes_nothing(home: Home, talk: Callable[..., None], harm: str) -> None:
    """An archive that is cut off, changed, none at all or gone is refused by name; the realm stays."""
    talk("hello")
    file = home.backup()
    text = bytearray(file.read_bytes())
    if harm == "flipped":
        text[len(text) // 2] ^= 1
    bad = {"truncated": text[: len(text) // 2], "foreign": b"hello", "missing": None}.get(harm, text)
    file.unlink() if bad is None else file.write_bytes(bad)
    before = tree(home.state)
    assert str(file) in home.refused("restore", file, "--force")
    assert tree(home.state) == before
    assert "failed" in home.refused("backup", "verify", file)
    talk("still here")


def test_a_full_disk_changes_nothing(home: Home, talk: Callable[..., None]) -> None:
    """When there is no room to restore, the realm is as it was."""
    talk("hello")
    file = home.backup()
    before = tree(home.state)
    home.refused("restore", file, "--force", limit="-f 40")
    assert tree(home.state) == before


def test_to_a_moment_between_two_backups(
    home: Home, homes: Callable[[str], Home], talk: Callable[..., None]
) -> None:
    """Up to an event's number or a time, from the backup before it and the journal of what came later."""
    talk("one")
    home.backup("--kind", "database")
    talk("two", "three")
    later = home.backup("--kind", "database")
    talk("four")
    events = read(home.database).events
    three = next(seq for seq, event in events.items() if event.get("text") == "two")
    shutil.copy(home.database, home.folder / "damaged.sqlite")
    said = home.done("restore", "--until", three, "--force")  # the journal is in the database that is there
    assert "restore replayed" in said
    assert texts(home) == ["one", "two"]
    moment = events[three]["timestamp"] / 1000
    other = homes("other")
    shutil.copytree(home.backups, other.backups)
    stamp = datetime.fromtimestamp(moment, UTC).isoformat()
    other.done("restore", "--until", stamp)  # the journal is in the next backup
    assert texts(other) == ["one", "two"]
    assert "nothing brings it back before" in homes("third").refused("restore", later, "--until", 2)
    assert "has no backup" in home.refused("restore", "--until", "2001-01-01T00:00Z", "--force")
    assert "give the seq" in home.refused("restore", "--until", "yesterday", "--force", code=2)


def test_a_journal_of_another_realm_is_refused(
    home: Home, homes: Callable[[str], Home], talk: Callable[..., None], start: Callable[..., Any]
) -> None:
    """Events are only added where they demonstrably follow."""
    talk("one")
    file, other = home.backup(), homes("other")
    daemon = start(state=other.state)
    assert daemon.ask("register", agentId="eve")["ok"]
    for number in range(10):
        assert daemon.say("eve", f"{number}")["ok"]
    assert daemon.stop() == 0
    said = homes("third").refused("restore", file, "--until", 12, "--journal", other.database)
    assert "same realm" in said


def test_back_to_before_the_last_upgrade(home: Home, talk: Callable[..., None]) -> None:
    """`rollback` puts the copy made before the upgrade in place; what came after stays findable."""
    talk("old")
    assert "never upgraded" in home.refused("rollback")
    copy = home.upgrade()
    said = home.done("rollback")
    assert copy.exists()
    aside = Path(re.search(r"aside into=(\S+?);", said)[1])  # type: ignore[index]
    assert (aside / "realm.sqlite").exists()
    talk("again")
    assert texts(home) == ["old", "again"]


def test_nothing_is_rolled_back_that_need_not_be(home: Home, talk: Callable[..., None]) -> None:
    """A database that opens as it is stays, unless it is forced: an old copy has less in it.

    The copy of an upgrade that was rolled back already is never taken.
    """
    talk("old")
    version = int(database.meta(home.database)["version"])
    copy = home.database.with_name(f"realm.sqlite.before-{version:04}")
    shutil.copy(home.database, copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", (str(version - 1),))
    shutil.copy(home.database, copy.with_name(f"realm.sqlite.before-{version + 1:04}"))
    talk("new")
    given = max(read(home.database).events)
    before = tree(home.state)
    assert "opens" in home.refused("rollback")
    assert tree(home.state) == before
    assert str(copy) in home.done("rollback", "--force")
    assert texts(home) == ["old"]
    assert int(database.meta(home.database)["seq"]) >= given, "numbers would be given twice"


def test_an_upgrade_that_was_interrupted_is_rolled_back_whole(home: Home, talk: Callable[..., None]) -> None:
    """Of two copies, made on the way by two starts, the one is taken that this realmd can open.

    A database that cannot be read at all is for `restore`: a backup is newer than the copy.
    """
    talk("old")
    first = home.upgrade()
    second = home.upgrade()
    assert str(first) in home.done("rollback")
    assert texts(home) == ["old"]
    home.database.write_bytes(b"nonsense" * 1000)
    assert "realmctl restore" in home.refused("rollback")
    assert second.exists()


#: realmctl, killed or interrupted as soon as a new file would take its place.
KILLED = """
import os, pathlib, signal, sys
from realmd import ctl

def rename(self, target, before=pathlib.Path.rename):
    if os.path.basename(target) == "realm.sqlite":
        pathlib.Path.rename = before
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    return before(self, target)

pathlib.Path.rename = rename
sys.exit(ctl.main(sys.argv[2:]))
"""


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_whoever_is_killed_leaves_a_realm(home: Home, start: Callable[..., Any], how: str) -> None:
    """Killed at its worst moment, a restore leaves the old realm, with what a crash left in its log."""
    daemon = start(state=home.state)
    assert daemon.ask("register", agentId="ada")["ok"]
    assert daemon.say("ada", "one")["ok"]
    file = home.backup()
    assert daemon.say("ada", "two")["ok"]
    daemon.kill()
    ran = home.run([sys.executable, "-c", KILLED, how, "restore", str(file), "--force"])
    assert ran.returncode == (-9 if how == "SIGKILL" else 130), ran.stderr
    assert texts(home) == ["one", "two"]
    home.done("restore", file, "--force")
    assert texts(home) == ["one"]
    left = [path.name for path in home.state.iterdir() if path.name.startswith(PARTIAL)]
    assert not left


def test_a_database_on_another_disk(home: Home, talk: Callable[..., None], mountable: bool) -> None:
    """Keys go to the state folder and the database to its own disk; the old ones are kept."""
    if not mountable:
        pytest.skip("needs to mount a file system")
    public, secret = home.keygen()
    with small_disk(home.folder / "fast", "20m") as fast:
        home.configuration.write_text(
            f"[backup]\npublic_key = {toml(public)}\n[storage]\npath = {toml(str(fast / 'realm.sqlite'))}\n"
        )
        talk("hello")
        file = home.backup()
        said = home.done("restore", file, "--key", secret, "--force")
        assert {Path(found).parent for found in re.findall(r"aside into=(\S+)", said)} == {fast, home.state}


def test_another_than_the_expected_contents_do_not_verify(home: Home, talk: Callable[..., None]) -> None:
    """A backup whose tables are not what its journal says is found by verifying, and that is recorded."""
    from realmd.backup import record

    talk("hello")
    assert home.done("backup", "verify", home.backup())
    with closing(sqlite3.connect(home.database)) as connection, connection:
        body = connection.execute("SELECT body FROM profiles WHERE key = 'ada'").fetchone()[0]
        connection.execute(
            "UPDATE profiles SET body = ? WHERE key = 'ada'", (body.replace("was here", "was not"),)
        )
    file = home.backup()
    assert "not what the journal says" in home.refused("backup", "verify", file)
    known = record.read(home.backups)
    assert known.verify is not None
    assert known.verify_ok is not None
    assert (known.verify.ok, known.verify.file) == (False, file.name)
    assert known.verify_ok.file != file.name


#: realmctl, of which somebody tires as soon as the restored database is opened.
TIRED = """
import os, signal, sys
from twisted.internet.defer import Deferred
from realmd import ctl
from realmd.backup import verify

async def opened(copy, reactor):
    os.kill(os.getpid(), signal.SIGINT)
    await Deferred()

verify._open = opened
sys.exit(ctl.main(sys.argv[1:]))
"""


def test_who_ends_a_check_has_not_failed_a_backup(home: Home, talk: Callable[..., None]) -> None:
    """Ctrl-C while a backup is verified raises no alert on the backup, and leaves no copy behind."""
    talk("hello")
    home.backup()
    before = tree(home.backups)
    ran = home.run([sys.executable, "-c", TIRED, "backup", "verify"])
    assert (ran.returncode, ran.stderr.strip()) == (130, "")
    assert tree(home.backups) == before
