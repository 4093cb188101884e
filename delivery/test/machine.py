"""A Debian that runs systemd: booted in a container from a tree that stays as it is."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NSPAWN = ("systemd-nspawn", "-q", "--volatile=overlay", "--private-network", "--register=no", "--keep-unit")
ENVIRONMENT = (
    "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
    "DEBIAN_FRONTEND=noninteractive",
)  # fmt: skip
#: How often (s) `until` asks.
PAUSE = 0.05


class Failed(Exception):
    """A check found what ought not to be; the text says what."""


class Machine:
    """One booted container, without a network but its own loopback.  `shared` folders are at /srv."""

    def __init__(self, tree: Path, scratch: Path, **more: Path) -> None:
        self.tree, self.scratch = tree, scratch
        self.shared = more
        shared = {**more, "scratch": scratch}
        self._log = tempfile.NamedTemporaryFile(prefix="boot-", suffix=".log")  # noqa: SIM115
        binds = [f"--bind={path}:/srv/{name}" for name, path in shared.items()]
        self.leader = ""
        self.nspawn = subprocess.Popen(
            [*NSPAWN, "-D", str(tree), "--console=pipe", "--kill-signal=SIGRTMIN+3", *binds, "-b"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )
        try:
            self.leader = self.until(self._leader, "the container's first process")
            self.until(self._booted, "a booted system", 90)
        except BaseException as error:
            log = Path(self._log.name).read_text(errors="replace")[-1000:]
            jobs = self.ask("systemctl is-system-running; systemctl list-jobs") if self.leader else ""
            self.off()
            raise Failed(f"{error}\n{jobs}{log}") from error

    def _leader(self) -> str:
        if self.nspawn.poll() is not None:
            raise Failed(f"systemd-nspawn ended: {Path(self._log.name).read_text()}")
        found = subprocess.run(
            ["pgrep", "-P", str(self.nspawn.pid)], capture_output=True, text=True, check=False
        )
        # The first child only prepares; the system's own is in a PID namespace of its own.
        return next((pid for pid in found.stdout.split() if namespace(pid) != namespace("self")), "")

    def _booted(self) -> bool:
        state = self.ask("systemctl is-system-running").strip()
        return state in ("running", "degraded")

    def run(self, command: str, *, input: str | None = None, within: float = 120) -> str:
        """What the shell command writes; raises Failed if it fails."""
        done = self._run(command, input, within)
        if done.returncode:
            raise Failed(f"{command}\n{done.stdout}{done.stderr}".rstrip())
        return done.stdout

    def ask(self, command: str, within: float = 120) -> str:
        """What the shell command writes, however it ends."""
        done = self._run(command, None, within)
        return done.stdout + done.stderr

    def inside(self, *, only_network: bool = False) -> list[str]:
        """The words before a command that is to run in the container."""
        kinds = ["-n"] if only_network else ["-m", "-u", "-i", "-p", "-C", "-n"]
        return ["nsenter", "-t", self.leader, *kinds, "--"]

    def _run(self, command: str, input: str | None, within: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.inside(), *ENVIRONMENT, "sh", "-c", command],
            input=input,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )

    def python(self, script: str, *arguments: str, within: float = 120, space: str = "") -> str:
        """What a script writes that runs on this side, in the container's network or its `ip netns` space."""
        where = self.inside(only_network=True)
        if space:
            where = ["nsenter", f"--net=/proc/{self.leader}/root/run/netns/{space}", "--"]
        done = subprocess.run(
            [*where, "python3", "-c", script, *arguments],
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{done.stdout}{done.stderr}".rstrip())
        return done.stdout

    def begin(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        """As `python`, without waiting for its end."""
        return subprocess.Popen(
            [*self.inside(only_network=True), "python3", "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def until(self, condition: Any, what: str, within: float = 30) -> Any:
        """What `condition` says once that is true."""
        deadline = time.monotonic() + within
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise Failed(f"not within {within} s: {what}")
            time.sleep(PAUSE)
        return found

    def journal(self, unit: str = "realm-server.service") -> str:
        return self.run(f"journalctl --no-pager -o cat -u {unit}")

    def show(self, name: str, unit: str = "realm-server.service") -> str:
        return self.run(f"systemctl show --value -p {name} {unit}").strip()

    def pid(self) -> int:
        return int(self.show("MainPID"))

    def seen_in_journal(self, pattern: str, within: float = 30, unit: str = "realm-server.service") -> str:
        """The first line of the unit's journal that has the regular expression."""

        def found() -> str | None:
            return next((line for line in self.journal(unit).splitlines() if re.search(pattern, line)), None)

        return str(self.until(found, f"{pattern} in the journal", within))

    def off(self) -> None:
        if self.nspawn.poll() is None:
            self.nspawn.send_signal(signal.SIGTERM)
            try:
                self.nspawn.wait(20)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait(20)
        self._log.close()

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.off()


def namespace(pid: str) -> str:
    """The PID namespace of that process; that of this one if it has ended."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return namespace("self")


def needed(*tools: str) -> list[str]:
    """Those of `tools` that are not on this machine."""
    return [tool for tool in tools if shutil.which(tool) is None]
