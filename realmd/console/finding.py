"""What `realmctl doctor` found out: well, worth a look, or wrong, and what to type."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

State = Literal["ok", "warning", "wrong"]
MARKS = {"ok": "✓", "warning": "!", "wrong": "✗"}


class Finding(Struct, frozen=True):
    """One thing looked at; `do` is what to type, or to change, if it is not well."""

    what: str
    state: State
    text: str
    do: str = ""

    def lines(self) -> str:
        """As people read it."""
        line = f"{MARKS[self.state]} {self.what:<13} {self.text}"
        return f"{line}\n    {self.do}" if self.do and self.state != "ok" else line


def judged(what: str, well: bool, good: str, bad: str, do: str, state: State = "wrong") -> Finding:
    """`good` if it is well, else `bad` and what to do."""
    return Finding(what, "ok", good) if well else Finding(what, state, bad, do)
