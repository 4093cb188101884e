"""The runbook, typed as it stands there, with the trouble of each page made for real."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from delivery.runbook import pages

from ..process.audit import read
from ..process.daemon import BRISK, Daemon, poll
from ..process.disk import small_disk
from .conftest import Home
from .runbook import Machine

PAGES: Final = pages()
Trouble = Callable[[Machine], None]


def hang(machine: Machine) -> None:
    assert machine.daemon is not None
    machine.daemon.send(signal.SIGSTOP)


def crash(machine: Machine) -> None:
    assert machine.daemon is not None
    machine.daemon.kill()


def nothing(machine: Machine) -> None:
    """There is no making this trouble here; its commands do no harm to a realm that is well."""


def fill_disk(machine: Machine) -> None:
    """Old backups leave no room for a commit."""
    assert machine.daemon is not None
    file = machine.home.backup("--kind", "database")
    old = [file.with_name(f"realm-database-2001010{n}T000000.000Z.tar.gz") for n in range(1, 7)]
    for name in old:
        shutil.copy(file, name)
    with old[0].open("ab", buffering=0) as ballast, suppress(OSError):
        while ballast.write(bytes(4096)):
            pass
    daemon = machine.daemon
    poll(lambda: not daemon.say("ada", "to be refused " * 30)["ok"], "a refusal")
    poll(lambda: daemon.health()[0] == 503, "health 503")


def step_back(machine: Machine) -> None:
    assert machine.daemon is not None
    (machine.home.folder / "offset").write_text("-3600")
    machine.daemon.log.wait("clock jumped by=-3600s")
    assert machine.daemon.say("ada", "while the clock is wrong")["ok"]


def damage(machine: Machine, *tables: str) -> None:
    """The first page of a table is overwritten: of profiles, so that the journal can still be read."""
    home, daemon = machine.home, machine.daemon
    assert daemon is not None
    home.backup("--kind", "database")
    assert daemon.say("ada", "after the backup")["ok"]
    assert daemon.stop() == 0
    with closing(sqlite3.connect(home.database)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        pages = dict(connection.execute("SELECT name, rootpage FROM sqlite_master"))
    with home.database.open("r+b") as file:
        for table in tables or ("profiles",):
            file.seek((pages[table] - 1) * size)
            file.write(os.urandom(size))
    refused = machine.begin(wait=False)
    refused.log.wait("cannot start stage=storage: .* is damaged")
    assert refused.wait() == 2


def lose_the_end(machine: Machine) -> None:
    """The last bytes of the write-ahead log are gone."""
    home, daemon = machine.home, machine.daemon
    assert daemon is not None
    for number in range(3):
        assert daemon.say("ada", f"to be lost {number}")["ok"]
    daemon.kill()
    log = Path(f"{home.database}-wal")
    os.truncate(log, log.stat().st_size - 100)
    machine.begin().log.wait("events lost: ")


def lose(machine: Machine) -> None:
    """Nothing is left but a copy of the backup, and the secret key."""
    home, daemon = machine.home, machine.daemon
    assert daemon is not None
    public, secret = home.keygen()
    home.configure(public_key=public)
    file = home.backup()
    assert daemon.stop() == 0
    elsewhere = home.folder / "elsewhere"
    elsewhere.mkdir()
    shutil.move(file, elsewhere)
    shutil.rmtree(home.state)
    home.configuration.unlink()
    home.configuration.touch()
    machine.places |= {"/mnt/backups": elsewhere, "/root/realm-backup.key": secret}
    machine.begin()  # what a fresh install makes


def upgrade(machine: Machine) -> None:
    home, daemon = machine.home, machine.daemon
    assert daemon is not None
    assert daemon.stop() == 0
    home.upgrade()


TROUBLES: Final[dict[str, Trouble]] = {
    "": nothing,
    "It hangs": hang,
    "It crashed": crash,
    "It runs out of memory": nothing,
    "The disk is full": fill_disk,
    "The clock jumped": step_back,
    "The database is damaged": damage,
    "It has lost events": lose_the_end,
    "The disk is lost": lose,
    "An upgrade went wrong": upgrade,
}


@contextmanager
def prepared(title: str, home: Home, mountable: bool) -> Iterator[dict[str, Any]]:
    """What the daemon of that page is started with."""
    with ExitStack() as stack:
        how: dict[str, Any] = {"settings": dict(BRISK)}
        if title == "The disk is full":
            if not mountable:
                pytest.skip("needs to mount a file system")
            home.state.mkdir()
            stack.enter_context(small_disk(home.state, "3m"))
        if title == "The clock jumped":
            [library] = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
            (home.folder / "offset").write_text("+0")
            how["settings"] |= {
                "LD_PRELOAD": str(library),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_TIMESTAMP_FILE": str(home.folder / "offset"),
            }
        yield how


def page(title: str) -> Any:
    """A page as a parameter, with what making its trouble needs."""
    marks = [pytest.mark.needs("faketime")] if title == "The clock jumped" else []
    return pytest.param(title, id=title or "first", marks=marks)


@pytest.mark.parametrize("title", [page(title) for title in PAGES])
def test_the_page_leads_out_of_its_trouble(
    title: str, home: Home, start: Callable[..., Daemon], mountable: bool
) -> None:
    """Whoever types a page of the runbook sees what it says, and has the realm back with its past."""
    with prepared(title, home, mountable) as how:
        machine = Machine(home, start, **how)
        populate(machine)
        TROUBLES[title](machine)
        for step in PAGES[title]:
            if not step.needs:
                machine.type(step)
        said = check_well(machine)
        assert title != "The database is damaged" or "after the backup" in said


def test_a_journal_that_is_damaged_too(home: Home, start: Callable[..., Daemon]) -> None:
    """Where going on with the damaged journal is refused, nothing is changed, and the other way works."""
    machine = Machine(home, start, settings=dict(BRISK))
    populate(machine)
    damage(machine, "profiles", "events")
    for step in PAGES["The database is damaged"]:
        if "--until" in step.command:
            before = home.database.read_bytes()
            home.refused(*step.command.split()[1:])
            assert home.database.read_bytes() == before
        elif step.needs in ("", "otherwise"):
            machine.type(step)
    assert "after the backup" not in check_well(machine)


def populate(machine: Machine) -> None:
    daemon = machine.begin()
    assert daemon.ask("register", agentId="ada", name="Ada")["ok"]
    assert daemon.say("ada", "before the trouble")["ok"]


def check_well(machine: Machine) -> list[str]:
    """The realm serves, and has its past; what was said in it."""
    assert machine.daemon is not None
    events = read(machine.home.database).events
    assert "before the trouble" in [event.get("text") for event in events.values()]
    answer = machine.daemon.ask("register", agentId="eve")
    assert answer["ok"]
    assert answer["seq"] > max(events)
    assert machine.daemon.stop() == 0
    return [str(event.get("text")) for event in events.values()]


def test_every_page_has_its_trouble() -> None:
    """No page goes untyped, and each says how it shows, what to do, and what one should see."""
    assert PAGES.keys() == TROUBLES.keys()
    assert all(steps for steps in PAGES.values())
    assert {step.needs for steps in PAGES.values() for step in steps} <= {"", "systemd", "relay", "otherwise"}
