"""Putting configuration, map and other files of an archive back below a folder, under their old paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from ..host.files import write_whole
from .files import heir, link_whole, make_folder
from .manifest import BackupError, Manifest, Member


def check_paths(manifest: Manifest, folder: Path) -> None:
    """Refuse an archive that would write anywhere but below `folder`."""
    for member in manifest.members_of("configuration", "map", "file", "link"):
        path = PurePosixPath(member.path)
        if not path.is_absolute() or ".." in path.parts or "\x00" in member.path:
            raise BackupError(f"{member.path!r} is no path to restore to.")
        _place(folder, member)


def scatter(
    manifest: Manifest, plain: Mapping[str, Path], folder: Path, now: int, say: Callable[[str], None]
) -> None:
    """Write what differs from what is there, which is kept beside it; links come last."""
    for member in manifest.members_of("configuration", "map", "file"):
        if member.name not in plain:
            say(f"not restored, sealed: {member.path}")
            continue
        place, data = _place(folder, member), plain[member.name].read_bytes()
        if place.is_file() and not place.is_symlink() and place.read_bytes() == data:
            continue
        make_folder(place.parent, 0o755)
        _keep(place, now, say)
        write_whole(place, data, member.mode, heir(place))
        say(f"restored {place}")
    for member in manifest.members_of("link"):
        place = _place(folder, member)
        if place.is_symlink() and os.readlink(place) == member.target:
            continue
        make_folder(place.parent, 0o755)
        _keep(place, now, say)
        link_whole(place, member.target)
        say(f"restored {place} -> {member.target}")


def _place(folder: Path, member: Member) -> Path:
    """Where `member` goes; refuses where a link on the way leads out of `folder`."""
    place = folder / member.path.lstrip("/")
    root = folder.resolve()
    if not place.parent.resolve().is_relative_to(root):
        raise BackupError(f"{place} would lead out of {folder} by a link.")
    return place


def _keep(place: Path, now: int, say: Callable[[str], None]) -> None:
    """Give what is there a second name; it stays until the new one takes its place at once."""
    if os.path.lexists(place):
        moment = datetime.fromtimestamp(now / 1000, UTC)
        kept = place.with_name(f"{place.name}.before-restore-{moment:%Y%m%dT%H%M%SZ}")
        if place.is_dir() and not place.is_symlink():
            place.rename(kept)
        else:
            os.link(place, kept, follow_symlinks=False)
        say(f"kept what was there as {kept}")
