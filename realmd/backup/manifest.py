"""What an archive says of itself: its `manifest.json`, and what its file name tells."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec
from msgspec import Struct

#: Layout of the archive; a reader refuses a higher one.
FORMAT: Final = 1
Kind = Literal["full", "database", "configuration"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Role = Literal["database", "key", "configuration", "map", "file", "link"]

_NAME: Final = re.compile(r"realm-(full|database|configuration)-(\d{8}T\d{6}\.\d{3}Z)\.tar\.gz")
_TIME: Final = "%Y%m%dT%H%M%S.%f"


class BackupError(Exception):
    """A backup that cannot be made, read, kept or restored; the text says why and what to do."""


class WrongWords(BackupError):
    """What was typed can mean nothing, whatever there is."""


class Member(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One file of the archive: `name` in it, and the absolute `path` where it was.

    `bytes` and `sha256` are of what the archive holds (of a sealed file: the sealed bytes).
    `size` and `mtime` (ns) are of the file itself; a link has a `target` and no bytes.
    """

    name: str
    path: str
    role: Role
    mode: int
    bytes: int = 0
    sha256: str = ""
    size: int = 0
    mtime: int = 0
    sealed: bool = False
    target: str = ""


class Table(Struct, frozen=True):
    """How many rows a table has, and the digest of all of them."""

    rows: int
    sha256: str


class Content(Struct, frozen=True, rename="camel"):
    """What a database holds: versions of its schema, last seq, and each table."""

    schema: int
    compatible: int
    seq: int
    tables: dict[str, Table]


class Manifest(Struct, frozen=True, rename="camel", kw_only=True):
    """The first member of every archive.  `taken` is ms since the epoch; `left_out` lists paths."""

    format: int = FORMAT
    kind: Kind
    room: str
    software: str
    taken: int
    members: tuple[Member, ...]
    content: Content | None = None
    #: Public key (base64) to which the sealed members are sealed.
    sealed_to: str = ""
    left_out: tuple[str, ...] = ()

    def members_of(self, *roles: Role) -> list[Member]:
        """The members that have one of these roles."""
        return [member for member in self.members if member.role in roles]


def encode(manifest: Manifest) -> bytes:
    """`manifest.json`, indented for whoever opens the archive by hand."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode(data: bytes) -> Manifest:
    """Raises `BackupError` when `data` is no manifest that this code can read."""
    try:
        number = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).get("format", msgspec.Raw(b"0"))
        if int(bytes(number)) > FORMAT:
            raise BackupError("It was made by a newer realmd; restore it with that one.")
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BackupError(f"Its manifest cannot be read ({error}).") from error


def file_name(kind: Kind, taken: int) -> str:
    """The name of the archive of `kind` taken at `taken` (ms since the epoch)."""
    moment = datetime.fromtimestamp(taken / 1000, UTC)
    return f"realm-{kind}-{moment:%Y%m%dT%H%M%S}.{taken % 1000:03}Z.tar.gz"


def parse_name(name: str) -> tuple[Kind, int] | None:
    """Kind and time (ms) that a file name tells, or None when it is no archive's."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    try:
        moment = datetime.strptime(found[2].removesuffix("Z"), _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return found[1], round(moment.timestamp() * 1000)  # type: ignore[return-value]


class Kept(Struct, frozen=True, order=True):
    """An archive in the backup folder; sorted, the oldest is first."""

    taken: int
    kind: Kind
    path: Path
    bytes: int


def listed(folder: Path) -> list[Kept]:
    """The archives in `folder`, the oldest first; nothing else in it counts.

    No folder is none; one that may not be read is an `OSError`, for nobody knows what is in it.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        path = folder / name
        if (parsed := parse_name(name)) and path.is_file():
            found.append(Kept(parsed[1], parsed[0], path, path.stat().st_size))
    return sorted(found)
