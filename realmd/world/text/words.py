"""The word filter: words that an operator does not want to be read in the realm."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

#: A word: letters, digits and the marks that stand on or between them in the scripts that need them.
_WORD: Final = re.compile(
    r"(?:[^\W_]|[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0dff\u0e31-\u0e4e\u1000-\u109f])++"
)


class WordFilter:
    """Masks whole words with asterisks, whatever their case and however they are composed (NFKC)."""

    def __init__(self, words: Iterable[str]) -> None:
        self._blocked = frozenset(map(folded, words))

    def __call__(self, text: str) -> str:
        """`text` with each blocked word in it as so many asterisks."""
        return _WORD.sub(self._judged, text) if self._blocked else text

    def _judged(self, word: re.Match[str]) -> str:
        return "*" * len(word[0]) if folded(word[0]) in self._blocked else word[0]


def folded(word: str) -> str:
    """The form in which two words are compared."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())
