"""Keys and event ids as people see them: npub, nsec and note (NIP-19 over BIP-173)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal

Prefix = Literal["npub", "nsec", "note"]

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6
_HEX: Final = re.compile("[0-9a-fA-F]{64}")
#: 256 bits are 51 groups of five and one bit, which takes a 52nd.
_GROUPS = 52


class BadBech32(ValueError):
    """A text that is not the key or id it should be.  The text is not in the message: it may be an nsec."""


def encode(prefix: Prefix, data: bytes) -> str:
    """`data` (32 bytes) as `npub1…`, `nsec1…` or `note1…`."""
    if len(data) != 32:
        raise BadBech32(f"an {prefix} has 32 bytes")
    number = int.from_bytes(data, "big") << (_GROUPS * 5 - 256)
    groups = [number >> shift & 31 for shift in range((_GROUPS - 1) * 5, -1, -5)]
    rest = _polymod([*_expanded(prefix), *groups, *[0] * _CHECKSUM]) ^ 1
    checksum = [rest >> shift & 31 for shift in range((_CHECKSUM - 1) * 5, -1, -5)]
    return f"{prefix}1{''.join(_ALPHABET[group] for group in groups + checksum)}"


def decode(prefix: Prefix, text: str) -> bytes:
    """The 32 bytes of an `npub1…`, `nsec1…` or `note1…`, as asked for; raises `BadBech32`.

    All upper case is the same as all lower case, as BIP-173 wants it; a mixture is refused.
    """
    length = len(prefix) + 1 + _GROUPS + _CHECKSUM
    if len(text) != length or not text.isascii():
        raise BadBech32(f"an {prefix} has {length} letters and digits")
    if text not in (text.lower(), text.upper()):
        raise BadBech32(f"an {prefix} is written in one case")
    text = text.lower()
    if not text.startswith(f"{prefix}1"):
        raise BadBech32(f"an {prefix} begins with {prefix}1")
    values = [_VALUES.get(character, -1) for character in text[len(prefix) + 1 :]]
    if -1 in values:
        raise BadBech32(f"an {prefix} has no b, i, o or 1 after its first 1")
    if _polymod([*_expanded(prefix), *values]) != 1:
        raise BadBech32(f"this {prefix} has a typing error in it: the checksum is wrong")
    number = 0
    for value in values[:_GROUPS]:
        number = number << 5 | value
    spare = _GROUPS * 5 - 256
    if number & (1 << spare) - 1:
        raise BadBech32(f"this {prefix} is not written as it should be: a spare bit is set")
    return (number >> spare).to_bytes(32, "big")


def pubkey_of(text: str) -> str:
    """A pubkey in the one way that it is written here, 64 hex digits in lower case; raises `BadBech32`.

    `text` is hex or an npub, in any case, with blanks around it or not.
    """
    text = text.strip()
    return text.lower() if _HEX.fullmatch(text) else decode("npub", text).hex()


def _expanded(prefix: str) -> Iterator[int]:
    yield from (ord(character) >> 5 for character in prefix)
    yield 0
    yield from (ord(character) & 31 for character in prefix)


def _polymod(values: Iterable[int]) -> int:
    """The remainder of BIP-173's checksum over groups of five bits."""
    rest = 1
    for value in values:
        top = rest >> 25
        rest = (rest & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                rest ^= generator
    return rest
