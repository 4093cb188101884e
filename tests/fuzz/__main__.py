"""Fuzz a daemon for as long as one likes.

python -m tests.fuzz --seconds 3600 --seed 7
python -m tests.fuzz --seed 7 --first 1200 --last 1223      # these cases only
python -m tests.fuzz --seed 7 --show 1207                   # what that one sends
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from ..attacks.siege import MIB
from .cases import make
from .run import fuzz


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the doors of a daemon.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default %(default)s)")
    parser.add_argument("--seed", type=int, help="of the cases; by default a new one, which is printed")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--last", type=int, help="number of the last case")
    parser.add_argument(
        "--show", type=int, metavar="NUMBER", help="print what this case sends, and send nothing"
    )
    given = parser.parse_args()
    seed = secrets.randbelow(10**9) if given.seed is None else given.seed
    if given.show is not None:
        print(make(seed, given.show))
        return 0
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = fuzz(Path(folder), given.seconds, seed, given.first, given.last)
        except AssertionError as error:
            print(f"failed with seed {seed}: {error}")
            return 1
    print(
        f"{report.cases} cases {report.doors}, {report.growth / MIB:.0f} MiB more, "
        f"{report.promised} promises kept"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
