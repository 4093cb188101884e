"""What the tests of the bridge share: a realm on real relays, and somebody who reads them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace
from twisted.internet.task import deferLater

from realmd.identity.nostr_event import Event
from realmd.nostr import assembly
from realmd.nostr.bridge.bridge import Bridge
from tests.realm import Running, reactor, realm_up
from tests.relay.scene import BRISK, Scene, pool_up

#: The daemon's manners are for public relays; ours are in a hurry.
HASTY = replace(BRISK, tries=9, closing=0.8)
ROOM = "shalom-realm"


@asynccontextmanager
async def realm_on(tmp_path: Path, *relays: str, **overrides: Any) -> AsyncIterator[tuple[Running, Bridge]]:
    """A realm on `relays` until the block ends, and its bridge; it publishes every second."""
    made: list[Bridge] = []
    original = assembly.bridge

    def kept(*args: Any) -> Bridge:
        made.append(original(*args))
        return made[-1]

    overrides.setdefault("room", {})["relays"] = relays
    nostr = {
        "sync_interval_s": 1.0, "log_interval_s": 1.0, "events_per_second": HASTY.rate,
        **overrides.pop("nostr", {}),
    }  # fmt: skip
    with patch.object(assembly, "BOUNDS", HASTY), patch.object(assembly, "bridge", kept):
        async with realm_up(tmp_path, nostr=nostr, **overrides) as realm:
            yield realm, made[0]
            assert [event for event in realm.log if "log_failure" in event] == []


@asynccontextmanager
async def reader(*relays: str) -> AsyncIterator[Scene]:
    """Somebody who asks relays."""
    async with pool_up(*relays, bounds=HASTY) as scene:
        yield scene


async def stored(scene: Scene, url: str, pubkey: str, *kinds: int) -> list[Event]:
    """What the relay keeps of `pubkey`, the oldest first."""
    wanted = [{"authors": [pubkey], "kinds": list(kinds), "limit": 500}]
    found = await scene.pool.clients[url].query(wanted)
    return sorted(found, key=lambda event: event.created_at)


async def eventually(ask: Callable[[], Any], what: str, within: float = 20.0) -> Any:
    """As `until`, of something that has to be waited for itself."""
    deadline = time.monotonic() + within
    while not (found := await ask()):
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        await deferLater(reactor, 0.2)  # relays do not like to be asked without end
    return found


def logged(events: list[Event]) -> list[dict[str, Any]]:
    """The world events in batches of the log."""
    return [one for event in events for one in json.loads(event.content)["events"]]
