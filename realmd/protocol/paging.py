"""Lists by the page: so many entries, so many bytes, and where the next page begins.

A cursor is opaque to clients: what an answer gives as `next` is sent back as `after`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Raw

from ..primitives.errors import Fault
from .encode import encode

#: Bytes of the entries in one answer; every entry there is has room in it.
LIST_BYTES: Final = 262_144
#: Entries in one answer, whatever `limit` asks for.
MOST: Final = 200
#: Cursors of the board, and of an inbox: a time (ms) and a seq.
POST: Final = re.compile("p([0-9]{1,19})")
MOMENT: Final = re.compile(r"([0-9]{1,19})\.([0-9]{1,19})")
NO_CURSOR: Final = "after: no cursor of this list; take what an answer gave as `next`"


def entries_of(limit: float) -> int:
    """How many entries a `limit` means."""
    return int(max(1, min(limit, MOST)))


def page(name: str, entries: Iterable[tuple[str, Any]], limit: float) -> dict[str, Any]:
    """The fields of an answer: the list called `name`, and `next` if there is more.

    `entries` are cursors and what they stand at, in order, from the page's first one on.
    """
    taken: list[Raw] = []
    room, last, most = LIST_BYTES, "", entries_of(limit)
    for cursor, entry in entries:
        body = encode(entry)
        room -= len(body) + 1
        if len(taken) == most or (room < 0 and taken):
            return {name: taken, "next": last}
        taken.append(Raw(body))
        last = cursor
    return {name: taken}


def fitting(bodies: Sequence[bytes], newest: bool = False) -> list[bytes]:
    """As many of the encoded entries as one answer holds: the first of them, or the `newest`, the last."""
    room, taken = LIST_BYTES, 0
    for body in reversed(bodies) if newest else bodies:
        room -= len(body) + 1
        if room < 0 and taken:
            break
        taken += 1
    return list(bodies[len(bodies) - taken :] if newest else bodies[:taken])


def numbers(cursor: str, form: re.Pattern[str]) -> list[int]:
    """The numbers in a cursor of this form; raises `Fault`."""
    found = form.fullmatch(cursor)
    if found is None:
        raise Fault(NO_CURSOR)
    return [min(int(number), 2**63 - 1) for number in found.groups()]
