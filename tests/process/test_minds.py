"""Minds that fail in a running daemon, which goes on."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from .conftest import Start
from .daemon import Daemon, poll
from .test_stop import stop

#: Runs twistd with kobolds that are well only while the file `well` is there.
PROGRAM = """
import sys
from pathlib import Path
from twisted.scripts.twistd import run
from realmd.world import minds

well = minds.MINDS["kobold"]

def think(view, memory, now, rng):
    if Path("well").exists():
        return well.think(view, memory, now, rng)
    {trouble}

minds.MINDS["kobold"] = minds.Mind(well.new_memory, think)
run()
"""
RAISES = 'raise ValueError("a thought that cannot be thought")'
#: Opening a pipe for reading takes until somebody writes.
HANGS = 'return [*open("pipe").read()]'
#: Minds come back soon, and have time to start on a slow machine.
IMPATIENT = {
    "REALMD_THINK_INTERVAL_MS": "100",
    "REALMD_THINK_BUDGET_MS": "100",
    "REALMD_THINK_RESPAWN_AFTER_S": "0.3",
    "REALMD_THINK_RESPAWN_MAX_S": "0.3",
}


def start_with(start: Start, trouble: str) -> Daemon:
    daemon = start(
        program=[sys.executable, "-c", PROGRAM.format(trouble=trouble)], settings=IMPATIENT, wait=False
    )
    daemon.expected_failures = "mind failed agent=.*a thought that cannot be thought"
    return daemon.ready()


def thinker(daemon: Daemon) -> str:
    """What /health says of the minds, as long as it says that the realm serves."""
    status, health = daemon.health()
    assert status == 200
    return str(health["checks"]["thinker"]["status"])


def check_the_realm_goes_on(daemon: Daemon) -> None:
    assert daemon.ask("register", agentId="me")["ok"]
    assert daemon.say("me", "hello")["ok"]
    assert daemon.ask("world-walk", agentId="me", x=0, z=30)["ok"]
    assert daemon.health()[1]["checks"]["tick"]["status"] == "ok"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """What a mind that hangs hangs on."""
    place = tmp_path / "pipe"
    os.mkfifo(place)
    return place


def test_minds_that_raise(start: Start) -> None:
    """They are logged, put to sleep and respawned; /health is degraded until they think again."""
    daemon = start_with(start, RAISES)
    daemon.log.wait("mind failed agent=trade.*ValueError")
    poll(lambda: thinker(daemon) == "degraded", "health degraded")
    check_the_realm_goes_on(daemon)
    daemon.log.wait(r"agent respawn agent=trade after=0\.3s reason=failed")
    (daemon.folder / "well").touch()
    poll(lambda: thinker(daemon) == "ok", "health ok")
    poll(lambda: daemon.ask("profile", agentId="trade")["present"], "the kobold is there")
    assert daemon.stop() == 0


def test_minds_that_hang(start: Start, pipe: Path) -> None:
    """They stall neither ticks nor doors; once they come to themselves they are respawned."""
    daemon = start_with(start, HANGS)
    daemon.log.wait("mind overrun agent=")
    poll(lambda: thinker(daemon) == "degraded", "health degraded")
    check_the_realm_goes_on(daemon)
    (daemon.folder / "well").touch()
    pipe.write_text("")
    daemon.log.wait("agent respawn agent=.* reason=overrun")
    poll(lambda: thinker(daemon) == "ok", "health ok")
    assert daemon.stop() == 0


def test_a_stop_with_minds_that_hang(start: Start, pipe: Path) -> None:
    """Threads that never end do not keep the process from ending with 0."""
    daemon = start_with(start, HANGS)
    daemon.log.wait("mind overrun agent=")
    assert stop(daemon, signal.SIGTERM) == 0
    assert pipe.exists()
