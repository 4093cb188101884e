"""Words of others, as minds get them: to be matched and quoted, never to be obeyed or slipped in."""

from __future__ import annotations

from typing import NoReturn

from msgspec import Struct

#: So that nothing in a quotation can end it.
_QUOTES = str.maketrans({'"': "'", "\u201c": "'", "\u201d": "'", "\u201e": "'", "\u00ab": "'", "\u00bb": "'"})


class Untrusted(Struct, frozen=True):
    """A text that somebody else wrote.

    `raw` is for matching.  Into a sentence of its own a mind takes `quoted`; filled into a template
    or made a str as it is, it raises.
    """

    raw: str

    def quoted(self, limit: int) -> str:
        """The text made safe to repeat (see `plain`)."""
        return plain(self.raw, limit)

    def __str__(self) -> NoReturn:
        raise TypeError("words of others are quoted, not said as they are")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("words of others are quoted, not filled in as they are")


def plain(text: str, limit: int) -> str:
    """`text` printable, on one line, without quotation marks, at most `limit` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text.translate(_QUOTES)).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
