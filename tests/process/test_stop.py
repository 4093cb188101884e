"""The end of a daemon by signal: in good order, soon, and with nothing promised in vain."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import subprocess
import time
from typing import Final

import pytest

from .audit import check_promises, check_tables, read
from .client import Closed
from .conftest import Start
from .daemon import BRISK, Daemon, poll
from .disk import locked
from .load import Agent, Load, Viewer, Worker, close_code
from .test_kill import crew

#: Within so many seconds of a signal the process is gone.
SOON_ENOUGH: Final = 5.0
#: Refusals that workers get for wanting what another has.
ORDINARY: Final = {"occupied", "not_at_workstation", "not_working", "already_working", "unknown_target"}


def stop(daemon: Daemon, *numbers: int) -> int:
    """Send the signals, and return the exit status; fails if it takes too long."""
    began = time.monotonic()
    for number in numbers:
        daemon.send(number)
    status = daemon.wait()
    assert time.monotonic() - began < SOON_ENOUGH, f"it took too long to stop:\n{daemon.log}"
    return status


def check_exact_places(daemon: Daemon, agents: list[Agent]) -> None:
    """Everyone stands where it was last told that it stands, or where it asked to stand after that."""
    for agent in agents:
        if agent.stood:
            position = daemon.ask("profile", agentId=agent.id)["position"]
            assert (position["x"], position["z"]) in agent.places[agent.stood[-1][1] :]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_load_keeps_every_promise(start: Start, number: signal.Signals) -> None:
    """Stopped in full work it ends with 0 and tells its viewers; all acknowledged is there after."""
    agents, viewers = crew(random.Random(number)), [Viewer(), Viewer()]
    daemon = start(settings=BRISK)
    load = Load(daemon, agents, viewers)
    load.go_on(0.8)
    assert stop(daemon, number) == 0
    load.end()
    assert [close_code(viewer) for viewer in viewers] == [1001, 1001]
    assert {code for agent in agents for code in agent.refused} <= {*ORDINARY, "shutting_down"}
    assert [len(daemon.log.find(text)) for text in (f"stopping signal={number.name}", " stopped$")] == [1, 1]
    assert daemon.log.find(" (warn|error|critical) ") == []
    again = start(settings=BRISK)
    again.log.wait("store opened: .* clean=True")
    check_exact_places(again, [agent for agent in agents if not isinstance(agent, Worker)])
    kept = read(again.database)
    check_promises(kept.events, agents, viewers)
    check_tables(kept, agents)


def test_signals_may_come_in_a_shower(start: Start) -> None:
    """An impatient operator changes nothing: one stop, status 0."""
    daemon = start()
    assert stop(daemon, *[signal.SIGTERM, signal.SIGINT] * 5) == 0
    assert len(daemon.log.find("stopping signal=")) == 1


def test_silent_and_half_open_clients_delay_no_stop(start: Start) -> None:
    """Clients that read nothing, or never finish a request, do not keep the daemon from ending."""
    daemon = start(settings=BRISK)
    with (
        daemon.http() as idle,
        daemon.websocket() as deaf,
        socket.create_connection(("127.0.0.1", daemon.port)) as mute,
        socket.create_connection(("127.0.0.1", daemon.port)) as halting,
    ):
        assert idle.ask("register", agentId="me")["ok"]
        halting.sendall(b"POST /ipc HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert stop(daemon, signal.SIGTERM) == 0
        assert mute.recv(1) == b""
        with pytest.raises(Closed, match="1001"):
            deaf.ack("none")


def test_a_stop_while_the_store_hangs(start: Start) -> None:
    """With the database held by another program it ends soon all the same, acknowledging nothing in vain."""
    daemon = start(settings=BRISK)
    assert daemon.ask("register", agentId="me")["ok"]
    with daemon.websocket() as websocket, locked(daemon.database):
        websocket.send(type="world-chat", id="pending", agentId="me", text="pending")
        assert websocket.ask("move", "world-move", agentId="me", x=1, z=7)["ok"]
        assert stop(daemon, signal.SIGTERM) == 0
        with pytest.raises(Closed, match="1001"):
            websocket.ack("pending")
    texts = [event.get("text") for event in read(daemon.database).events.values()]
    assert "pending" not in texts
    assert start().say("me", "here again")["ok"]


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.2, 0.3, 0.4])
def test_a_stop_during_start_up(start: Start, moment: float) -> None:
    """At whatever moment of the start the signal comes, the process ends quietly and the state is good."""
    daemon = start(wait=False)
    with contextlib.suppress(subprocess.TimeoutExpired):
        daemon.process.wait(moment)  # it does not end by itself
    assert stop(daemon, signal.SIGTERM) in (0, -signal.SIGTERM)
    assert start().ask("room-info")["ok"]


def test_a_stop_while_the_store_is_being_opened(start: Start) -> None:
    """A start that waits for the database can be ended like any other."""
    first = start()
    assert first.stop() == 0
    with locked(first.database):
        daemon = start(wait=False)
        lock = first.database.with_name("realm.sqlite.lock")
        poll(lambda: lock.read_text().strip() == str(daemon.process.pid), "the lock file taken")
        assert stop(daemon, signal.SIGTERM) == 0
