"""A realm under each attack."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ..process.daemon import Daemon
from .siege import BEHIND_PROXIES, PROGRAM, Attack, besiege

Withstands = Callable[[Attack], None]


@pytest.fixture
def withstands(tmp_path: Path, request: pytest.FixtureRequest) -> Withstands:
    """Besiege a realm of the test's own; see `besiege` for what must hold."""

    def withstands(attack: Attack) -> None:
        assert request.node.name == f"test_{attack.name}", "the table of attacks goes by the names of tests"
        daemon = Daemon(tmp_path, settings={**BEHIND_PROXIES, **attack.settings}, program=PROGRAM)
        try:
            besiege(daemon.ready(), attack)
        finally:
            daemon.kill()
        assert daemon.faults() == []

    return withstands
