"""Secrets in files: whole, private, or refused with a sentence that says what to do."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from realmd.host.secrets import MOST_BYTES, ExposedSecret, exposed, read_secret, write_secret


def test_a_secret_is_kept_for_us_alone(tmp_path: Path) -> None:
    """What was written is read again, and no one else could have read it, whatever was there before."""
    path = tmp_path / "keys.json"
    path.write_bytes(b"old")
    path.chmod(0o666)
    write_secret(path, b"\x00new\n")
    assert read_secret(path) == b"\x00new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["keys.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o777])
def test_an_exposed_secret_is_not_used(tmp_path: Path, mode: int) -> None:
    """A key that others may read or change stops the start with its file, its mode and the remedy."""
    path = tmp_path / "keys.json"
    write_secret(path, b"secret")
    path.chmod(mode)
    with pytest.raises(ExposedSecret, match=f"keys.json: mode {mode:04o} .* `chmod 600`"):
        read_secret(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
def test_root_reads_the_secrets_of_a_realm_that_is_not_roots(tmp_path: Path) -> None:
    """`realmctl backup`, typed by root, takes the keys of the realm's user, and still nobody else's."""
    path = tmp_path / "keys.json"
    write_secret(path, b"secret")
    os.chown(path, 4711, 4711)
    with pytest.raises(ExposedSecret, match="belongs to user 4711"):
        read_secret(path)
    os.chown(tmp_path, 4711, 4711)
    assert read_secret(path) == b"secret"


def test_a_write_that_fails_leaves_the_old(tmp_path: Path) -> None:
    """When the new file cannot take the old one's place, the old stays and no copy of the new lies about."""
    target = tmp_path / "keys.json"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match=r"keys.json"):
        write_secret(target, b"new")
    with pytest.raises(ValueError, match=str(MOST_BYTES)):
        write_secret(tmp_path / "large", bytes(MOST_BYTES + 1))
    assert os.listdir(tmp_path) == ["keys.json"]


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A named pipe, a directory, a giant or nothing at all is an error, and never a start that hangs."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ExposedSecret, match="not a regular file"):
        read_secret(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        read_secret(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_secret(tmp_path / "none")
    with open(os.open(tmp_path / "giant", os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(ExposedSecret, match="larger than"):
        read_secret(tmp_path / "giant")


@pytest.mark.parametrize(
    ("owner", "mode", "complaint"),
    [
        (1000, 0o600, None),
        (1000, 0o400, None),
        (1000, 0o440, "mode 0440"),
        (0, 0o440, None),
        (0, 0o640, None),
        (0, 0o644, "mode 0644"),
        (0, 0o660, "mode 0660"),
        (1001, 0o600, "belongs to user 1001"),
    ],
)
def test_whose_files_are_trusted(owner: int, mode: int, complaint: str | None) -> None:
    """Our own files are ours alone; root may hand us one by a group or, as systemd does, an ACL."""
    status = os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, 0, 1, 0, 0, 0))
    found = exposed(status, 1000)
    assert (found is None) if complaint is None else (found is not None and found.startswith(complaint))
