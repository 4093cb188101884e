"""How text looks on a terminal: its colours, where it takes them, and its width."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import Final

#: What a state looks like (ECMA-48, select graphic rendition).
COLOURS: Final = {"ok": "32", "degraded": "33", "warning": "33", "failed": "31", "wrong": "31"}
#: Lines that go to no terminal are as long as they are; and what wraps at all.
WIDTH: Final = 10_000
NARROWEST: Final = 40

#: (text, state) → text in the colour of the state, or as it was.
Paint = Callable[[str, str], str]


def plainly(text: str, state: str) -> str:
    """No colours."""
    return text


def colourful(text: str, state: str) -> str:
    """In the colour of `state`, if it has one."""
    return f"\x1b[{COLOURS[state]}m{text}\x1b[0m" if state in COLOURS else text


def paint() -> Paint:
    """Colours if standard output is a terminal that takes them, and nobody said no (no-color.org)."""
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return colourful if wanted else plainly


def width() -> int:
    """Columns that a line may have."""
    return max(NARROWEST, shutil.get_terminal_size((WIDTH, 24)).columns) if sys.stdout.isatty() else WIDTH


def wrapped(lines: Iterable[str], columns: int, indent: int) -> list[str]:
    """`lines`, those that are too long broken at words, each rest below the `indent`th column.

    Before colours are added: they have no width.
    """
    found: list[str] = []
    for line in lines:
        if len(line) <= columns:
            found.append(line)
        else:
            found += textwrap.wrap(
                line, columns, subsequent_indent=" " * indent, drop_whitespace=True,
                break_long_words=False, break_on_hyphens=False, replace_whitespace=False,
            )  # fmt: skip
    return found
