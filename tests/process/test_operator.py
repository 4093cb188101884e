"""The operator's commands, typed at a real daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from .client import Closed
from .conftest import Start
from .daemon import SOON, Daemon, poll, run

REALMCTL: Final = (sys.executable, "-m", "realmd.ctl")


def realmctl(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(
        folder,
        *words,
        program=REALMCTL,
        settings={
            "STATE_DIRECTORY": str(folder / "state"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
    )


def done(folder: Path, *words: str) -> str:
    """What a command prints that must succeed."""
    ran = realmctl(folder, *words)
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    return ran.stdout


def banned(daemon: Daemon) -> bool:
    """Whether this host gets nothing from the realm but why."""
    status, answer = daemon.health()
    assert (status, answer.get("code")) in ((403, "banned"), (200, None), (503, None))
    return status == 403


def test_bans_hold_until_they_are_lifted(start: Start, tmp_path: Path) -> None:
    """A banned agent and a banned address stay banned through kill -9 and a new start, until unbanned."""
    daemon = start()
    with daemon.websocket() as ada:
        ada.ask(1, "register", agentId="ada")
        assert "ada" in done(tmp_path, "who")
        shown = done(tmp_path, "ban", "ada", "--reason", "too loud", "--for", "7d")
        assert "sent out: ada; connections closed: 1" in shown
        with pytest.raises(Closed) as closed:
            ada.ack("never")
        assert closed.value.code == 1008
    assert done(tmp_path, "ban", "127.0.0.1", "--json")
    daemon.kill()

    daemon = start()
    assert banned(daemon)
    assert [s["target"] for s in json.loads(done(tmp_path, "sanctions", "--json"))["sanctions"]] == [
        "ada",
        "127.0.0.1/32",
    ]
    done(tmp_path, "unban", "127.0.0.1")
    assert not banned(daemon)
    answer = daemon.say("ada", "let me in")
    assert (answer["code"], answer["reason"]) == ("banned", "too loud")
    done(tmp_path, "unban", "ada")
    assert daemon.say("ada", "thank you")["ok"]
    notes = [json.loads(line) for line in (daemon.state / "audit.log").read_text().splitlines()]
    assert [note["action"] for note in notes] == ["ban", "ban", "unban", "unban"]
    assert {note["result"] for note in notes} == {"ok"}


def test_the_daemon_tries_its_alerts(start: Start, tmp_path: Path) -> None:
    """`alert test` tells of the running realm: its settings and its user, not those of whoever types it."""
    program = tmp_path / "sendmail"
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/mail\necho $PPID > {tmp_path}/parent\n")
    program.chmod(0o755)
    daemon = start(settings={"REALMD_ALERTS_EMAIL": "o@example.org", "REALMD_ALERTS_SENDMAIL": str(program)})
    assert done(tmp_path, "alert", "test") == "email: sent\n"
    assert "nothing is wrong" in (tmp_path / "mail").read_text()
    assert int((tmp_path / "parent").read_text()) == daemon.process.pid


def test_what_the_operator_says_is_answered(start: Start, tmp_path: Path) -> None:
    """The operator speaks to everyone, and the inhabitants answer as they would anybody."""
    daemon = start()
    done(tmp_path, "say", "Daily, what are you doing?")
    poll(
        lambda: [e for e in daemon.events() if e["agentId"] == "daily" and e["worldType"] == "chat"], "Daily"
    )
    assert [e["text"] for e in daemon.events() if e["agentId"] == "operator"] == [
        "Daily, what are you doing?"
    ]


def test_the_realm_is_emptied_and_stopped(start: Start, tmp_path: Path) -> None:
    """`realmctl drain --stop` answers, and the daemon ends as if by a signal."""
    daemon = start()
    assert done(tmp_path, "drain", "--stop") == "stopping, 0 still inside\n"
    assert daemon.wait(SOON) == 0


def test_what_cannot_be_done_is_said_in_a_line(start: Start, tmp_path: Path) -> None:
    """No daemon is exit code 3, a refusal 1, a wrong command line 2; each with a sentence on stderr."""
    ran = realmctl(tmp_path, "who")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert ran.stderr.startswith("realmctl: no realm runs here: nobody listens at ")
    start()
    ran = realmctl(tmp_path, "kick", "ghost")
    assert (ran.returncode, ran.stderr) == (1, "realmctl: no agent is known as ghost (unknown_agent)\n")
    assert realmctl(tmp_path, "ban", "ghost", "--for", "soon").returncode == 2
