"""What systemd and a real daemon tell each other, over a real socket and real descriptors."""

from __future__ import annotations

import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from realmd.runtime.systemd import Notifier
from tests.process.conftest import Start
from tests.process.conftest import start as start
from tests.process.daemon import SOON, Daemon

#: Is handed a listening socket, passes it on as systemd does, and becomes the daemon.
HAND_OVER = """
import os, socket, sys
with socket.socket(socket.AF_UNIX) as giver:
    giver.connect(sys.argv[1])
    listening = socket.recv_fds(giver, 1, 1)[1][0]
os.dup2(listening, 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="realm-server.socket")
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket on which systemd would hear."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(SOON)
        yield heard


def test_systemd_hears_when_it_serves_that_it_lives_and_that_it_stops(
    manager: socket.socket, start: Start
) -> None:
    """`systemctl start` returns when clients are served, the watchdog stays quiet, a reload ends nothing."""
    settings = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "400000"}
    daemon = start(settings=settings, wait=False)
    assert manager.recv(4096).startswith(b"READY=1\nSTATUS=")
    assert daemon.ready().health()[0] == 200
    for _ in range(3):
        assert re.fullmatch(rb"WATCHDOG=1\nSTATUS=[0-4] present, 0 watching", manager.recv(4096))
    daemon.process.send_signal(signal.SIGHUP)
    while (told := manager.recv(4096)) != b"RELOADING=1":
        assert told.startswith(b"WATCHDOG=1")
    assert manager.recv(4096).startswith(b"READY=1\nSTATUS=")
    daemon.process.terminate()
    while not (last := manager.recv(4096)).startswith(b"STOPPING=1"):
        assert last.startswith(b"WATCHDOG=1")
    assert daemon.process.wait(SOON) == 0


def test_the_heartbeat_keeps_half_of_the_time_allowed(tmp_path: Path, manager: socket.socket) -> None:
    """A busy machine has a whole second heartbeat to spare before systemd takes the realm for hung."""
    clock = Clock()
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "10000000"}
    notifier = Notifier.of(environ, lambda: "well")
    heartbeat = notifier.heartbeat(clock)
    heartbeat.startService()
    clock.advance(5)
    assert manager.recv(4096) == b"WATCHDOG=1\nSTATUS=well"
    manager.setblocking(False)
    clock.advance(4)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)
    heartbeat.stopService()
    notifier.close()
    assert environ == {}
    assert clock.getDelayedCalls() == []


def test_a_message_nobody_takes_ends_nothing(tmp_path: Path) -> None:
    """A service manager that is away, or not there at all, does not trouble the realm."""
    for address in ("", str(tmp_path / "nobody"), "@nobody-listens-here"):
        notifier = Notifier(lambda: "well", address)
        notifier.ready()
        notifier.stopping()
        notifier.close()


def test_another_process_variables_mean_nothing() -> None:
    """What was meant for a parent is neither obeyed nor handed on."""
    environ = {"WATCHDOG_PID": "1", "WATCHDOG_USEC": "1000000"}
    assert Notifier.of(environ, lambda: "").watchdog == 0
    assert environ == {}


def test_no_connection_is_refused_while_the_daemon_is_away(tmp_path: Path, start: Start) -> None:
    """A client that connects between two daemons waits, and the next one answers it."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket(socket.AF_UNIX) as giver:
        giver.bind(str(tmp_path / "giver"))
        giver.listen()
        giver.settimeout(SOON)
        twistd = str(Path(sys.executable).with_name("twistd"))
        program = (sys.executable, "-c", HAND_OVER, str(tmp_path / "giver"), sys.executable, twistd)

        def begin() -> Daemon:
            daemon = start(wait=False, program=program)
            taker, _ = giver.accept()
            with taker:
                socket.send_fds(taker, [b"."], [listening.fileno()])
            return daemon

        first = begin().ready()
        assert first.port == listening.getsockname()[1]
        first.ask("register", agentId="ada", name="Ada")
        assert first.stop() == 0
        with socket.create_connection(("127.0.0.1", first.port), SOON) as early:
            early.sendall(b"GET /health/ready HTTP/1.0\r\n\r\n")
            second = begin().ready()
            assert early.recv(4096).startswith(b"HTTP/1.0 200")
        assert second.stop() == 0
