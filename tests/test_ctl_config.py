"""`realmctl config`, as an operator types it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from realmd.ctl import main
from realmd.settings.text import template


def test_config_shows_what_is_in_force_and_from_where(tmp_path: Path) -> None:
    """`realmctl config` prints valid TOML with the origin of each value, and ends with 0."""
    (tmp_path / "realmd.toml").write_text('[room]\nname = "Forge"\n')
    (tmp_path / ".env").write_text("MAX_AGENTS=20\n")
    done = subprocess.run(
        [sys.executable, "-m", "realmd.ctl", "config", "--config", "realmd.toml", "--env-file", ".env"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parent.parent), "WORLD_PORT": "4000"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert 'name = "Forge"  # file realmd.toml:2\n' in done.stdout
    assert "max_agents = 20  # env-file .env:1 MAX_AGENTS\n" in done.stdout
    assert "port = 4000  # environment WORLD_PORT\n" in done.stdout
    assert tomllib.loads(done.stdout)["server"]["port"] == 4000


def test_config_reports_problems_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong configuration prints nothing to use, each problem on a line, and ends with 2."""
    file = tmp_path / "realmd.toml"
    file.write_text("[room]\nmax_agents = -1\n[server]\nprot = 1\n")
    assert main(["config", "--config", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{file}:2: room.max_agents = -1: must be a whole number from 1 to 10000",
        f"{file}:4: server.prot: there is no such setting; did you mean server.port?",
    ]


def test_config_prints_a_file_to_start_from(capsys: pytest.CaptureFixture[str]) -> None:
    """`realmctl config --template` prints a commented realmd.toml."""
    assert main(["config", "--template"]) == 0
    assert capsys.readouterr().out == template()


def test_a_map_is_tried_before_a_restart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`realmctl config --check` says whether the daemon would start, with the map's faults, and ends so."""
    file = tmp_path / "realmd.toml"
    file.touch()
    assert main(["config", "--check", "--config", str(file)]) == 0
    assert "in order" in capsys.readouterr().out
    (tmp_path / "world.toml").write_text("[[zones]]\nid = 1\n")
    assert main(["config", "--check", "--config", str(file)]) == 2
    assert "world.toml" in capsys.readouterr().err


def test_a_wrong_command_line_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command is refused with the commands there are."""
    with pytest.raises(SystemExit) as caught:
        main(["confg"])
    assert caught.value.code == 2
    assert "config" in capsys.readouterr().err
