"""The realm's own signing keys (Ed25519), and how one follows another.

A ring is a value: `rotate` gives a new one, to be written to its file before it is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from ..primitives.errors import BeyondRepair
from .errors import UNREADABLE

SEED_BYTES = 32
#: So many keys may be alive at once; each is 32 bytes of file and one entry of a dict.
MOST_KEYS = 16

Entropy = Callable[[int], bytes]
Milliseconds = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class BadKeys(ValueError, BeyondRepair):
    """A key file that cannot be used, or a rotation that would be wrong.  Holds nothing of the keys."""


class Key:
    """One Ed25519 key.  `created` and `retired` are milliseconds since the epoch.

    The id is the start of the public key's SHA-256 in hex, so it cannot come to mean another key.
    """

    __slots__ = ("_seed", "_signing", "_verifying", "created", "id", "retired")

    def __init__(self, seed: bytes, created: int, retired: int | None = None) -> None:
        if len(seed) != SEED_BYTES:
            raise BadKeys(f"an Ed25519 seed has {SEED_BYTES} bytes")
        self._seed = bytes(seed)
        self._signing = SigningKey(self._seed)
        self._verifying = self._signing.verify_key
        self.id = hashlib.sha256(bytes(self._verifying)).hexdigest()[:16]
        self.created = created
        self.retired = retired

    def __repr__(self) -> str:
        return f"<Key {self.id} created={self.created} retired={self.retired}>"

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`, 64 bytes."""
        return self._signing.sign(message).signature

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made `signature` over `message`."""
        try:
            self._verifying.verify(message, signature)
        except (BadSignatureError, ValueError):
            return False
        return True

    def retire(self, now: int) -> Key:
        """This key, retired at `now` (ms)."""
        return Key(self._seed, self.created, now)

    def _row(self) -> _Row:
        return _Row(id=self.id, created=self.created, retired=self.retired, seed=self._seed)


class _Row(Struct, forbid_unknown_fields=True):
    """A key in its file."""

    id: str
    created: Milliseconds
    retired: Milliseconds | None
    seed: bytes

    def __repr__(self) -> str:
        return f"<_Row {self.id}>"


class _File(Struct, forbid_unknown_fields=True):
    """The file of a ring: JSON, seeds in base64, the newest key last."""

    version: Literal[1]
    keys: Annotated[list[_Row], Meta(min_length=1, max_length=MOST_KEYS)]


class KeyRing:
    """The keys of a realm: the newest signs; a retired one verifies for `overlap` ms longer."""

    def __init__(self, keys: tuple[Key, ...], overlap: int) -> None:
        if not 0 < len(keys) <= MOST_KEYS:
            raise BadKeys(f"a realm has between 1 and {MOST_KEYS} keys, not {len(keys)}")
        if keys[-1].retired is not None or any(key.retired is None for key in keys[:-1]):
            raise BadKeys("the last key of a realm, and no other, is in service")
        self.keys = keys
        self.overlap = overlap
        self._by_id = {key.id: key for key in keys}
        if len(self._by_id) != len(keys):
            raise BadKeys("a realm has the same key twice")

    def __repr__(self) -> str:
        return f"<KeyRing {' '.join(map(repr, self.keys))} overlap={self.overlap}>"

    @classmethod
    def create(cls, now: int, entropy: Entropy, overlap: int) -> KeyRing:
        """A ring with one new key.  `entropy(n)` gives n unpredictable bytes, as os.urandom does."""
        return cls((Key(entropy(SEED_BYTES), now),), overlap)

    @classmethod
    def decode(cls, data: bytes, overlap: int) -> KeyRing:
        """The ring that `encode` wrote; raises `BadKeys`."""
        try:
            file = msgspec.json.decode(data, type=_File)
            keys = tuple(Key(row.seed, row.created, row.retired) for row in file.keys)
        except UNREADABLE as error:
            # Not chained: a traceback of the cause could show what was read.
            raise BadKeys(f"this is not a file of realm keys: {error}") from None
        if [key.id for key in keys] != [row.id for row in file.keys]:
            raise BadKeys("the key file is damaged: a key does not fit its id")
        return cls(keys, overlap)

    def encode(self) -> bytes:
        """The ring with its secrets, for a file that only the daemon can read."""
        return msgspec.json.encode(_File(version=1, keys=[key._row() for key in self.keys])) + b"\n"

    @property
    def newest(self) -> Key:
        """The key that signs."""
        return self.keys[-1]

    def verifying(self, key_id: str, now: int) -> Key | None:
        """The key of that id, unless it was retired more than `overlap` ms before `now`."""
        key = self._by_id.get(key_id)
        return None if key is None or self._is_over(key, now) else key

    def rotate(self, now: int, entropy: Entropy) -> KeyRing:
        """A ring with a new newest key, the old one retired at `now` (ms), and without those long retired."""
        kept = tuple(key for key in self.keys[:-1] if not self._is_over(key, now))
        if len(kept) + 2 > MOST_KEYS:
            raise BadKeys(f"{MOST_KEYS} keys are in use already; wait for one to pass its overlap")
        return KeyRing((*kept, self.newest.retire(now), Key(entropy(SEED_BYTES), now)), self.overlap)

    def _is_over(self, key: Key, now: int) -> bool:
        return key.retired is not None and now - key.retired > self.overlap
