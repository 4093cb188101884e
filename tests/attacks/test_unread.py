"""Nobody can have the realm hold more for him than it has room for."""

from __future__ import annotations

from pathlib import Path

from ..process.daemon import Daemon
from . import unread
from .siege import BEHIND_PROXIES, PROGRAM, besiege


def test_unread_answers(tmp_path: Path) -> None:
    """Hundreds who ask for all there is and take nothing cost little memory, and nobody else a refusal."""
    with unread.confined(unread.LIMIT) as prefix:
        daemon = Daemon(
            tmp_path, settings={**BEHIND_PROXIES, **unread.UNREAD.settings}, program=(*prefix, *PROGRAM)
        )
        try:
            besiege(daemon.ready(), unread.UNREAD, seconds=unread.SECONDS)
        finally:
            daemon.kill()
    assert daemon.faults() == []
