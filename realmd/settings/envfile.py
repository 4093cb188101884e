"""Read a `.env` file: NAME=VALUE lines, as Node's dotenv and shells write them.

Taken: `export ` before the name, blank lines, comments (`#` after white space), values in
single quotes or backquotes (as they are) or double quotes (with \\n, \\t, \\", \\\\), quoted
values over several lines, CRLF and a byte-order mark.  `$NAME` stands for itself.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ENTRY = re.compile(
    r"""
    [ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*
    (?: '(?P<single>[^']*)'
      | `(?P<back>[^`]*)`
      | "(?P<double>(?:[^"\\]|\\.)*)"
      | (?P<bare>(?!['"`])[^\n]*?)
    )
    [ \t]*(?:(?<=[ \t])\#[^\n]*)?(?:\n|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANK = re.compile(r"[ \t]*(?:\#[^\n]*)?(?:\n|\Z)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "`": "`"}


class Entry(NamedTuple):
    """A value and the line (from 1) its name is on."""

    value: str
    line: int


def parse(text: str) -> tuple[dict[str, Entry], list[int]]:
    """The entries by name (the last of a name wins), and the numbers of lines that are none.

    Nothing of a malformed line is given back: it may hold a secret.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    entries: dict[str, Entry] = {}
    malformed: list[int] = []
    at, line = 0, 1
    while at < len(text):
        if match := _BLANK.match(text, at):
            end = match.end()
        elif match := _ENTRY.match(text, at):
            end = match.end()
            entries[match["name"]] = Entry(_value(match), line)
        else:
            malformed.append(line)
            end = text.find("\n", at) + 1 or len(text)
        line += text.count("\n", at, end)
        at = end
    return entries, malformed


def _value(match: re.Match[str]) -> str:
    if match["double"] is not None:
        return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[0]), match["double"])
    return next(match[kind] for kind in ("single", "back", "bare") if match[kind] is not None)
