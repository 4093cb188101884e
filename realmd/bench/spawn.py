"""A realm of our own to measure: fresh state, its own configuration, pinned to a core of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from msgspec import Struct

READY: Final = re.compile(r"look at it: (https?://[^\s/]+)")
#: How long a realm may take to start and to stop (s).
PATIENCE: Final = 30.0


class Setting(Struct, frozen=True):
    """What differs from a realm's defaults; seats and connections are never the limit."""

    tick_ms: int = 100
    #: Half the width of the world (units); 50 is the classic one, as shipped.
    half: float = 50.0
    compression: bool = True
    max_agents: int = 10_000
    commands_per_second: int = 1000
    max_connections: int = 200_000


class NotStarted(Exception):
    """The realm did not start; says why."""


def toml(setting: Setting, state: Path, world: Path | None) -> str:
    """The realmd.toml of such a realm."""
    place = f'file = "{world}"\n' if world else ""
    return (
        f"[room]\nmax_agents = {setting.max_agents}\n"
        f'[server]\nhost = "127.0.0.1"\nport = 0\nmax_connections = {setting.max_connections}\n'
        f"compression = {str(setting.compression).lower()}\n"
        f"[world]\n{place}tick_ms = {setting.tick_ms}\ncommands_per_second = {setting.commands_per_second}\n"
        f'[storage]\nstate_dir = "{state}"\n[plugins]\ndir = ""\n[log]\nformat = "text"\n'
    )


def world_toml(half: float) -> str:
    """An open world of another size, with four inhabitants, as many as the classic one has."""
    zone = '[[zones]]\nid = "plain"\nname = "Plain"\nx = 0.0\nz = 0.0\n'
    zone += f"width = {2 * half}\ndepth = {2 * half}\n"
    lives = "".join(
        f'[[inhabitants]]\nid = "local-{n}"\nname = "Local {n}"\nkind = "kobold"\ncolor = "#22c55e"\n'
        f'x = {4.0 * n}\nz = 4.0\nmind = "kobold"\ncapabilities = []\n'
        for n in range(4)
    )
    return f'[world]\nname = "Plain"\nhalf = {half}\n{zone}{lives}[[spawns]]\nx = 0.0\nz = 0.0\n'


class Spawned:
    """A running realm, as a context manager; `url`, `pid`, and how long (s) it took to be ready."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.url = ""
        self.ready_after = 0.0

    def __enter__(self) -> Spawned:
        self._folder = Path(tempfile.mkdtemp(prefix="realmd-bench-"))
        world = None
        if self._setting.half != 50.0:
            world = self._folder / "world.toml"
            world.write_text(world_toml(self._setting.half), "utf-8")
        config = self._folder / "realmd.toml"
        config.write_text(toml(self._setting, self._folder / "state", world), "utf-8")
        self._log = self._folder / "log"
        began = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon",
                 "--pidfile=", "realmd", "--config", str(config)],
                # Nothing of the operator's own settings: they may come by the environment, too.
                env={k: os.environ[k] for k in ("PATH", "HOME", "LANG", "PYTHONPATH") if k in os.environ},
                # An interrupt ends the run, which then stops the realm.
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid
        if cores := cores_apart():
            os.sched_setaffinity(self.pid, {cores[0]})
        try:
            self.url = self._wait(began + PATIENCE)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.ready_after = time.monotonic() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self, deadline: float) -> str:
        while time.monotonic() < deadline:
            text = self._log.read_text("utf-8", "replace")
            if found := READY.search(text):
                return found[1]
            if self._process.poll() is not None:
                raise NotStarted(f"the realm ended with {self._process.returncode}:\n{text[-2000:]}")
            time.sleep(0.01)
        raise NotStarted(f"the realm was not ready after {PATIENCE:.0f} s:\n{text[-2000:]}")


def cores_apart() -> tuple[int, int] | None:
    """A core for the server and another one for the load; None on a machine with one."""
    cores = sorted(_ALLOWED)
    return (cores[0], cores[1]) if len(cores) >= 2 else None


def pin_load() -> bool:
    """Keep this process on the core that the server leaves it; returns whether there is one."""
    cores = cores_apart()
    if cores:
        os.sched_setaffinity(0, {cores[1]})
    return cores is not None


#: The cores this process may use, before it pins itself to one.
_ALLOWED: Final = os.sched_getaffinity(0)
