"""The archive: one compressed tar file, the manifest first, every member with its digest."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, BinaryIO, Final, cast

from msgspec import Struct

from .gzip_stream import CHUNK, Reader, Writer
from .manifest import BackupError, Manifest, Member, decode, encode

MANIFEST: Final = "manifest.json"
MOST_MANIFEST: Final = 8 * 1024 * 1024
MODE: Final = 0o600


class Opened(Struct, frozen=True):
    """A checked archive: its manifest, and member name → the file it was unpacked to."""

    manifest: Manifest
    files: dict[str, Path]


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(target: Path, manifest: Manifest, contents: Mapping[str, Path | bytes]) -> None:
    """Write the archive to `target`, a new file of mode 0600, and have it on the medium.

    `contents` has the bytes, or the file that holds them, of every member that has some.
    Raises OSError when the medium does not take it.
    """
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    with open(handle, "wb") as file:
        stream = Writer(file)
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="w|", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, MANIFEST, encode(manifest), manifest.taken)
            for member in manifest.members:
                if member.role != "link":
                    _add(tar, member.name, contents[member.name], manifest.taken)
        stream.finish()
        file.flush()
        os.fsync(handle)


def _add(tar: tarfile.TarFile, name: str, content: Path | bytes, taken: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.mtime = MODE, taken // 1000
    if isinstance(content, bytes):
        entry.size = len(content)
        tar.addfile(entry, BytesIO(content))
        return
    entry.size = content.stat().st_size
    with content.open("rb") as file:
        tar.addfile(entry, file)


def peek(path: Path) -> Manifest:
    """The manifest alone; nothing behind it is looked at."""
    with _tar(path) as (tar, _):
        return _manifest(tar)


def check(path: Path) -> Manifest:
    """Read all of it, comparing every digest; raises `BackupError` at the first thing wrong."""
    return _read(path, None).manifest


def unpack(path: Path, into: Path) -> Opened:
    """Check all of it, leaving the members in `into` under names of our own."""
    return _read(path, into)


def _read(path: Path, into: Path | None) -> Opened:
    with _tar(path) as (tar, stream):
        manifest = _manifest(tar)
        if into is not None:
            _need_room(into, sum(member.bytes for member in manifest.members))
        files: dict[str, Path] = {}
        for number, member in enumerate(m for m in manifest.members if m.role != "link"):
            entry = tar.next()
            if entry is None or entry.name != member.name or entry.size != member.bytes:
                raise BackupError(f"{member.name} is missing or has another size.")
            place = into / f"{number:04}" if into is not None else None
            _check_member(cast(BinaryIO, tar.extractfile(entry)), member, place)
            if place is not None:
                files[member.name] = place
        if tar.next() is not None:
            raise BackupError("It holds more than its manifest says.")
        stream.drain()
    return Opened(manifest, files)


@contextmanager
def _tar(path: Path) -> Iterator[tuple[tarfile.TarFile, Reader]]:
    """Whatever goes wrong while reading is a `BackupError` that names the file."""
    try:
        with path.open("rb") as file:
            stream = Reader(file)
            with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as tar:
                yield tar, stream
    except BackupError as error:
        raise BackupError(f"{path} cannot be used. {error}") from error
    except tarfile.TarError as error:
        raise BackupError(f"{path} cannot be used. It is no archive of a realm ({error}).") from error
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror or error}") from error


def _manifest(tar: tarfile.TarFile) -> Manifest:
    entry = tar.next()
    if entry is None or entry.name != MANIFEST or entry.size > MOST_MANIFEST:
        raise BackupError("Its manifest is missing.")
    return decode(cast(BinaryIO, tar.extractfile(entry)).read())


def _check_member(source: BinaryIO, member: Member, place: Path | None) -> None:
    found = hashlib.sha256()
    handle = os.open(place or os.devnull, os.O_WRONLY | (os.O_CREAT | os.O_EXCL if place else 0), MODE)
    with open(handle, "wb") as target:
        while data := source.read(CHUNK):
            found.update(data)
            target.write(data)
        if place is not None:
            target.flush()
            os.fsync(handle)
    if found.hexdigest() != member.sha256:
        raise BackupError(f"{member.name} is damaged: its checksum is wrong.")


def _need_room(folder: Path, size: int) -> None:
    space = os.statvfs(folder)
    free = space.f_bavail * space.f_frsize
    if free < size:
        raise BackupError(
            f"{folder} has {free // 1048576} MB free and needs {size // 1048576 + 1} MB; make room first."
        )
