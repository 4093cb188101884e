"""What each attack costs, at full strength, for the table in docs/security.rst.

    python -m tests.attacks.measure [--rounds N] [--seconds N] [--write] [name...]

`--write` puts the medians into the table's rows.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from pathlib import Path
from typing import Final

from ..process.daemon import Daemon
from . import browsers, claims, floods, forgeries, keys, malformed, posing, slow, strangers, unread
from .siege import BEHIND_PROXIES, MIB, PROGRAM, ROOT, Attack, Figures, besiege

DOCUMENT: Final = ROOT / "docs" / "security.rst"
MODULES: Final = (strangers, posing, forgeries, keys, browsers, claims, slow, unread, floods, malformed)
ATTACKS: Final = {
    attack.name: attack
    for module in MODULES
    for attack in vars(module).values()
    if isinstance(attack, Attack)
}


def measured(attack: Attack, seconds: float) -> Figures:
    """One siege of a realm with default settings, but for what the attack is about."""
    own = {} if attack.settings in (slow.BRIEF, slow.FEW_PLACES) else attack.settings
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), settings={**BEHIND_PROXIES, **own}, program=PROGRAM)
        try:
            return besiege(daemon.ready(), attack, full=True, seconds=seconds)
        finally:
            daemon.kill()


def row(runs: list[Figures]) -> list[str]:
    """The medians: p99 of the others (ms), memory (MiB), lines in the log."""

    def middle(field: str) -> float:
        return statistics.median(getattr(run, field) for run in runs)

    return [f"{middle('p99') * 1000:.0f}", f"{middle('growth') / MIB:.0f}", f"{middle('lines'):.0f}"]


def write(name: str, cells: list[str]) -> None:
    """Put the cells under the test's name."""
    text = DOCUMENT.read_text("utf-8")
    place = re.compile(rf"(     - ``test_{name}``\n)(     - [^\n]*\n){{3}}")
    assert len(place.findall(text)) == 1, name
    DOCUMENT.write_text(
        place.sub(lambda found: found[1] + "".join(f"     - {cell}\n" for cell in cells), text), "utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", default=[*ATTACKS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.names:
        runs = [measured(ATTACKS[name], arguments.seconds) for _ in range(arguments.rounds)]
        for run in runs:
            print(f"  {name} {run}", flush=True)
        print(f"{name}: {', '.join(row(runs))}", flush=True)
        if arguments.write:
            write(name, row(runs))


if __name__ == "__main__":
    main()
