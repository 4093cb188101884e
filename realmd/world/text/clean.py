"""What every text of others goes through before it is kept, in one place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ...primitives.shapes import MASK
from .leaks import DEPTH, is_announced, mask_leaks
from .visible import on_one_line, visible
from .words import WordFilter

#: How many characters beyond a limit are read before the cut: enough to know a secret that begins
#: before it, so that no first half is kept.
BEYOND: Final = 1024


class Cleaner:
    """Makes text visible, masks leaked secrets, then words that are blocked, then cuts."""

    def __init__(self, blocked: Iterable[str] = ()) -> None:
        self._filter = WordFilter(blocked)
        #: Something was masked since this was last set to False.
        self.masked = False

    def text(self, text: str, limit: int) -> str:
        """Text of several lines, at most `limit` characters."""
        return self._masked(visible(text[: limit + BEYOND]), limit)

    def line(self, text: str, limit: int) -> str:
        """A name or a title: one line, at most `limit` characters."""
        return self._masked(on_one_line(text[: limit + BEYOND]), limit).rstrip()

    def payload(self, value: Any, depth: int = 0) -> Any:
        """JSON, every string in it cleaned, and the values of fields that are called secrets.

        Numbers, true, false and null stay as they are; what is nested deeper than `DEPTH` is null.
        """
        if isinstance(value, str):
            return self.text(value, len(value))
        if depth > DEPTH:
            return None
        if isinstance(value, dict):
            return self._fields(value, depth)
        if isinstance(value, list | tuple):
            return [self.payload(item, depth + 1) for item in value]
        return value

    def _masked(self, text: str, limit: int) -> str:
        kept = self._filter(mask_leaks(text))[:limit]
        self.masked |= kept != text[:limit]
        return kept

    def _fields(self, fields: dict[str, Any], depth: int) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for name, value in fields.items():
            hidden = isinstance(value, str) and is_announced(visible(name), visible(value))
            self.masked |= hidden
            name = self.text(name, len(name))
            while name in cleaned:  # two names that were told apart by what is masked now
                name += "*"
            cleaned[name] = MASK if hidden else self.payload(value, depth + 1)
        return cleaned
