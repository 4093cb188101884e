"""Reads docs/runbook.rst: what its pages tell to type, and to see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

TEXT: Final = (Path(__file__).parents[1] / "docs/runbook.rst").read_text("utf-8")
_BLOCK: Final = re.compile(r"^\.\. code-block:: console\n((?:   :.*\n)*)\n((?:   .*\n|\n)+)", re.MULTILINE)


class Step(NamedTuple):
    """A command, what it must show (`…` for anything), and the class of its block ("" or what it needs)."""

    command: str
    shows: str
    needs: str

    def seen(self, shown: str) -> bool:
        """Whether that is what it should show, spaces and line ends apart."""
        pattern = ".*".join(map(re.escape, self.shows.split("…")))
        return re.fullmatch(pattern, " ".join(shown.split()), re.DOTALL) is not None


def pages() -> dict[str, list[Step]]:
    """Title → the steps of that page, in order; "" has those before the first."""
    parts = re.split(r"^(.+)\n=+\n", TEXT, flags=re.MULTILINE)[2:]
    titles = ["", *parts[1::2]]
    return {title: steps(body) for title, body in zip(titles, parts[0::2], strict=True)}


def steps(body: str) -> list[Step]:
    """The commands in the console blocks of `body`."""
    found = []
    for options, lines in _BLOCK.findall(body):
        needs = re.search(r":class: (\w+)", options)
        for part in re.split(r"^   \$ ", lines, flags=re.MULTILINE)[1:]:
            command, _, shows = part.partition("\n")
            found.append(Step(command, " ".join(shows.split()), needs[1] if needs else ""))
    return found
