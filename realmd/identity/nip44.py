"""Texts that only two keys can read: version 2 of NIP-44.

    payload = base64(0x02 | nonce, 32 bytes | ChaCha20(length, u16 | text | zeros) | HMAC-SHA256, 32 bytes)

The conversation key is the same for both sides, so whoever can read a payload could have written
it: who did is shown by the signature of the event around it, which is to be checked first.
"""

from __future__ import annotations

import base64
import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from . import schnorr
from .errors import BadPayload

#: Bytes of text in UTF-8.  Programs differ in what they take above this.
MOST_TEXT: Final = 32 * 1024
#: The most that a length of 16 bits can say; the longer form of NIP-44 is not spoken here.
MOST_U16: Final = 65_535

_VERSION: Final = b"\x02"
_NONCE: Final = 32
_MAC: Final = 32
_LEAST_PADDED: Final = 32
#: Base64 characters of the shortest payload.
_LEAST_PAYLOAD: Final = 132


def conversation_key(secret: bytes, pubkey: bytes) -> bytes:
    """The key (32 bytes) of `secret` (32 bytes) and the x-only `pubkey` (32 bytes); raises `BadPayload`.

    It costs a multiplication on the curve, and never changes.
    """
    try:
        shared = schnorr.shared_x(secret, pubkey)
    except ValueError:
        raise BadPayload("key") from None
    # HKDF-extract (RFC 5869, 2.2) is this one HMAC.
    return hmac.digest(b"nip44-v2", shared, "sha256")


def encrypt(text: str, key: bytes, nonce: bytes, *, most: int = MOST_TEXT) -> str:
    """The payload of `text`, at most `most` bytes; `nonce` is 32 bytes never used before with this key.

    Raises `BadPayload`: length, encoding (lone surrogates), key.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise BadPayload("encoding") from None
    if not 0 < len(data) <= min(most, MOST_U16):
        raise BadPayload("length")
    chacha_key, chacha_nonce, mac_key = message_keys(key, nonce)
    padded = len(data).to_bytes(2, "big") + data.ljust(padded_length(len(data)), b"\0")
    hidden = _chacha20(chacha_key, chacha_nonce, padded)
    mac = hmac.digest(mac_key, nonce + hidden, "sha256")
    return base64.b64encode(_VERSION + nonce + hidden + mac).decode("ascii")


def decrypt(payload: str, key: bytes, *, most: int = MOST_TEXT) -> str:
    """The text of `payload`, at most `most` bytes; raises `BadPayload`, and tells nothing of what it held."""
    nonce, hidden, mac = _parts(payload, min(most, MOST_U16))
    chacha_key, chacha_nonce, mac_key = message_keys(key, nonce)
    if not hmac.compare_digest(hmac.digest(mac_key, nonce + hidden, "sha256"), mac):
        raise BadPayload("mac")
    padded = _chacha20(chacha_key, chacha_nonce, hidden)
    length = int.from_bytes(padded[:2], "big")
    data, zeros = padded[2 : 2 + length], padded[2 + length :]
    if length == 0 or len(padded) != 2 + padded_length(length) or any(zeros):
        raise BadPayload("padding")
    if length > most:
        raise BadPayload("length")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadPayload("encoding") from None


def message_keys(key: bytes, nonce: bytes) -> tuple[bytes, bytes, bytes]:
    """ChaCha20's key (32 bytes) and nonce (12), and HMAC's key (32), of one message; raises `BadPayload`."""
    if len(key) != 32 or len(nonce) != _NONCE:
        raise BadPayload("key")
    keys = HKDFExpand(SHA256(), 76, nonce).derive(key)
    return keys[:32], keys[32:44], keys[44:]


def padded_length(length: int) -> int:
    """Bytes that a text of `length` bytes (at least 1) is padded to: eighths of the next power of two."""
    if length <= _LEAST_PADDED:
        return _LEAST_PADDED
    chunk = max(_LEAST_PADDED, (1 << (length - 1).bit_length()) // 8)
    return -(-length // chunk) * chunk


def payload_length(length: int) -> int:
    """Characters of the payload of a text of `length` bytes."""
    return -(-(1 + _NONCE + 2 + padded_length(length) + _MAC) // 3) * 4


def _parts(payload: str, most: int) -> tuple[bytes, bytes, bytes]:
    """Nonce, what is encrypted, and MAC; lengths are looked at before anything is decoded."""
    if payload.startswith("#"):
        raise BadPayload("version")
    if not _LEAST_PAYLOAD <= len(payload) <= payload_length(most):
        raise BadPayload("length")
    try:
        data = base64.b64decode(payload, validate=True)
    except ValueError:
        raise BadPayload("encoding") from None
    if data[:1] != _VERSION:
        raise BadPayload("version")
    if len(data) < 1 + _NONCE + 2 + _LEAST_PADDED + _MAC:
        raise BadPayload("length")
    return data[1 : 1 + _NONCE], data[1 + _NONCE : -_MAC], data[-_MAC:]


def _chacha20(key: bytes, nonce: bytes, data: bytes) -> bytes:
    # The 16 bytes are RFC 8439's block counter, little-endian, and then its nonce.
    return Cipher(ChaCha20(key, bytes(4) + nonce), mode=None).encryptor().update(data)
