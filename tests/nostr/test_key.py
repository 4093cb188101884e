"""The realm's key: made once, never shown, and refused where others could have it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from realmd.host.secrets import ExposedSecret
from realmd.identity import bech32
from realmd.nostr.bridge.key import BadKey, Key

SECRET = bytes(31) + b"\x03"
PUBKEY = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"


def key(state: Path, given: Path | None = None, **environ: str) -> Key:
    made = Key(state, given, lambda size: b"\x01" * size, environ)
    made.open()
    return made


def put(path: Path, text: str, mode: int = 0o600) -> Path:
    path.touch(mode)
    path.chmod(mode)
    path.write_text(text)
    return path


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """The first start makes a file that nobody else may read; later ones use it."""
    first = key(tmp_path)
    assert stat.S_IMODE((tmp_path / "nostr-key").stat().st_mode) == 0o600
    again = Key(tmp_path, None, lambda size: b"\x02" * size, {})
    again.open()
    assert again.pubkey == first.pubkey
    assert first.secret.hex() not in repr(first) + str(vars(first).get("pubkey"))


@pytest.mark.parametrize("text", [SECRET.hex(), bech32.encode("nsec", SECRET) + "\n"])
def test_a_key_may_come_from_elsewhere(tmp_path: Path, text: str) -> None:
    """A file named in the configuration, or systemd's credential, as nsec or hex."""
    assert key(tmp_path, put(tmp_path / "mine", text)).pubkey == PUBKEY
    (tmp_path / "credentials").mkdir()
    put(tmp_path / "credentials" / "nostr-key", text, 0o400)
    assert key(tmp_path, CREDENTIALS_DIRECTORY=str(tmp_path / "credentials")).pubkey == PUBKEY
    assert not (tmp_path / "nostr-key").exists()


def test_what_is_no_key_is_not_shown(tmp_path: Path) -> None:
    """A damaged key ends the start with the file's name, and without a letter of what is in it."""
    for text in ("nsec1" + "q" * 58, "00" * 32, "secret words", ""):
        with pytest.raises(BadKey) as found:
            key(tmp_path, put(tmp_path / "mine", text))
        assert "mine" in str(found.value)
        assert not text or text not in str(found.value)


def test_a_key_that_others_could_read_is_refused(tmp_path: Path) -> None:
    """As every secret: a mode that lets others at it ends the start; one that is named must be there."""
    with pytest.raises(ExposedSecret):
        key(tmp_path, put(tmp_path / "mine", SECRET.hex(), 0o644))
    with pytest.raises(FileNotFoundError):
        key(tmp_path, tmp_path / "elsewhere")
