"""The realm's own Nostr key: one for its whole life, in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twisted.logger import Logger

from ...host.secrets import read_secret, write_secret
from ...identity import bech32, nostr_event, schnorr
from ...identity.keys import Entropy
from ...identity.nostr_event import Event, Unsigned
from ...primitives.errors import BeyondRepair
from ...settings.nostr import KEY_NAME


class BadKey(ValueError, BeyondRepair):
    """What should be a secret key is none.  The text never holds any of it."""


class Key:
    """Signs as the realm.  `open` first; `secret` is 32 bytes, `pubkey` hex.

    `given` is the file that the operator named; `environ` may name systemd's credentials.
    """

    log = Logger()

    def __init__(self, state: Path, given: Path | None, entropy: Entropy, environ: Mapping[str, str]) -> None:
        self._state = state
        self._given = given
        self._entropy = entropy
        self._environ = environ
        self.pubkey = ""
        self._secret = b""

    def __repr__(self) -> str:
        return f"<Key {self.pubkey[:8]}>"

    @property
    def path(self) -> Path:
        """Where the key is, or is to be made."""
        if self._given is not None:
            return self._given
        if folder := self._environ.get("CREDENTIALS_DIRECTORY"):
            credential = Path(folder) / KEY_NAME
            if credential.exists():
                return credential
        return self._state / KEY_NAME

    def open(self) -> None:
        """Read the key; in the state folder, make it if there is none.

        Raises `BadKey`, `ExposedSecret` or OSError; a file that is there is never replaced.
        """
        path = self.path
        try:
            secret = parse_secret(read_secret(path), str(path))
        except FileNotFoundError:
            if path != self._state / KEY_NAME:
                raise
            secret = new_secret(self._entropy)
            write_secret(path, written(secret))
            self.log.info("nostr key made npub={npub}", npub=npub_of(secret))
        self._secret = secret
        self.pubkey = schnorr.public_key(secret).hex()

    @property
    def secret(self) -> bytes:
        assert self._secret, "open first"
        return self._secret

    @property
    def npub(self) -> str:
        return bech32.encode("npub", bytes.fromhex(self.pubkey))

    def sign(self, draft: Unsigned) -> Event:
        """`draft` as an event of the realm, at once: 0.1 ms."""
        return nostr_event.sign_draft(draft, self.secret, self._entropy(32))


def parse_secret(text: bytes, where: str) -> bytes:
    """The secret key (32 bytes) written in `text` as nsec or hex; BadKey names `where` it is."""
    word = text.decode("ascii", "replace").strip()
    try:
        secret = bech32.decode("nsec", word) if word.lower().startswith("nsec") else bytes.fromhex(word)
        schnorr.public_key(secret)
    except ValueError:
        raise BadKey(f"{where}: no secret key; it must hold one nsec1… or 64 hex digits") from None
    return secret


def written(secret: bytes) -> bytes:
    """A secret key as its file has it."""
    return f"{bech32.encode('nsec', secret)}\n".encode()


def npub_of(secret: bytes) -> str:
    """The public half of `secret`, for people."""
    return bech32.encode("npub", schnorr.public_key(secret))


def new_secret(entropy: Entropy) -> bytes:
    """A fresh secret key."""
    while True:
        secret = entropy(32)
        try:
            schnorr.public_key(secret)
        except ValueError:  # zero, or beyond the order of the curve: one draw in 2**128
            continue
        return secret
