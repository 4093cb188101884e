"""Tables for a terminal: columns as wide as they must be, and no text that could steer the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from ..primitives.amounts import span

#: What one may type after --for.
DURATION: Final = re.compile(r"([0-9]{1,6})([smhdw])")
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
#: The widest that one cell may be.
CELL: Final = 72


def plain(text: object) -> str:
    """`text` without what is not printed as it stands."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def columns(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The rows below their head, one a line."""
    cells = [list(head), *([_cut(plain(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def seconds(text: str) -> int:
    """A duration like 30m, 2h or 7d in seconds; ValueError if it is none."""
    match = DURATION.fullmatch(text)
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r} is no duration: 90s, 30m, 2h, 7d, 4w")
    return int(match[1]) * UNITS[match[2]]


def moment(stamp: int) -> str:
    """A time (ms since the epoch) in UTC; "never" for 0."""
    return f"{datetime.fromtimestamp(stamp / 1000, UTC):%Y-%m-%d %H:%MZ}" if stamp else "never"


def ago(stamp: int, now: float) -> str:
    """How long a time (ms since the epoch) is ago at `now` (s)."""
    return span(max(0.0, now - stamp / 1000))


def _cut(cell: str) -> str:
    return cell if len(cell) <= CELL else f"{cell[: CELL - 1]}…"
