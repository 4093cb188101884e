"""`realmctl --room NAME`: what is said to be typed is for that room, never for the main one."""

from __future__ import annotations

from pathlib import Path

import pytest

from realmd import ctl
from realmd.console import rooms


def test_what_is_said_to_be_typed_is_for_the_room_that_was_named() -> None:
    """Who types a hint for the attic starts, edits and asks the attic; all else stays."""
    for main, room in (
        ("systemctl restart realm-server", "systemctl restart realm-server@attic"),
        ("systemctl edit realm-server: [Service]", "systemctl edit realm-server@attic: [Service]"),
        (
            "systemctl status realm-server; realmctl logs; realmctl doctor",
            "systemctl status realm-server@attic; realmctl --room attic logs; realmctl --room attic doctor",
        ),
        ("> /etc/sysctl.d/60-realm-server.conf && sysctl", "> /etc/sysctl.d/60-realm-server.conf && sysctl"),
        ("systemctl list-timers 'realm-server*'", "systemctl list-timers 'realm-server*'"),
        ("systemctl reload nginx", "systemctl reload nginx"),
    ):
        assert rooms.meant(main, "attic") == room
        assert rooms.meant(main, None) == main


@pytest.mark.parametrize("command", [["status"], ["top", "--once"], ["who"], ["doctor", "--offline"]])
def test_a_room_that_does_not_answer(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command's hints name the room that was asked about."""
    monkeypatch.setattr(rooms, "CONFIGURATIONS", tmp_path)
    for variable in ("STORAGE_STATE_DIR", "CONTROL_RUNTIME_DIR", "BACKUP_DIR"):
        monkeypatch.setenv(f"REALMD_{variable}", "/nowhere")  # and put back afterwards
    (tmp_path / "attic.toml").write_text("[server]\nport = 9\n")
    assert ctl.main(["--room", "attic", *command]) != 0
    said = "".join(capsys.readouterr())
    assert "realmctl --room attic" in said or "realm-server@attic" in said
    assert "realm-server\n" not in said


def test_a_rooms_environment_counts_for_realmctl_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What /etc/default says of a room is in force for what is typed, as for its daemon."""
    monkeypatch.setattr(rooms, "CONFIGURATIONS", tmp_path)
    monkeypatch.setattr(rooms, "MAIN", tmp_path / "realmd.toml")
    monkeypatch.setattr(rooms, "ENVIRONMENTS", tmp_path)
    other = tmp_path / "elsewhere/realmd.toml"
    other.parent.mkdir()
    for file in (tmp_path / "realmd.toml", tmp_path / "attic.toml", other):
        file.touch()
    (tmp_path / "realm-server").write_text("ROOM_NAME=Main\n")
    (tmp_path / "realm-server@attic").write_text("ROOM_NAME=Attic\n")
    for words, name in (
        (["config", "--config", str(tmp_path / "realmd.toml")], '"Main"'),
        (["config", "--config", str(tmp_path / "attic.toml")], '"Attic"'),
        (["config", "--config", str(other)], "# default"),
    ):
        assert ctl.main(words) == 0
        assert name in next(
            line for line in capsys.readouterr().out.splitlines() if line.startswith("name =")
        )
