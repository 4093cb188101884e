"""`realmctl --room NAME`, typed where a main room and a further one run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from realmd.console import rooms
from realmd.ctl import main

from .conftest import Start


def test_a_room_is_asked_by_its_name(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A room whose file is a copy of the main room's still has its own agents and backups, and realmctl
    finds those."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in ("CONFIGURATIONS", "STATES", "SOCKETS", "BACKUPS"):
        monkeypatch.setattr(rooms, name, tmp_path / name.lower())
    sockets = tmp_path / "sockets/attic"
    sockets.mkdir(parents=True)
    main_room = tmp_path / "main"
    file = tmp_path / "configurations/attic.toml"
    file.parent.mkdir()
    file.write_text(
        f'[storage]\nstate_dir = "{main_room}"\n[control]\nruntime_dir = "{main_room}"\n'
        f'[backup]\ndir = "{main_room}/backups"\n'
    )
    attic = tmp_path / "states/attic"
    places = {"STATE_DIRECTORY": str(attic), "RUNTIME_DIRECTORY": str(sockets)}
    upstairs, downstairs = start("--config", str(file), settings=places), start(state=main_room)
    assert upstairs.ask("register", agentId="ada")["ok"]
    assert downstairs.ask("register", agentId="bob")["ok"]

    def typed(*words: str) -> str:
        assert main(["--room", "attic", *words]) == 0
        return capsys.readouterr().out

    shown = typed("who")
    assert "ada" in shown
    assert "bob" not in shown
    typed("backup", "--kind", "database")
    listed = typed("backup", "list")
    assert f"in {tmp_path / 'backups/attic'}:" in listed
    assert "realm-database-" in listed
    assert not (main_room / "backups").exists()
    assert (sockets / "control.sock").is_socket()


@pytest.mark.parametrize(
    "words",
    [
        ["--room", "../realmd", "who"],
        ["--room", "attic", "who", "--config", "x"],
        ["--room", "attic", "setup"],
    ],
    ids=["no name", "two files", "no room's affair"],
)
def test_a_room_that_cannot_be_meant_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What would look elsewhere than in that room is a wrong command line."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "room" in capsys.readouterr().err
