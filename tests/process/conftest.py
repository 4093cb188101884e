"""Daemons that are gone after each test, and whose logs are looked through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .daemon import Daemon
from .disk import may_mount

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


@pytest.fixture
def mountable(tmp_path: Path) -> bool:
    """Whether the test may mount file systems; where it may not, it makes do with less."""
    place = tmp_path / "try"
    place.mkdir()
    return may_mount(place)
