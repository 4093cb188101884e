"""The start of a daemon: what it says about its configuration, and what it refuses to start on."""

from __future__ import annotations

import os
import sqlite3
import stat
import tomllib
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from .conftest import Start
from .daemon import Daemon, run
from .disk import read_only

MAP = Path(__file__).parents[2] / "etc/realmd/world.toml"
#: As operators of the old system have it.
OLD_ENV = """\
# Shalom Realm
ROOM_ID=shalom-realm
ROOM_NAME="Old Forge"
export WORLD_MAX_AGENTS=20
WORLD_PORT=0 # any
AGENT_THINK_INTERVAL=2000
LOG_LEVEL=warning
NODE_ENV=production
"""


def refused(daemon: Daemon, status: int = 1) -> str:
    """The one line with which a start is refused, with that exit status."""
    assert daemon.wait() == status, f"it did not refuse to start:\n{daemon.log}"
    lines = daemon.log.find(" critical ")
    assert len(lines) == 1, f"not one line:\n{daemon.log}"
    return lines[0]


# -- configuration ---------------------------------------------------------------------


def test_check_shows_the_configuration_and_starts_nothing(tmp_path: Path) -> None:
    """`twistd realmd --check` prints valid TOML with the origin of each value, and ends with 0."""
    (tmp_path / "mine.toml").write_text('[room]\nname = "Forge"\n')
    (tmp_path / ".env").write_text(OLD_ENV)
    arguments = ("--config=mine.toml", "--env-file=.env", "--port=0", "--state-dir=state", "--check")
    done = run(tmp_path, "realmd", *arguments, settings={"REALMD_WORLD_TICK_MS": "50"})
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        'name = "Old Forge"  # env-file .env:3 ROOM_NAME\n',
        "max_agents = 20  # env-file .env:4 WORLD_MAX_AGENTS\n",
        "port = 0  # option --port\n",
        "interval_ms = 2000  # env-file .env:6 AGENT_THINK_INTERVAL\n",
        "tick_ms = 50  # environment REALMD_WORLD_TICK_MS\n",
        "seed = 0  # default\n",
    ):
        assert line in done.stdout
    assert tomllib.loads(done.stdout)["room"]["max_agents"] == 20
    assert not (tmp_path / "state").exists()


def test_a_wrong_configuration_is_told_whole(tmp_path: Path) -> None:
    """Every mistake in file, environment and options is a line of its own; exit status 2, no traceback."""
    (tmp_path / "mine.toml").write_text("[room]\nmax_agents = 0\n[wrold]\n")
    done = run(
        tmp_path,
        "-n",
        "--pidfile=",
        "realmd",
        "--config=mine.toml",
        "--port=99999",
        settings={"REALMD_WORLD_TICK_MS": "fast"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(": must")[0] for line in done.stderr.splitlines()] == [
        "mine.toml:2: room.max_agents = 0",
        "mine.toml:3: wrold: there is no such section; did you mean world?",
        'environment REALMD_WORLD_TICK_MS: world.tick_ms = "fast"',
        "option --port: server.port = 99999",
    ]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        (
            {"x = 34.0\nz = -12.0": "x = 22.0\nz = -20.0", "x = 9.0\nz = -24.0": "x = 9.0\nz = -1.0"},
            [
                "k8s-deployer at (22, -20) stands inside building clawhub",
                "workstation crypto-analyzer",
            ],
        ),
        ({'mind = "dragon"': 'mind = "lizard"'}, ["inhabitant shalom: no mind is called lizard"]),
    ],
)
def test_a_wrong_map_is_told_whole(tmp_path: Path, changes: dict[str, str], wrong: list[str]) -> None:
    """All that is wrong with the map is named, whatever is asked for; exit status 2, no traceback."""
    text = MAP.read_text()
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "world.toml").write_text(text)
    for more in ([], ["--check"]):
        done = run(tmp_path, "-n", "--pidfile=", "realmd", "--world=world.toml", *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert [name for name in wrong if name not in done.stderr] == []
        assert len(done.stderr.splitlines()) == len(wrong)


def test_an_env_file_of_the_old_system_starts_a_realm(start: Start, tmp_path: Path) -> None:
    """The old names are honoured in the running realm, and a quiet log level still lets it be found."""
    (tmp_path / ".env").write_text(OLD_ENV.replace("LOG_LEVEL=warning", "LOG_LEVEL=info"))
    info = start("--env-file=.env").ask("room-info")
    assert (info["name"], info["maxAgents"]) == ("Old Forge", 20)


def test_the_way_make_run_starts_it(start: Start, tmp_path: Path) -> None:
    """State goes where STATE_DIRECTORY says, readable by its owner and group only; a join line is printed."""
    daemon = start(settings={"STATE_DIRECTORY": str(tmp_path / "var")})
    join = daemon.log.wait(r"curl -s (http://\S+/ipc) -d '(\{.*\})'$")
    assert join[1] == f"http://127.0.0.1:{daemon.port}/ipc"
    assert daemon.ask("register", agentId="me", name="Me")["ipcUrl"] == join[1]
    database = tmp_path / "var" / "realm.sqlite"
    assert stat.S_IMODE(database.stat().st_mode) == 0o640
    assert stat.S_IMODE(database.parent.stat().st_mode) == 0o750
    assert daemon.stop() == 0


# -- what it refuses to start on -----------------------------------------------------------


def scribble(database: Path) -> None:
    """Spoil a page in the middle."""
    with database.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(os.urandom(4096))


def replace_by_text(database: Path) -> None:
    database.write_bytes(b"This was a database once.\n" * 400)


def cut(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2 + 100)


@pytest.mark.parametrize("damage", [scribble, replace_by_text, cut])
def test_a_damaged_database_is_refused(start: Start, damage: Callable[[Path], None]) -> None:
    """It is not touched, the line in the log says what to do with it, and nothing tries again (status 2)."""
    first = start()
    assert first.ask("register", agentId="me")["ok"]
    assert first.stop() == 0
    damage(first.database)
    before = first.database.read_bytes()
    line = refused(start(wait=False), status=2)
    assert f"{first.database} is damaged" in line
    assert "backup, or move it aside" in line
    assert first.database.read_bytes() == before


def test_a_database_of_a_newer_version_is_refused(start: Start) -> None:
    """The line says what it would take to open it, and how to go back; nothing tries again."""
    first = start()
    assert first.stop() == 0
    with closing(sqlite3.connect(first.database)) as connection, connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key IN ('version', 'compatible')")
    line = refused(start(wait=False), status=2)
    assert "was written by a newer realmd (schema 99" in line
    assert "realmctl rollback" in line


def test_a_state_folder_that_cannot_be_written_is_refused(
    start: Start, tmp_path: Path, mountable: bool
) -> None:
    """The line names the folder and who has no right to it."""
    state = tmp_path / "state"
    state.mkdir()
    with ExitStack() as undo:
        if mountable:
            undo.enter_context(read_only(state))
        else:
            state.chmod(0o500)
            undo.callback(state.chmod, 0o700)
            if os.access(state, os.W_OK):  # such a user may write anywhere but in a file
                state.rmdir()
                state.write_text("")
                undo.callback(state.unlink)
        line = refused(start(wait=False))
    assert str(state) in line


def test_a_port_that_is_taken_is_refused(start: Start) -> None:
    """One line names the port; nothing of the first daemon is disturbed."""
    first = start()
    line = refused(start(f"--port={first.port}", wait=False, state=first.folder / "other"))
    assert f"127.0.0.1:{first.port}" in line
    assert first.health()[0] == 200


@pytest.mark.parametrize("name", ["token-keys", "nostr-key"])
@pytest.mark.parametrize("damage", ["", "{}", "cut", "exposed"])
def test_a_damaged_key_is_refused_for_good(start: Start, name: str, damage: str) -> None:
    """One line names the file; status 2 keeps systemd from trying again, and the file is left as it is."""
    first = start()
    file = first.state / name
    assert first.stop() == 0
    whole = file.read_bytes()
    if damage == "exposed":
        file.chmod(0o644)
    else:
        file.write_bytes(whole[:-8] if damage == "cut" else damage.encode())
    left = file.read_bytes()
    assert str(file) in refused(start(wait=False), status=2)
    assert file.read_bytes() == left
    file.write_bytes(whole)
    file.chmod(0o600)
    assert start().health()[0] == 200


def test_one_state_folder_serves_one_daemon(start: Start) -> None:
    """A second daemon on it is refused with the first one's pid, and leaves it alone."""
    first = start()
    assert first.ask("register", agentId="me")["ok"]
    line = refused(start(wait=False))
    assert f"in use by another realmd (pid {first.process.pid})" in line
    assert first.say("me", "still here")["ok"]
