"""Characters that one does not see, and that change what one sees, taken out of text.

Control characters, bidirectional overrides and isolates (the "Trojan Source" ones), zero-width
characters, fillers, private use, tags and variation selectors that carry hidden bytes: what `ink`
has as ignored.  What is needed to write a language or an emoji stays: joiners between letters that
join or between emoji, the presentation of an emoji, three flags, and direction marks in text that
has letters written from right to left.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from .ink import IGNORED, MARKS, SPACES, UNASSIGNED

_BREAK: Final = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_FLAG: Final = "\U0001f3f4"
_FLAGS: Final = tuple(
    "".join(chr(0xE0000 + ord(c)) for c in region) + "\U000e007f" for region in ("gbeng", "gbsct", "gbwls")
)
#: A flag's tags are taken as one, anything else character by character.
_SUSPECT: Final = re.compile(rf"(?<={_FLAG})(?:{'|'.join(_FLAGS)})|[{IGNORED}]")
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_PRESENTATION: Final = "\ufe0e\ufe0f"
_DIRECTION: Final = re.compile("[\u061c\u200e\u200f]")
#: Of the Arabic, Indic, Myanmar, Khmer and Mongolian scripts: where joiners change the spelling.
_JOINING: Final = re.compile(r"[\u0600-\u0dff\u1000-\u109f\u1780-\u18af\ua840-\ua8ff\uabc0-\uabff]")
_RIGHT_TO_LEFT: Final = re.compile(
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_KEYCAPS: Final = frozenset("0123456789#*")
_PUNCTUATION_EMOJI: Final = frozenset("\u203c\u2049\u3030\u303d")
_BLANKS: Final = re.compile(rf"[{SPACES}]++")
#: Accents and vowel signs with no letter under them, and what joins them.
_STRAY: Final = re.compile(rf"(?:\A|(?<=[{SPACES}{UNASSIGNED}]))[{MARKS}\u200c\u200d\ufe0e\ufe0f]++")
#: What one sees by itself; what stands only beside something else is none of it.
_INK: Final = re.compile(rf"[^{IGNORED}{SPACES}{UNASSIGNED}{MARKS}]")


def visible(text: str) -> str:
    """`text` with what is not seen taken out; line breaks of all kinds become line feeds.

    Looks at each character and its two neighbours once; the result is never longer than `text`,
    and doing it twice changes nothing more.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _BREAK.sub("\n", text)
    if not _SUSPECT.search(text):
        return text
    if not _RIGHT_TO_LEFT.search(text):
        text = _DIRECTION.sub("", text)
    return _SUSPECT.sub(_judged, text)


def on_one_line(text: str) -> str:
    """`text` made visible, every run of blanks one space, none at its ends, no mark on nothing."""
    return _BLANKS.sub(" ", _STRAY.sub("", visible(text))).strip(" ")


def has_ink(text: str) -> bool:
    """Whether there is anything to be seen in `text`: not blanks only, nor marks on nothing."""
    return _INK.search(text) is not None


def _judged(found: re.Match[str]) -> str:
    """What remains of one invisible character, judged by its neighbours."""
    mark, text, start = found[0], found.string, found.start()
    before, after = text[max(0, start - 2) : start], text[found.end() : found.end() + 1]
    if mark in _PRESENTATION:
        return mark if _is_emoji(before[-1:]) or before[-1:] in _KEYCAPS else ""
    if mark in (_JOINER, _NON_JOINER):
        if _JOINING.match(before[-1:]) and _JOINING.match(after):
            return mark
        return mark if mark == _JOINER and _ends_in_emoji(before) and _is_emoji(after) else ""
    return mark if len(mark) > 1 or _DIRECTION.match(mark) else ""


def _ends_in_emoji(text: str) -> bool:
    return _is_emoji(text[-1:]) or (text[-1:] in _PRESENTATION and _is_emoji(text[:1]) and len(text) > 1)


def _is_emoji(character: str) -> bool:
    """Whether this may be part of an emoji: a symbol, or of the planes where emoji are still added."""
    if not character:
        return False
    if "\U0001f000" <= character <= "\U0001faff":
        return True
    return character in _PUNCTUATION_EMOJI or (
        character >= "\xa9" and unicodedata.category(character) in ("So", "Sm") and has_ink(character)
    )
