"""Where and when something was measured: without it a figure means nothing."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path

from msgspec import Struct

from .. import __version__


class Machine(Struct, frozen=True):
    """The machine, the code and the day; memory in MB."""

    processor: str
    cores: int
    memory: int
    kernel: str
    python: str
    version: str
    commit: str
    date: str
    #: Load average of the minute before: more than 0.3 means that somebody else was at work.
    busy: float

    def __str__(self) -> str:
        commit = f" ({self.commit})" if self.commit else ""
        cores = f"{self.cores} core{'s' if self.cores > 1 else ''}"
        return (
            f"{self.processor}, {cores}, {self.memory} MB, Linux {self.kernel},"
            f" Python {self.python}, realmd {self.version}{commit}, {self.date},"
            f" load average {self.busy:.2f} before"
        )


def this_machine(date: str | None = None, commit: str | None = None) -> Machine:
    """This machine now; `date` and `commit` override what is found out."""
    return Machine(
        processor=_field(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        cores=os.cpu_count() or 1,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_048_576,
        kernel=platform.release(),
        python=platform.python_version(),
        version=__version__,
        commit=_commit() if commit is None else commit,
        date=date or datetime.date.today().isoformat(),
        busy=os.getloadavg()[0],
    )


def _field(path: Path, name: str) -> str:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _commit() -> str:
    """The commit this code comes from; empty when it was installed from a package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""
