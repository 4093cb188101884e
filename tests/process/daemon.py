"""A real daemon as a child process: started, watched and ended as an operator would."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .client import Http, WebSocket

TWISTD: Final = (str(Path(sys.executable).with_name("twistd")),)
#: Longest wait (s) for anything that ought to happen soon, however busy the machine.
SOON: Final = 15.0
#: Short ticks and frequent snapshots, so that a test of durability is over soon.
BRISK: Final = {
    "REALMD_WORLD_TICK_MS": "20",
    "REALMD_WORLD_COMMANDS_PER_SECOND": "10000",
    "REALMD_WORLD_WALK_SPEED": "100",
    "REALMD_STORAGE_SNAPSHOT_INTERVAL_S": "0.2",
    "REALMD_STORAGE_BOARD_POSTS": "100000",
    "REALMD_LIMITS_CONNECTION_RATE": "100000",
}


def poll(condition: Callable[[], Any], what: str, within: float = SOON) -> Any:
    """Ask `condition` until it says something true, and return that."""
    deadline = time.monotonic() + within
    pause = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        pause.wait(0.02)
    return found


class Output:
    """The lines that a process writes, collected by a thread."""

    def __init__(self, stream: Any) -> None:
        self.lines: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._collect, args=(stream,), daemon=True)
        self._thread.start()

    def _collect(self, stream: Any) -> None:
        with stream:
            for line in stream:
                with self._news:
                    self.lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def find(self, pattern: str) -> list[str]:
        """The lines so far in which the regular expression is found."""
        with self._news:
            return [line for line in self.lines if re.search(pattern, line)]

    def wait(self, pattern: str, within: float = SOON) -> re.Match[str]:
        """The first match; fails with the whole log when time or output ends before."""

        def found() -> re.Match[str] | None:
            return next((m for line in self.lines if (m := re.search(pattern, line))), None)

        with self._news:
            self._news.wait_for(lambda: found() or self._ended, within)
            match = found()
        assert match, f"no {pattern!r} within {within} s in:\n{self}"
        return match

    def end(self) -> None:
        self._thread.join(SOON)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class Daemon:
    """`twistd -n realmd` on a port of its own choice, with its state in `folder`/state.

    `settings` are environment variables; `program` replaces twistd.  The process has no
    other environment, and `folder` for its home and working directory.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        settings: Mapping[str, str] | None = None,
        state: Path | None = None,
        program: Sequence[str] = TWISTD,
    ) -> None:
        settings = dict(settings or {})
        self.folder = folder
        self.state = state or Path(settings.get("STATE_DIRECTORY", folder / "state"))
        self.database = self.state / "realm.sqlite"
        #: What may be in the log that is no defect of the daemon, as a regular expression.
        self.expected_failures = "(?!)"
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*program, "-n", "--pidfile=", "realmd", "--port=0", *options],
            cwd=folder,
            env=environment(folder, {"STATE_DIRECTORY": str(self.state)} | settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.log = Output(self.process.stdout)
        self.port = 0

    def ready(self) -> Daemon:
        """Wait until it says where to find it."""
        self.port = int(self.log.wait(r"look at it: http://127\.0\.0\.1:(\d+)/")[1])
        return self

    # -- to talk to it -------------------------------------------------------------------

    def http(self) -> Http:
        """A new connection."""
        return Http(self.port)

    def websocket(self, path: str = "/ws") -> WebSocket:
        return WebSocket(self.port, path)

    def ask(self, command: str, **args: Any) -> dict[str, Any]:
        """One command over a connection of its own; its answer."""
        with self.http() as http:
            return http.ask(command, **args)

    def health(self) -> tuple[int, dict[str, Any]]:
        with self.http() as http:
            return http.get("/health")

    def say(self, agent_id: str, text: str) -> dict[str, Any]:
        return self.ask("world-chat", agentId=agent_id, text=text)

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """All public events with a seq over `after`, page by page, as a client reads them."""
        found: list[dict[str, Any]] = []
        with self.http() as http:
            after = max(after, 1)  # 0 would mean the newest
            while page := http.ask("room-events", after=after, limit=200)["events"]:
                found += page
                after = page[-1]["seq"]
        return found

    # -- to end it -----------------------------------------------------------------------

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, within: float = SOON) -> int:
        """Its exit status, once it has ended and all it wrote is read."""
        status = self.process.wait(within)
        self.log.end()
        return status

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.send(number)
        return self.wait()

    def kill(self) -> None:
        """End it at once; harmless when it has ended."""
        self.process.kill()
        self.wait()

    def faults(self) -> list[str]:
        """The lines of its log that no operator should ever see."""
        marks = r"Traceback|Unhandled|never retrieved|never awaited|Exception ignored"
        return [line for line in self.log.find(marks) if not re.search(self.expected_failures, line)]


def environment(folder: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """A bare environment with `settings`, the same on every machine."""
    empty = folder / "realmd.toml"
    if not empty.exists():
        empty.write_text("")
    bare = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", "REALMD_CONFIG": str(empty)}
    return bare | dict(settings or {})


def run(
    folder: Path, *arguments: str, settings: Mapping[str, str] | None = None, program: Sequence[str] = TWISTD
) -> subprocess.CompletedProcess[str]:
    """Run twistd to its end."""
    return subprocess.run(
        [*program, *arguments],
        cwd=folder,
        env=environment(folder, settings),
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
    )
