"""A table, and its three ways to paper: aligned text, reStructuredText, HTML."""

from __future__ import annotations

from html import escape
from typing import Final

from msgspec import Struct

#: Between these lines of a document stands what was measured.
BEGIN: Final = ".. measured: begin\n"
END: Final = ".. measured: end\n"

#: The texts of one row.
Cells = tuple[str, ...]


class Table(Struct, frozen=True):
    """A title, column heads, rows of text, and a note below."""

    title: str
    heads: Cells
    rows: list[Cells]
    note: str = ""


def text(table: Table) -> str:
    """For a terminal."""
    lines = [table.heads, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.heads))]
    drawn = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    drawn.insert(1, "  ".join("-" * width for width in widths))
    note = ["", table.note] if table.note else []
    return "\n".join([table.title, "", *(line.rstrip() for line in drawn), *note])


def rst(table: Table) -> str:
    """A section of a reStructuredText document."""
    lines = [table.title, "-" * len(table.title), "", ".. list-table::", "   :header-rows: 1", ""]
    for row in (table.heads, *table.rows):
        for column, cell in enumerate(row):
            lines.append(f"   {'*' if column == 0 else ' '} - {cell}".rstrip())
    return "\n".join([*lines, *(["", table.note] if table.note else []), ""])


def html(table: Table) -> str:
    """A section of a page."""
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in table.rows)
    note = f"<p class=note>{escape(table.note)}</p>" if table.note else ""
    return (
        f"<section><h2>{escape(table.title)}</h2><div class=scroll><table><thead><tr>{heads}</tr></thead>"
        f"<tbody>\n{rows}</tbody></table></div>{note}</section>\n"
    )


def between(document: str, tables: str) -> str:
    """The document with `tables` in place of what stood between its marks; without marks, at its end."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        before, after = document, ""
    return f"{before}{BEGIN}\n{tables.rstrip()}\n\n{END}{after}"
