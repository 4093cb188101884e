"""What `realmctl doctor` found out: well, worth a look, or wrong, and what to type."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .look import Paint, wrapped

State = Literal["ok", "warning", "wrong"]
#: Columns before what is said.
INDENT = 16
MARKS = {"ok": "✓", "warning": "!", "wrong": "✗"}


class Finding(Struct, frozen=True):
    """One thing looked at; `do` is what to type, or to change, if it is not well."""

    what: str
    state: State
    text: str
    do: str = ""

    def lines(self, columns: int, paint: Paint) -> str:
        """As people read it, in so many columns."""
        head, *rest = wrapped([f"{MARKS[self.state]} {self.what:<13} {self.text}"], columns, INDENT)
        if self.do and self.state != "ok":
            rest += [f"{' ' * INDENT}{line}" for line in wrapped([self.do], columns - INDENT, 0)]
        return "\n".join([paint(head[0], self.state) + head[1:], *rest])


def judged(what: str, well: bool, good: str, bad: str, do: str, state: State = "wrong") -> Finding:
    """`good` if it is well, else `bad` and what to do."""
    return Finding(what, "ok", good) if well else Finding(what, state, bad, do)
