"""The realm's tokens: the keys that sign them, in a file of their own, and what a token says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct
from twisted.logger import Logger

from ..host.secrets import read_secret, write_secret
from ..identity.keys import BadKeys, Entropy, KeyRing
from ..identity.tokens import Statement, Verifier, sign
from ..settings.auth import Auth

#: The file's name in the state folder.
FILE: Final = "token-keys"
DAY_MS: Final = 86_400_000


class Lifetimes(Struct, frozen=True):
    """How long (ms) a token counts, and after how long a new key signs."""

    token: int
    key: int

    @classmethod
    def of(cls, auth: Auth) -> Lifetimes:
        """Those that the settings say."""
        return cls(auth.token_days * DAY_MS, auth.key_days * DAY_MS)


class Credentials:
    """Issues tokens and reads them.  `open` first; `wall` tells the time in ms since the epoch."""

    log = Logger()

    def __init__(self, path: Path, lifetimes: Lifetimes, entropy: Entropy, wall: Callable[[], int]) -> None:
        self._path = path
        self._lifetimes = lifetimes
        self._entropy = entropy
        self._wall = wall
        self._verifier: Verifier | None = None

    def open(self) -> None:
        """Read the keys, or make the first one.

        Raises `BadKeys`, `ExposedSecret` or OSError; a file that is there is never replaced.
        """
        try:
            ring = KeyRing.decode(read_secret(self._path), self._lifetimes.token)
        except BadKeys as error:
            raise BadKeys(
                f"{self._path}: {error}. Restore it from a backup, or move it aside: "
                "a new key is made then, and no token that was given counts any more."
            ) from None
        except FileNotFoundError:
            ring = KeyRing.create(self._wall(), self._entropy, self._lifetimes.token)
            write_secret(self._path, ring.encode())
            self.log.info("token key made id={id}", id=ring.newest.id)
        self._verifier = Verifier(ring)
        self.refresh()

    def refresh(self) -> None:
        """Let a new key sign if the newest is old."""
        if self._wall() - self._ring.newest.created >= self._lifetimes.key:
            self.rotate()

    def rotate(self) -> str:
        """Let a new key sign from now on; tokens signed by the old one live out.  Its id."""
        ring = self._ring.rotate(self._wall(), self._entropy)
        write_secret(self._path, ring.encode())
        assert self._verifier is not None
        self._verifier.keys = ring
        self.log.info("token key made id={id}", id=ring.newest.id)
        return ring.newest.id

    def issue(self, agent_id: str, serial: int) -> str:
        """A token for `agent_id` with this serial."""
        now, key = self._wall(), self._ring.newest
        return sign(Statement(key.id, agent_id, now, now + self._lifetimes.token, serial), key)

    def read(self, token: str) -> Statement:
        """What `token` says; raises `BadToken`."""
        assert self._verifier is not None
        return self._verifier.verify(token, self._wall())

    @property
    def _ring(self) -> KeyRing:
        assert self._verifier is not None, "open first"
        return self._verifier.keys
