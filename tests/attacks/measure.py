"""`python -m tests.attacks.measure [rounds]`: what each attack costs the others, for docs/security.rst."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from ..process.daemon import Daemon
from .siege import BEHIND_PROXIES, MIB, PROGRAM, Attack, Figures, besiege
from .test_siege import ATTACKS


def measured(attack: Attack) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder), settings={**BEHIND_PROXIES, **attack.settings}, program=PROGRAM)
        try:
            return besiege(daemon.ready(), attack)
        finally:
            daemon.kill()


def main(rounds: int) -> None:
    """Medians of `rounds` runs: p99 calm, under attack, worst (ms); memory (MiB), lines of the log."""
    for name, attack in ATTACKS.items():
        runs = [measured(attack) for _ in range(rounds)]

        def middle(field: str, unit: float, runs: list[Figures] = runs) -> str:
            return f"{statistics.median(getattr(run, field) for run in runs) * unit:.0f}"

        row = [middle("calm", 1000), middle("p99", 1000), middle("worst", 1000)]
        print(name, *row, middle("growth", 1 / MIB), middle("lines", 1), sep="\t", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
