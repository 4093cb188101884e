"""Reads docs/runbook.rst, and types its commands against a daemon in a child process."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..process.daemon import SOON, Daemon, environment
from .conftest import REALMCTL, Home

TEXT: Final = (Path(__file__).parents[2] / "docs/runbook.rst").read_text("utf-8")
_BLOCK: Final = re.compile(r"^\.\. code-block:: console\n((?:   :.*\n)*)\n((?:   .*\n|\n)+)", re.MULTILINE)


class Step(NamedTuple):
    """A command, what it must show (`…` for anything), and the class of its block ("" or what it needs)."""

    command: str
    shows: str
    needs: str


def pages() -> dict[str, list[Step]]:
    """Title → the steps of that page, in order; "" has those before the first."""
    parts = re.split(r"^(.+)\n=+\n", TEXT, flags=re.MULTILINE)[2:]
    titles = ["", *parts[1::2]]
    return {title: steps(body) for title, body in zip(titles, parts[0::2], strict=True)}


def steps(body: str) -> list[Step]:
    found = []
    for options, lines in _BLOCK.findall(body):
        needs = re.search(r":class: (\w+)", options)
        for part in re.split(r"^   \$ ", lines, flags=re.MULTILINE)[1:]:
            command, _, shows = part.partition("\n")
            found.append(Step(command, " ".join(shows.split()), needs[1] if needs else ""))
    return found


class Machine:
    """Stands in for systemd: `systemctl` and `journalctl` for the one daemon that there is."""

    def __init__(self, home: Home, start: Callable[..., Daemon], **how: Any) -> None:
        self.home, self._start, self.how = home, start, how
        self.daemon: Daemon | None = None
        self.places: dict[str, Path] = {
            "/var/lib/realm-server": home.state,
            "/etc/realm-server": home.folder,
        }

    def begin(self, **more: Any) -> Daemon:
        """Start the daemon."""
        self.daemon = self._start(state=self.home.state, **self.how, **more)
        return self.daemon

    def systemctl(self, words: list[str]) -> None:
        assert self.daemon is not None
        action = words[1]
        if action == "kill":
            assert "--signal=KILL" in words
            self.daemon.kill()
        if action in ("stop", "restart"):
            assert self.daemon.stop() == 0 if self.daemon.process.poll() is None else True
        if action in ("start", "restart"):
            assert self.daemon.process.poll() is not None, "it runs still"
            self.begin()

    def type(self, step: Step) -> None:
        """Run the command, and hold what it shows against what it should show."""
        words = step.command.split()
        if words[0] == "systemctl":
            self.systemctl(words)
            return
        if words[0] == "journalctl":
            assert self.daemon is not None
            shown = str(self.daemon.log)
        else:
            shown = self.shell(step.command)
        pattern = ".*".join(map(re.escape, step.shows.split("…")))
        assert re.fullmatch(pattern, " ".join(shown.split()), re.DOTALL), f"{step} showed:\n{shown}"

    def shell(self, command: str) -> str:
        assert self.daemon is not None
        for place, real in self.places.items():
            command = command.replace(place, str(real))
        command = command.replace("127.0.0.1:18800", f"127.0.0.1:{self.daemon.port}")
        bare = environment(self.home.folder, {"STATE_DIRECTORY": str(self.home.state)})
        ran = subprocess.run(
            ["bash", "-c", command],
            env=bare | {"PATH": f"{REALMCTL.parent}:{bare['PATH']}"},
            cwd=self.home.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=4 * SOON,
            check=False,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stdout}"
        return ran.stdout
