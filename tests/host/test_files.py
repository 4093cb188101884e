"""Files written whole: what a reader finds, and what is left when it goes wrong."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from realmd.host.files import write_whole


def test_what_is_there_is_replaced_whole(tmp_path: Path) -> None:
    """A reader who has the old file open reads on in it; whoever opens it now finds the new one alone."""
    path = tmp_path / "realmd.toml"
    path.write_bytes(b"the old one, which is longer")
    with path.open("rb") as reader:
        write_whole(path, b"the new one", 0o640)
        assert reader.read() == b"the old one, which is longer"
    assert path.read_bytes() == b"the new one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["realmd.toml"]


def test_the_name_is_given_to_what_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When power fails, the name stands for contents that are on the medium, be they the old or the new."""
    path = tmp_path / "keys.json"
    path.write_bytes(b"old")
    synced = []

    def fsync(handle: int) -> None:
        at = Path(os.readlink(f"/proc/self/fd/{handle}"))
        synced.append((at.relative_to(tmp_path.parent).parts[:-1], at.is_dir(), path.read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(path, b"new", 0o600)
    assert synced == [((tmp_path.name,), False, b"old"), ((), True, b"new")]


def test_a_disk_that_fails_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the new contents do not reach the disk it is told, the old stay, and no copy lies about."""
    path = tmp_path / "realmd.toml"
    path.write_bytes(b"old")

    def fsync(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Input/output error"):
        write_whole(path, b"new", 0o600)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["realmd.toml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_belongs_to_whom_it_is_for(tmp_path: Path) -> None:
    """What root writes for the realm's user is that user's, with all bits of its mode."""
    path = tmp_path / "hook"
    write_whole(path, b"#!/bin/sh\n", 0o2755, (4711, 4712))
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (4711, 4712, 0o2755)
