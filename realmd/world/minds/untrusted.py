"""Words of others, as minds get them: to be matched and quoted, never to be obeyed or slipped in."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from msgspec import Struct

from ..text.ink import ENDS
from ..text.visible import has_ink

#: How much of a name is repeated (characters).
NAME: Final = 20
#: What ends a sentence or leads into another: a name has none of it.
_ENDS: Final = re.compile(rf"[{ENDS}:;\u2025\u2026\uff1a\uff1b]")
#: So that nothing in a quotation can end it: double quotation marks of all kinds.
_QUOTES: Final = str.maketrans(
    dict.fromkeys(
        '"\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u275d\u275e\u301d\u301e\u301f\uff02', "'"
    )
)


class Untrusted(Struct, frozen=True):
    """A text that somebody else wrote.

    `raw` is for matching.  Into a sentence of its own a mind takes `quoted`; filled into a template
    or made a str as it is, it raises.
    """

    raw: str

    def quoted(self, limit: int) -> str:
        """The text made safe to repeat (see `plain`)."""
        return plain(self.raw, limit)

    def named(self, otherwise: str) -> str:
        """The text as somebody's name, for a sentence: in quotation marks, cut, and no sentence itself.

        `otherwise` is said of whoever has no name left.
        """
        name = plain(_ENDS.sub(" ", self.raw), NAME)
        return f'"{name}"' if has_ink(name) else otherwise

    def __str__(self) -> NoReturn:
        raise TypeError("words of others are quoted, not said as they are")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("words of others are quoted, not filled in as they are")


def plain(text: str, limit: int) -> str:
    """`text` printable, on one line, without quotation marks, at most `limit` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text.translate(_QUOTES)).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
