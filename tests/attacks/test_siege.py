"""Each attack on a real daemon, among its users: they are served, nothing is lost, the log tells of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..process.daemon import Daemon
from . import floods, forgeries, malformed, slow
from .siege import BEHIND_PROXIES, PROGRAM, Attack, besiege

#: Every attack there is, by its name.
ATTACKS = {
    name.lower(): attack
    for module in (floods, slow, malformed, forgeries)
    for name, attack in vars(module).items()
    if isinstance(attack, Attack)
}


@pytest.mark.parametrize("name", ATTACKS)
def test_the_others_hardly_notice(name: str, tmp_path: Path) -> None:
    """Others are answered, 99 of 100 within three ticks; nothing acknowledged is lost; memory is bounded."""
    attack = ATTACKS[name]
    daemon = Daemon(tmp_path, settings={**BEHIND_PROXIES, **attack.settings}, program=PROGRAM)
    try:
        besiege(daemon.ready(), attack)
    finally:
        daemon.kill()
