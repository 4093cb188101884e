"""What the realm says, and does, when the disk has lost what was acknowledged."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from .conftest import Start
from .daemon import BRISK, Daemon

#: Events that were acknowledged before the damage.
SAID: Final = 400
Damage = Callable[[Path], None]


@pytest.fixture
def killed(start: Start, tmp_path: Path) -> tuple[Path, int, str]:
    """The state of a realm that acknowledged 400 events and was killed: folder, its last seq, its epoch."""
    daemon = start(settings=BRISK)
    epoch = daemon.ask("room-info")["epoch"]
    with daemon.websocket() as socket:
        assert socket.ask("r", "register", agentId="ada")["ok"]
        for number in range(SAID):
            socket.send(type="world-chat", id=number, agentId="ada", text=f"sentence {number}")
        acked = [socket.any_ack() for _ in range(SAID)]
    daemon.kill()
    assert all(ack["ok"] for ack in acked)
    _, last = ends(daemon.database)
    assert last >= max(ack["seq"] for ack in acked)
    return daemon.state, last, epoch


def ends(database: Path) -> tuple[int, int]:
    """The last event and the last number that a copy of the database has."""
    place = database.with_name("looked-at")
    place.mkdir()
    for part in database.parent.glob(f"{database.name}*"):
        shutil.copy(part, place)
    with closing(sqlite3.connect(place / database.name)) as connection:
        (event,) = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
        (seq,) = connection.execute("SELECT value FROM meta WHERE key = 'seq'").fetchone()
    shutil.rmtree(place)
    return event, int(seq)


def cut(part: float) -> Damage:
    """The write-ahead log ends early."""

    def damage(database: Path) -> None:
        log = Path(f"{database}-wal")
        with log.open("r+b") as file:
            file.truncate(int(log.stat().st_size * part))

    return damage


def flip(part: float) -> Damage:
    """A byte in the write-ahead log is another: its checksums end there."""

    def damage(database: Path) -> None:
        log = Path(f"{database}-wal")
        at = int(log.stat().st_size * part)
        with log.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 0x10]))

    return damage


def history(daemon: Daemon) -> dict[str, Any]:
    """The check of that name in /health."""
    check: dict[str, Any] = daemon.health()[1]["checks"]["history"]
    return check


def next_seq(daemon: Daemon, agent_id: str) -> int:
    answer = daemon.ask("register", agentId=agent_id)
    assert answer["ok"], answer
    seq: int = answer["seq"]
    return seq


@pytest.mark.parametrize(
    "damage",
    [cut(0.97), cut(0.6), cut(0.35), flip(0.9), flip(0.5)],
    ids=["cut_at_97", "cut_at_60", "cut_at_35", "flip_at_90", "flip_at_50"],
)
def test_what_the_log_lost_is_told(start: Start, killed: tuple[Path, int, str], damage: Damage) -> None:
    """The range is told by log, health and answers, no number of it is given again, the epoch is new."""
    state, last, epoch = killed
    damage(state / "realm.sqlite")
    event, left = ends(state / "realm.sqlite")
    assert event == left < last, "nothing was lost, so nothing is tried"
    second = start(settings=BRISK)
    second.log.wait(rf"critical .*events lost: the acknowledged events {left + 1} to {last} were lost")
    told = history(second)
    assert (told["status"], told["reason"]) == (
        "degraded",
        f"at this start the acknowledged events {left + 1} to {last} were lost",
    )
    assert second.health()[0] == 200
    assert next_seq(second, "bob") > last
    now = second.ask("room-info")["epoch"]
    events = second.ask("room-events", after=left)
    assert now == told["figures"]["epoch"] == events["epoch"] != epoch
    assert min(event["seq"] for event in events["events"]) > last
    with second.websocket() as socket:
        assert socket.receive()["info"]["epoch"] == now
    assert second.stop() == 0
    third = start(settings=BRISK)
    assert third.log.find("events lost") == []
    assert (history(third)["status"], third.ask("room-info")["epoch"]) == ("ok", now)
    assert [(loss["first"], loss["last"]) for loss in history(third)["figures"]["lost"]] == [(left + 1, last)]


def test_losing_twice_is_told_twice(start: Start, killed: tuple[Path, int, str]) -> None:
    """The second loss begins above the first, in an epoch of its own."""
    state, last, epoch = killed
    cut(0.6)(state / "realm.sqlite")
    second = start(settings=BRISK)
    epochs = {epoch, second.ask("room-info")["epoch"]}
    with second.websocket() as socket:
        assert socket.ask("r", "register", agentId="bob")["ok"]
        for number in range(50):
            given = socket.ask(number, "world-chat", agentId="bob", text=f"again {number}")["seq"]
    second.kill()
    cut(0.7)(state / "realm.sqlite")
    third = start(settings=BRISK)
    told = history(third)["figures"]["lost"]
    assert [loss["last"] for loss in told] == [last, pytest.approx(given, abs=5)]
    assert told[1]["last"] >= given
    assert len(epochs | {third.ask("room-info")["epoch"]}) == 3
    assert next_seq(third, "carl") > told[1]["last"]


@pytest.mark.parametrize("how", ["empty", "gone", "without its log"])
def test_a_realm_that_is_gone_is_refused(start: Start, killed: tuple[Path, int, str], how: str) -> None:
    """No new realm takes its place: the line says what to do, systemd does not try again, keys stay."""
    state, last, _ = killed
    database = state / "realm.sqlite"
    keys = (state / "token-keys").read_bytes()
    if how == "gone":
        database.unlink()
    elif how == "empty":
        database.write_bytes(b"")
    else:  # what is left is older than the first table, or as old as the last time the log was folded in
        Path(f"{database}-wal").write_bytes(b"")
        if database.stat().st_size > 4096:
            pytest.skip("the log was folded into the database before")
    refused = start(settings=BRISK, wait=False)
    line = refused.log.wait(r"cannot start stage=storage: .*")[0]
    assert refused.wait() == 2
    assert re.search(rf"is (gone|empty), and .*realm\.sqlite\.head knows of {last} events", line)
    assert "realmctl restore --force" in line
    assert (state / "token-keys").read_bytes() == keys
    for part in state.glob("realm.sqlite*"):
        part.rename(part.with_name(f"old-{part.name}"))
    assert start(settings=BRISK).ask("room-info")["epoch"]


def test_kill_9_is_no_loss(start: Start) -> None:
    """Killed again and again among commits, the realm never says that something was lost."""
    daemon = start(settings=BRISK)
    epoch = daemon.ask("room-info")["epoch"]
    for turn in range(12):
        with daemon.websocket() as socket:
            assert socket.ask("r", "register", agentId="ada")["ok"]
            for number in range(200):
                socket.send(type="world-chat", id=number, agentId="ada", text=f"sentence {turn} {number}")
            for _ in range(turn * 16):  # the others are under way when it ends
                assert socket.any_ack()["ok"]
            daemon.kill()
        daemon = start(settings=BRISK)
        assert daemon.log.find("events lost|passed over") == []
        assert (history(daemon)["status"], history(daemon)["figures"]) == ("ok", {"epoch": epoch})
