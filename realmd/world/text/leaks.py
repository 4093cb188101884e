"""Secrets that somebody says by mistake, masked before anybody is told.

Told by their shape (`shapes`), by their words (`seedphrase`), or because they are announced: "my
private key is …", "password: …", "Authorization: Bearer …".  Public things stay: npub and note ids,
hashes, UUIDs, addresses of pages; and so does talk of keys and passwords that shows none.
"""

from __future__ import annotations

import re
from typing import Final

from ...primitives.shapes import MASK, mask_shapes
from .seedphrase import mask_phrases

#: Payloads nest no deeper than the protocol lets them; what would is dropped.
DEPTH: Final = 64

_KEY: Final = (
    r"(?>(?:priv(?:ate)?|secret|seckey|signing|api|access|auth|bot|client|deploy|encryption|master|refresh|session)"
    r"[ _-]?+(?:key|token|secret)|seckey|privkey|secret|token)"
)
_PASSWORD: Final = r"(?>password|passwd|passphrase|pass[ _-]?+code)"
#: What goes between the name of a secret and the secret: "is", "=", ":", a remark, a quote.
_IS: Final = (
    r"""["'`]?+(?>[ ]?+\((?:in )?+(?:hex|base64|nsec)\)|[ ]hex)?+"""
    r"""\s{0,4}+(?>=>|[:=]|\bis\b:?+)\s{0,4}+["'`]?+"""
)
#: A value of a key: long, of letters and digits; not what says of itself that it is public (a token's
#: contract, say).
_VALUE: Final = (
    r"(?!npub1|note1|nevent1|nprofile1|naddr1|did:|0x[0-9a-f]{40}\b)"
    r"(?=[A-Za-z0-9_+/.~-]{0,64}[0-9])(?=[A-Za-z0-9_+/.~-]{0,64}[A-Za-z])[A-Za-z0-9_+/.~-]{16,}+=*+(?!:/)"
)
_PASS_VALUE: Final = (
    r"""(?=[^\s"'`<>]{0,32}[0-9])(?=[^\s"'`<>]{0,32}[A-Za-z])"""
    r"""(?>[^\s"'`<>,;]|[,;](?!\s|\Z)){6,}+"""
)
_ANNOUNCED: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        rf"(?<![A-Za-z0-9])(?P<name>{_KEY}{_IS}){_VALUE}",
        rf"(?<![A-Za-z0-9])(?P<name>{_PASSWORD}[\"'`]?+\s{{0,4}}+[:=]\s{{0,4}}+[\"'`]?+){_PASS_VALUE}",
        r"(?P<name>\bauthorization[\"']?+\s{0,4}+[:=]\s{0,4}+[\"']?+(?>basic|bearer|token)\s{1,4}+)[\w.~+/=-]{8,}+",
        r"(?P<name>\bbearer\s{1,4}+)(?=[\w.~+/=-]{0,64}[0-9])[\w.~+/=-]{20,}+",
        r"(?P<name>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,15}+://[^\s/@:\"']{0,64}+:)[^\s/@\"']{1,256}+(?=@)",
    )
)
_HINTS: Final = re.compile(r"key|secret|token|pass|bearer|authorization|priv|://", re.IGNORECASE)
_KEY_NAME: Final = re.compile(rf"(?:\w{{0,24}}[_-])?{_KEY}", re.IGNORECASE | re.ASCII)
_PASSWORD_NAME: Final = re.compile(rf"(?:\w{{0,24}}[_-])?{_PASSWORD}", re.IGNORECASE | re.ASCII)
_KEY_SHAPE: Final = re.compile(_VALUE, re.IGNORECASE | re.ASCII)


def mask_leaks(text: str) -> str:
    """`text` with what looks like a secret in it replaced by `MASK`; the work is linear in its length."""
    text = mask_shapes(text)
    if _HINTS.search(text):
        for pattern in _ANNOUNCED:
            text = pattern.sub(rf"\g<name>{MASK}", text)
    return mask_phrases(text)


def is_announced(name: str, value: str) -> bool:
    """Whether a field of JSON called `name` gives `value` away as a secret."""
    if _PASSWORD_NAME.fullmatch(name):
        return bool(value)
    return bool(_KEY_NAME.fullmatch(name) and _KEY_SHAPE.fullmatch(value))
