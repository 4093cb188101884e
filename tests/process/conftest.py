"""Daemons that are gone after each test, and whose logs are looked through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .daemon import Daemon

Start = Callable[..., Daemon]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a daemon in the test's own folder and wait until it is ready (`wait=False`: do not)."""
    started: list[Daemon] = []

    def start(*options: str, wait: bool = True, **more: Any) -> Daemon:
        daemon = Daemon(tmp_path, *options, **more)
        started.append(daemon)
        return daemon.ready() if wait else daemon

    yield start
    for daemon in started:
        daemon.kill()
    assert [fault for daemon in started for fault in daemon.faults()] == []
