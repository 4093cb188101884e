"""A realm of its own for each test, run and looked after as an operator would."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from realmd.settings.text import toml

from ..process.conftest import mountable, start
from ..process.daemon import SOON, environment

__all__ = ["mountable", "start"]
REALMCTL: Final = Path(sys.executable).with_name("realmctl")


class Home:
    """The folder of one realm: its realmd.toml, state and backups, and `realmctl` beside them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.state = folder / "state"
        self.database = self.state / "realm.sqlite"
        self.backups = self.state / "backups"
        self.configuration = folder / "realmd.toml"
        self.configuration.touch()

    def configure(self, **backup: Any) -> None:
        """Write the section [backup] of realmd.toml."""
        lines = [f"{key} = {toml(value)}" for key, value in backup.items()]
        self.configuration.write_text("\n".join(["[backup]", *lines, ""]))

    def ctl(
        self, *words: object, settings: Mapping[str, str] | None = None, limit: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run realmctl to its end; `limit` is an option of `ulimit` that it runs under."""
        command = [str(REALMCTL), *map(str, words)]
        if limit:
            command = ["sh", "-c", f'ulimit {limit}; exec "$@"', "sh", *command]
        return self.run(command, settings)

    def run(
        self, command: Sequence[str], settings: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in the folder and with its state."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment(self.folder, {"STATE_DIRECTORY": str(self.state)} | dict(settings or {})),
            capture_output=True,
            text=True,
            timeout=4 * SOON,
            check=False,
        )

    def done(self, *words: object, **more: Any) -> str:
        """Run realmctl, which must succeed; what it said."""
        ran = self.ctl(*words, **more)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def refused(self, *words: object, code: int = 1, **more: Any) -> str:
        """Run realmctl, which must fail in a sentence; that sentence."""
        ran = self.ctl(*words, **more)
        assert ran.returncode == code, ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        return ran.stdout + ran.stderr

    def backup(self, *words: object, **more: Any) -> Path:
        """Make a backup; the file."""
        found = re.search(r"backup made file=(\S+)", self.done("backup", *words, **more))
        assert found
        return Path(found[1])

    def upgrade(self) -> Path:
        """Leave the database as a realmd to come does whose schema this one cannot read; the copy."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            (version,) = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
            copy = self.database.with_name(f"{self.database.name}.before-{int(version) + 1:04}")
            connection.execute("VACUUM INTO ?", (str(copy),))
            for key in ("version", "compatible"):
                connection.execute("UPDATE meta SET value = ? WHERE key = ?", (str(int(version) + 1), key))
        return copy

    def keygen(self, name: str = "secret.key") -> tuple[str, Path]:
        """A key pair: the public key, and the file of the secret one."""
        file = self.folder / name
        found = re.search(r'public_key = "(\S+)"', self.done("backup", "keygen", file))
        assert found
        return found[1], file


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Where nothing is yet."""
    return Home(tmp_path)


@pytest.fixture
def homes(tmp_path: Path) -> Callable[[str], Home]:
    """More of them: other machines."""
    return lambda name: Home(tmp_path / name)


@pytest.fixture
def talk(home: Home, start: Callable[..., Any]) -> Callable[..., None]:
    """Run the realm for as long as it takes to say some words, then stop it."""

    def talk(*words: str) -> None:
        daemon = start(state=home.state)
        assert daemon.ask("register", agentId="ada", name="Ada", bio="was here")["ok"]
        for word in words:
            assert daemon.say("ada", word)["ok"]
        assert daemon.stop() == 0

    return talk
