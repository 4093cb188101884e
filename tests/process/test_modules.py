"""What a daemon loads: memory is for the realm, not for what nobody has switched on."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from typing import Final

import pytest

from .conftest import Start
from .daemon import TWISTD

#: Modules that say on standard error what they import.
TELLING: Final = (sys.executable, "-X", "importtime", *TWISTD)
NEVER: Final = {
    "realmd.backup.make", "realmd.backup.restore", "realmd.backup.importing", "realmd.bench",
    "realmd.console", "realmd.ctl", "realmd.nostr.rebuild", "realmd.console.setup", "autobahn.asyncio",
    "twisted.spread", "twisted.web.server", "twisted.web.template",
}  # fmt: skip
#: Each with the settings that ask for it.
IF_ASKED: Final = {
    "realmd.gateway.feed": {"REALMD_BOARD_UPSTREAM": "http://127.0.0.1:9/feed"},
    "realmd.nostr.relay.client": {"REALMD_ROOM_RELAYS": "ws://127.0.0.1:9"},
    "realmd.ops.post": {"REALMD_ALERTS_WEBHOOK": "http://127.0.0.1:9/"},
    "realmd.ops.sentry": {"REALMD_ALERTS_SENTRY_DSN": "http://key@127.0.0.1:9/1"},
    "twisted.web.client": {"REALMD_ALERTS_WEBHOOK": "http://127.0.0.1:9/"},
}


def loaded(start: Start, **settings: str) -> set[str]:
    """The modules that a daemon with these settings has loaded when it is ready."""
    daemon = start(program=TELLING, settings={"REALMD_PLUGINS_DIR": "", **settings})
    before = str(daemon.log).partition("look at it")[0]
    return set(re.findall(r"^import time:.*\| +(\S+)$", before, re.MULTILINE))


def test_nothing_is_loaded_of_what_is_off(start: Start) -> None:
    """A realm as installed has no tools of the operator and no client of HTTP or relays in memory."""
    found = loaded(start)
    assert {"realmd.tap", "twisted.web.http"} <= found
    assert sorted(found & (NEVER | set(IF_ASKED))) == []
    assert [name for name in sorted(NEVER) if find_spec(name) is None] == []


@pytest.mark.parametrize("module", IF_ASKED)
def test_what_is_asked_for_is_loaded_before_the_doors_open(start: Start, module: str) -> None:
    """Nobody waits for an import: what the settings ask for is there when the realm is ready."""
    assert module in loaded(start, **IF_ASKED[module])
