"""File descriptors: what a daemon that runs out of them does."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack

from .conftest import Start
from .daemon import poll


def open_files(pid: int) -> tuple[int, int]:
    """The soft and hard limit of a process."""
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)


def test_the_limit_is_raised_as_far_as_allowed(start: Start) -> None:
    """A daemon started with a low soft limit raises it to the hard one by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lower = min(256, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lower, hard))
    try:
        daemon = start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    daemon.ready()
    assert open_files(daemon.process.pid) == (hard, hard)


def test_running_out_of_files_is_survived(start: Start) -> None:
    """At EMFILE new connections are turned away, the log says so, old ones live, and it passes by itself."""
    daemon = start().ready()
    hard = open_files(daemon.process.pid)[1]
    with daemon.websocket() as early, ExitStack() as crowd:
        assert early.ask(1, "register", agentId="early")["ok"]
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (32, hard))
        for _ in range(60):
            crowd.enter_context(socket.create_connection(("127.0.0.1", daemon.port)))
        daemon.log.wait("EMFILE")
        assert early.ask(2, "world-chat", agentId="early", text="still here")["ok"]
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    poll(lambda: daemon.health()[0] == 200, "a healthy realm")
    assert any(event.get("text") == "still here" for event in daemon.events())
