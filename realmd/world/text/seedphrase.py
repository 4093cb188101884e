"""Seed phrases (BIP-39): the words from which a wallet's keys are made.

Only runs of 12, 15, 18, 21 or 24 words of the English list whose checksum holds are seed phrases.
Sentences are none: the list has no "the", "and", "is" or "of".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from mnemonic import Mnemonic

from ...primitives.shapes import MASK

LENGTHS: Final = (24, 21, 18, 15, 12)
_MASKS: Final = tuple((length, (1 << 11 * length) - 1) for length in LENGTHS)
_ALL: Final = _MASKS[0][1]
_INDEX: Final = {word: index for index, word in enumerate(Mnemonic("english").wordlist)}
#: The shortest word of the list has 3 letters, the longest 8.
_WORD: Final = re.compile(r"[A-Za-z]++")
#: What may stand between two words of one phrase: blanks, commas, quotes, the numbers of a list.
_GAP: Final = re.compile(r"""[\s,;|"'\[\]\-.:)(0-9]{1,12}""")


def mask_phrases(text: str) -> str:
    """`text` with every seed phrase replaced by `MASK`.

    Each word ends at most five phrases, so the work grows with the length of `text` alone.
    """
    kept, at = [], 0
    for run in _runs(text):
        for start, end in _phrases([_INDEX[word[0].lower()] for word in run]):
            kept += [text[at : run[start].start()], MASK]
            at = run[end - 1].end()
    return "".join([*kept, text[at:]]) if kept else text


def _runs(text: str) -> Iterator[list[re.Match[str]]]:
    """The longest rows of words of the list, none shorter than a phrase."""
    run: list[re.Match[str]] = []
    for word in _WORD.finditer(text):
        if run and not _GAP.fullmatch(text, run[-1].end(), word.start()):
            if len(run) >= LENGTHS[-1]:
                yield run
            run = []
        if word[0].lower() in _INDEX:
            run.append(word)
        else:
            if len(run) >= LENGTHS[-1]:
                yield run
            run = []
    if len(run) >= LENGTHS[-1]:
        yield run


def _phrases(indices: list[int]) -> list[tuple[int, int]]:
    """(start, end) of all that belongs to a phrase; those that overlap are taken together."""
    found: list[tuple[int, int]] = []
    last = 0  # the indices of the newest 24 words, 11 bits each
    for end, index in enumerate(indices, 1):
        last = (last << 11 | index) & _ALL
        length = next((n for n, mask in _MASKS if n <= end and _holds(last & mask, n)), 0)
        if length:
            start = end - length
            while found and found[-1][1] > start:
                start = min(start, found.pop()[0])
            found.append((start, end))
    return found


def _holds(bits: int, words: int) -> bool:
    """Whether the checksum at the end of a phrase is that of the entropy before it."""
    checked = words // 3
    digest = sha256((bits >> checked).to_bytes(checked * 4, "big")).digest()
    return digest[0] >> (8 - checked) == bits & ((1 << checked) - 1)
