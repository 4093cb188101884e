"""The archive file: whatever becomes of it, it is the same or it is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.backup import archive
from realmd.backup.manifest import BackupError, Manifest, Member, decode, encode, file_name, parse_name

FILES = {"key/token-keys": bytes(range(256)) * 40, "configuration/realmd.toml": b"[room]\n"}


def member(name: str, data: bytes) -> Member:
    return Member(
        name=name,
        path=f"/x/{name}",
        role="file",
        mode=0o600,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


MANIFEST = Manifest(
    kind="full", room="r", software="3", taken=1_000, members=tuple(member(*item) for item in FILES.items())
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good archive."""
    path = tmp_path_factory.mktemp("archive") / "whole.tar.gz"
    archive.write(path, MANIFEST, FILES)
    return path


def contents(path: Path, into: Path) -> dict[str, bytes]:
    into.mkdir(exist_ok=True)
    for old in into.iterdir():
        old.unlink()
    opened = archive.unpack(path, into)
    return {name: file.read_bytes() for name, file in opened.files.items()}


def test_what_goes_in_comes_out(whole: Path, tmp_path: Path) -> None:
    """An archive gives back its manifest and every file, and only its owner may read it."""
    assert contents(whole, tmp_path / "out") == FILES
    assert archive.check(whole) == archive.peek(whole) == MANIFEST
    assert whole.stat().st_mode & 0o777 == 0o600


@given(data=st.data())
def test_a_changed_byte_is_never_restored(whole: Path, data: st.DataObject) -> None:
    """Change any byte: the archive is refused, or (unused bits of the last one) holds the very same."""
    text = bytearray(whole.read_bytes())
    text[data.draw(st.integers(0, len(text) - 1))] ^= data.draw(st.integers(1, 255))
    broken = whole.with_name("broken.tar.gz")
    broken.write_bytes(text)
    try:
        found = contents(broken, whole.with_name("out"))
    except BackupError:
        return
    assert found == FILES


def test_every_byte_counts(whole: Path) -> None:
    """Each byte turned over, one after the other, is noticed."""
    text = whole.read_bytes()
    broken = whole.with_name("broken.tar.gz")
    for index in range(0, len(text)):
        broken.write_bytes(text[:index] + bytes([text[index] ^ 0xFF]) + text[index + 1 :])
        with pytest.raises(BackupError):
            archive.check(broken)


@given(data=st.data())
def test_a_part_of_it_or_more_than_it_is_refused(whole: Path, data: st.DataObject) -> None:
    """An archive cut off anywhere, or with something behind its end, is refused."""
    text = whole.read_bytes()
    other = whole.with_name("other.tar.gz")
    cut = data.draw(st.integers(0, len(text) - 1))
    for wrong in (text[:cut], text + b"\0" * (1 + cut)):
        other.write_bytes(wrong)
        with pytest.raises(BackupError):
            archive.check(other)


def test_a_member_that_is_not_what_the_manifest_says(tmp_path: Path) -> None:
    """Contents that differ from the manifest's digest, or that it does not name, are refused."""
    names = list(FILES)
    archive.write(tmp_path / "a", MANIFEST, {**FILES, names[1]: b"[rOom]\n"})
    with pytest.raises(BackupError, match="checksum"):
        archive.check(tmp_path / "a")
    archive.write(tmp_path / "b", MANIFEST, {**FILES, names[1]: b"longer than it said"})
    with pytest.raises(BackupError, match="size"):
        archive.check(tmp_path / "b")


def test_an_archive_of_the_future_is_refused_by_name() -> None:
    """An archive of a newer layout says that a newer realmd is needed."""
    with pytest.raises(BackupError, match="newer realmd"):
        decode(encode(MANIFEST).replace(b'"format": 1', b'"format": 2'))


@given(taken=st.integers(0, 4_000_000_000_000), kind=st.sampled_from(["full", "database", "configuration"]))
def test_a_file_name_tells_kind_and_time(taken: int, kind: str) -> None:
    """What the name of an archive tells is what was put into it."""
    assert parse_name(file_name(kind, taken)) == (kind, taken)  # type: ignore[arg-type]
