"""What must never be shown: secrets, told by the name they go under or by their shape."""

from __future__ import annotations

import re

from .shapes import MASK, mask_shapes

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SECRET = re.compile(
    r"tokens?|secrets?|(api|priv|private)?keys?|nsec|passwords?|passwd|pwd|passphrase"
    r"|authorization|cookies?|credentials?|webhooks?|dsn"
)
_PUBLIC = frozenset(("pub", "public"))
#: `name=value` and `name: value` in running text; narrower than `_SECRET`, for "key=" is in every log.
_NAMED = re.compile(
    r"""(?ix) (?P<name> (?: token | secret | passwd | password | passphrase | api[_-]?key | private[_-]?key )
        [\w-]* ["']? \s*[=:]\s* )
        (?: b?"[^"\n]*" | b?'[^'\n]*' | [^\s,;&)\]}"']+ )"""
)
#: Headers: a value of theirs has spaces and semicolons, so all to the end of the line goes.
_HEADER = re.compile(r"""(?i)((?:authorization|cookie)["']?\s*[=:]\s*)[^\n]+""")
_BEARER = re.compile(r"(?i)\b(bearer)\s+[A-Za-z0-9._~+/=-]{8,}")
_USER_INFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{1,15}://)[^\s/@\"']+@")


def is_secret(name: str) -> bool:
    """Whether what goes under `name` (snake_case, camelCase, kebab-case) is a secret."""
    words = {word.lower() for word in _WORD.findall(name)}
    return any(map(_SECRET.fullmatch, words)) and not words & _PUBLIC


def scrub(text: str) -> str:
    """`text` with what looks like a secret masked: named values, passwords in URLs, known shapes."""
    text = _HEADER.sub(lambda found: found[1] + MASK, text)
    text = _NAMED.sub(lambda found: found["name"] + MASK, text)
    text = _BEARER.sub(lambda found: f"{found[1]} {MASK}", text)
    text = _USER_INFO.sub(lambda found: f"{found['scheme']}{MASK}@", text)
    return mask_shapes(text)


__all__ = ["MASK", "is_secret", "scrub"]
