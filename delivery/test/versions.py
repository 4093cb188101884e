"""The versions that are built: today's, and two to come, whose schema goes beyond today's.

The next one's schema may still be opened by today's code; that of the one after it may not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

SCHEMA: Final = Path("realmd/storage/schema")
#: Those to come: version, and how many schema files each has more than today's.
COMING: Final = {"next": ("3.0.1", 1), "later": ("3.1.0", 2)}


@contextmanager
def overlay(source: Path, more: int) -> Iterator[Path]:
    """A folder with so many schema files more than `source` has, the second not for older code."""
    newest = max((source / SCHEMA).glob("*.sql"))
    today = int(newest.name[:4])
    compatible = re.search(r"-- compatible: (\d+)", newest.read_text("utf-8"))
    assert compatible
    with TemporaryDirectory() as folder:
        (Path(folder) / SCHEMA).mkdir(parents=True)
        for version, oldest in ((today + 1, compatible[1]), (today + 2, today + 2))[:more]:
            file = Path(folder) / SCHEMA / f"{version:04}_later.sql"
            file.write_text(
                f"-- version: {version}\n-- compatible: {oldest}\n"
                f"CREATE TABLE later_{version} (id TEXT PRIMARY KEY NOT NULL);\n"
            )
        yield Path(folder)
