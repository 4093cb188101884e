"""Secrets in an archive are sealed to the operator's public key (libsodium's sealed boxes).

Whoever takes the archive without the secret key, which is kept elsewhere, cannot open them; nor
can the realm itself.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Final

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from ..host.secrets import ExposedSecret, read_secret, write_secret
from .manifest import BackupError

_PREFIX: Final = "realm-backup-secret:"


def keygen(path: Path) -> str:
    """Write a new secret key to `path`, which must not be there yet; the public key to configure."""
    if os.path.lexists(path):
        raise BackupError(f"{path} is there already; a secret key is not overwritten. Name another file.")
    secret = PrivateKey.generate()
    try:
        write_secret(path, f"{_PREFIX}{_text(bytes(secret))}\n".encode())
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from error
    return _text(bytes(secret.public_key))


def public_of(secret: PrivateKey) -> str:
    """The public key, as it is configured."""
    return _text(bytes(secret.public_key))


def read_key(path: Path) -> PrivateKey:
    """The secret key that `keygen` wrote to `path`."""
    try:
        text = read_secret(path).decode("ascii").strip()
        if not text.startswith(_PREFIX):
            raise ValueError
        return PrivateKey(base64.b64decode(text.removeprefix(_PREFIX), validate=True))
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror}") from error
    except ExposedSecret as error:
        raise BackupError(str(error)) from error
    except (ValueError, TypeError, CryptoError) as error:
        raise BackupError(f"{path} is no secret key of `realmctl backup keygen`.") from error


def seal(data: bytes, public_key: str) -> bytes:
    """`data` for the holder of the secret key alone."""
    try:
        return SealedBox(PublicKey(base64.b64decode(public_key, validate=True))).encrypt(data)
    except (binascii.Error, ValueError, TypeError, CryptoError) as error:
        raise BackupError("backup.public_key is no key of `realmctl backup keygen`.") from error


def unseal(data: bytes, secret: PrivateKey, sealed_to: str) -> bytes:
    """What was sealed to `sealed_to`; sealing also proves that it is unchanged."""
    if public_of(secret) != sealed_to:
        raise BackupError(
            f"The keys are sealed to {sealed_to}; the key given opens what is sealed to {public_of(secret)}."
        )
    try:
        return SealedBox(secret).decrypt(data)
    except CryptoError as error:
        raise BackupError("A sealed key is damaged and cannot be opened.") from error


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()
