"""Backups of a realm that is running, and what becomes of one that cannot be made."""

from __future__ import annotations

import json
import os
import random
import re
import sqlite3
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from realmd.backup import archive, record
from realmd.backup.files import PARTIAL, alone, scratch

from ..process.audit import check_tables, read
from ..process.daemon import BRISK
from ..process.disk import filled, small_disk
from ..process.load import Agent, Load, Worker
from .conftest import Home

#: The files in the state folder that hold a secret.
KEYS = ("nostr-key", "token-keys")


def crew() -> list[Agent]:
    rng = random.Random(7)
    agents = [Agent(f"agent-{n}", f"agent-{(n + 1) % 4}", rng) for n in range(4)]
    return [*agents, Worker("worker-1", "", rng), Worker("worker-2", "", rng)]


def test_a_backup_under_load_has_all_that_was_acknowledged_before(
    home: Home, homes: Callable[[str], Home], start: Callable[..., Any]
) -> None:
    """Taken in full work, a backup restores to a realm with every event acknowledged before it began."""
    daemon = start(settings=BRISK, state=home.state)
    agents, taken = crew(), []
    load = Load(daemon, agents)
    for _ in range(3):
        load.go_on(0.4)
        before = {seq for agent in agents for seq in list(agent.acked)}
        taken.append((before, home.backup("--kind", "database")))
    daemon.kill()
    load.end()
    for turn, (before, file) in enumerate(taken):
        assert "backup verified" in home.done("backup", "verify", file)
        other = homes(f"other-{turn}")
        other.done("restore", file)
        kept = read(other.database)
        assert len(before) > 10
        assert before <= set(kept.events), "acknowledged before the backup began, and lost"
        assert [*kept.events] == [*range(1, len(kept.events) + 1)]
        check_tables(kept, agents)
    again = start(state=other.state)
    assert again.say("agent-0", "here again")["ok"]


def test_keys_are_sealed_or_left_out_loudly(home: Home, talk: Callable[..., None]) -> None:
    """No byte of a key is ever in an archive in clear; without a public key the operator is warned."""
    talk("hello")
    keys = [(home.state / name).read_bytes().strip() for name in KEYS]
    warned = home.done("backup")
    assert "WARNING: secrets are NOT in this backup" in warned
    assert record.read(home.backups).left_out == tuple(str(home.state / name) for name in KEYS)
    public, _ = home.keygen()
    home.configure(public_key=public)
    assert "WARNING" not in home.done("backup")
    for file in home.backups.glob("*.tar.gz"):
        with tarfile.open(file) as tar:
            held = [tar.extractfile(entry).read() for entry in tar]  # type: ignore[union-attr]
        assert [data for data in held for key in keys if key in data] == []
    assert record.read(home.backups).left_out == ()


def test_a_secret_key_is_not_overwritten(home: Home) -> None:
    """Making a key pair twice leaves the first one, without which older backups could not be opened."""
    _, file = home.keygen()
    before = file.read_bytes()
    assert "not overwritten" in home.refused("backup", "keygen", file)
    assert file.read_bytes() == before
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_named_comes_along(
    home: Home, homes: Callable[[str], Home], talk: Callable[..., None]
) -> None:
    """An nginx site and certificates are restored with their links; private ones are sealed."""
    talk("hello")
    site, live = home.folder / "etc" / "site.conf", home.folder / "etc" / "live"
    live.mkdir(parents=True)
    site.write_text("server {}\n")
    (home.folder / "etc/privkey1.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    (live / "privkey.pem").symlink_to("../privkey1.pem")
    public, secret = home.keygen()
    home.configure(public_key=public)
    file = home.backup("--with", site, "--with", live)
    manifest = archive.check(file)
    assert {m.path for m in manifest.members if m.sealed} == {
        *(str(home.state / name) for name in KEYS), str(home.folder / "etc/privkey1.pem"),
    }  # fmt: skip
    other, there = homes("other"), home.folder / "there"
    other.done("restore", file, "--key", secret, "--files-to", there)
    root = there / str(home.folder).lstrip("/")
    assert (root / "etc/site.conf").read_text() == "server {}\n"
    assert (root / "etc/live/privkey.pem").read_text().startswith("-----BEGIN")
    assert (root / "realmd.toml").read_text() == home.configuration.read_text()


def test_configuration_is_backed_up_when_it_changed(home: Home) -> None:
    """Asked each minute, only a change of the configuration makes a new backup of it."""
    words = ("backup", "--kind", "configuration", "--if-changed", "--config", home.configuration)
    assert "backup made" in home.done(*words)
    assert "nothing changed" in home.done(*words)
    with alone(home.backups):
        home.refused(*words)
    assert not record.read(home.backups).backups["configuration"].ok
    assert "nothing changed" in home.done(*words)
    assert record.read(home.backups).backups["configuration"].ok, "an alert that nothing ends"
    home.configure(daily_keep_days=3)
    assert "backup made" in home.done(*words)
    assert len(list(home.backups.glob("*.tar.gz"))) == 2


def test_a_key_elsewhere_is_backed_up_too(home: Home, homes: Callable[[str], Home]) -> None:
    """A Nostr key that the configuration names is sealed like the others, and comes back where it was."""
    key = home.folder / "keys/nostr"
    key.parent.mkdir()
    key.write_text("1" * 64)
    key.chmod(0o600)
    settings = {"REALMD_NOSTR_KEY_FILE": str(key)}
    words = ("backup", "--kind", "configuration")
    assert str(key) in home.done(*words, settings=settings)
    public, secret = home.keygen()
    home.configure(public_key=public)
    file = home.backup("--kind", "configuration", settings=settings)
    root = home.folder / "root"
    homes("other").done("restore", file, "--key", secret, "--files-to", root)
    back = root / str(key).lstrip("/")
    assert (back.read_text(), back.stat().st_mode & 0o777) == ("1" * 64, 0o600)


def test_a_backup_leaves_a_check_alone(home: Home, talk: Callable[..., None]) -> None:
    """The scratch folder of a check under way stays when a backup begins; that of a dead one goes."""
    talk("hello")
    home.backup()
    dead = home.backups / f"{PARTIAL}dead"
    dead.mkdir()
    with scratch(home.backups) as place:
        home.backup()
        assert place.is_dir()
    assert not dead.exists()


def test_no_lock_is_written_through_a_link(home: Home, talk: Callable[..., None]) -> None:
    """Who may write where the realm does has nothing of root's emptied when root types realmctl."""
    talk("hello")
    file, victim = home.backup(), home.folder / "shadow"
    victim.write_text("precious")
    lock = Path(f"{home.database}.lock")
    lock.unlink()
    lock.symlink_to(victim)
    home.refused("restore", file, "--force")
    assert victim.read_text() == "precious"


def test_a_copy_elsewhere(home: Home, talk: Callable[..., None]) -> None:
    """The off-site command gets the file as one word; that it failed shows in status, output and record."""
    talk("hello")
    elsewhere = home.folder / "else where"
    elsewhere.mkdir()
    home.configure(offsite=["cp", "{file}", str(elsewhere)])
    file = home.backup()
    assert (elsewhere / file.name).read_bytes() == file.read_bytes()
    home.configure(offsite=[sys.executable, "-c", "import sys; sys.exit('no such remote')", "{file}"])
    ran = home.ctl("backup")
    assert ran.returncode == 3
    assert "off-site copy failed" in ran.stdout
    known = record.read(home.backups)
    assert known.offsite is not None
    assert known.offsite_ok is not None
    assert not known.offsite.ok
    assert "no such remote" in known.offsite.error
    assert known.offsite_ok.file == file.name
    assert known.backups["full"].ok
    home.configure(offsite=["sh", "-c", "sleep 60 & wait", "{file}"], offsite_timeout_s=0.2)
    assert home.ctl("backup").returncode == 3
    assert "did not end within 0.2 s" in record.read(home.backups).offsite.error  # type: ignore[union-attr]
    home.configure()
    home.backup()
    assert record.read(home.backups).offsite is None, "an alert that nothing can end"


def check_untouched(home: Home, before: Path, said: str) -> None:
    """The earlier backup is there, whole; the failed one left nothing but its record."""
    archive.check(before)
    assert {path.name for path in home.backups.glob("*.tar.gz")} == {before.name}
    assert list(home.backups.glob(".partial*")) == []
    known = record.read(home.backups)
    assert known.backups_ok["full"].file == before.name
    assert said


def test_a_full_disk(home: Home, talk: Callable[..., None]) -> None:
    """A backup that finds no room says so, is recorded as failed, and harms neither realm nor backups."""
    talk(*["a line that fills the database a little " * 10] * 12)
    before = home.backup()
    said = home.refused("backup", limit="-f 40")  # blocks of 512 bytes; SIGXFSZ is ignored by Python
    check_untouched(home, before, said)
    assert not record.read(home.backups).backups["full"].ok
    talk("still alive")


def test_a_full_file_system(home: Home, talk: Callable[..., None], mountable: bool) -> None:
    """The same on a file system without a free block, where not even the record can be written."""
    if not mountable:
        pytest.skip("needs to mount a file system")
    talk("hello")
    home.backups.mkdir()
    with small_disk(home.backups):
        before = home.backup()
        with filled(home.backups):
            said = home.refused("backup")
        check_untouched(home, before, said)
        assert "No space left" in said or "cannot be written" in said
        home.backup()


def test_a_damaged_database_takes_no_good_backups_place(home: Home, talk: Callable[..., None]) -> None:
    """A database whose structure is damaged is not backed up, and the operator is told which is wrong."""
    talk(*["some words to fill pages with " * 15] * 30)
    before = home.backup()
    with home.database.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xa5" * 4096)
    said = home.refused("backup")
    assert str(home.database) in said
    check_untouched(home, before, said)


def test_only_one_at_a_time(home: Home, talk: Callable[..., None]) -> None:
    """A second backup into the same folder waits for nobody and disturbs nobody: it says so and ends."""
    import fcntl

    talk("hello")
    home.backup()
    with (home.backups / ".lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "Another backup" in home.refused("backup")


def test_the_list(home: Home, talk: Callable[..., None]) -> None:
    """`realmctl backup list` shows each backup, and which one was verified; prune takes the surplus."""
    talk("hello")
    files = [home.backup("--kind", "database") for _ in range(5)]
    home.done("backup", "verify", files[0])
    head, *rows = home.done("backup", "list").splitlines()
    assert head == f"in {home.backups}:"
    assert [re.split("  +", row.strip())[2:] for row in rows] == [
        [files[0].name, "verified"], *([file.name] for file in files[1:]),
    ]  # fmt: skip
    assert all(re.match(r" *\d+ (s|min) ago +\d+ KiB  realm-", row) for row in rows)
    told = json.loads(home.done("backup", "list", "--json"))
    assert [(each["file"], each["verified"], each["offsite"]) for each in told["backups"]] == [
        (str(file), file == files[0], False) for file in files
    ]
    for file in files[:4]:
        file.rename(file.with_name(file.name.replace("-database-2", "-database-1")))
    said = home.done("backup", "prune")
    assert re.search(r"kept=3 \(\d+ KiB\); 2 removed \(\d+ KiB\)", said)
    assert json.loads((home.backups / record.NAME).read_text())["kept"] == 3


def test_backups_do_not_hold_up_writers(home: Home, talk: Callable[..., None]) -> None:
    """While a copy is made, another connection commits: the realm never waits for a backup."""
    from realmd.backup.database import reading

    talk("hello")
    with closing(sqlite3.connect(home.database, timeout=0)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        with reading(home.database) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM events").fetchone()
            writer.execute("UPDATE meta SET value = '0' WHERE key = 'probe'")
            writer.commit()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
def test_what_root_makes_belongs_to_the_realm(home: Home, homes: Callable[[str], Home], talk: Any) -> None:
    """Typed as root, backup and restore leave files that the daemon, another user, can read and write."""
    talk("hello")
    nobody = 65534
    other = homes("other")
    for folder in (home.state, other.folder):
        os.chown(folder, nobody, nobody)
    file = home.backup()
    other.done("restore", file)
    made = [home.backups, *home.backups.iterdir(), other.state, *other.state.iterdir()]
    assert {path: path.stat().st_uid for path in made} == dict.fromkeys(made, nobody)


def test_what_a_killed_backup_left_behind_goes(home: Home, talk: Any) -> None:
    """The unfinished files of a backup that was killed do not fill the disk for ever."""
    talk("hello")
    left = home.backups / ".partial-killed"
    left.mkdir(parents=True)
    (left / "database").write_bytes(bytes(1000))
    home.backup()
    assert not left.exists()
