"""Types the commands of docs/runbook.rst against a daemon in a child process."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from delivery.runbook import Step

from ..process.daemon import SOON, Daemon, environment
from .conftest import REALMCTL, Home


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
        assert step.seen(shown), f"{step} showed:\n{shown}"

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
