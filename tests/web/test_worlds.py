"""The Worlds Portal: other realms as the daemon heard of them on a relay, and safe ways there."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from realmd.identity import nostr_event
from realmd.nostr.relay.messages import event_message
from tests.process.client import WebSocket
from tests.process.daemon import Daemon, poll
from tests.relay.scene import LocalRelay

from .conftest import SETTINGS, Open, keep
from .test_everyone import violations

REALMS = [
    {"roomId": "lair", "name": "<b>Lair</b>", "description": "For smiths.", "url": "javascript:alert(1)"},
    *({"roomId": f"hall-{n}", "name": f"Hall {n}", "agents": n, "maxAgents": 50, "url": f"https://hall-{n}.example/",
       "description": "A quiet place by the river, for those who read."} for n in range(8)),
]  # fmt: skip


@pytest.fixture(scope="module")
def relay() -> Iterator[LocalRelay]:
    with LocalRelay() as relay:
        yield relay


@pytest.fixture(scope="module")
def joined(relay: LocalRelay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon on that relay."""
    settings = {**SETTINGS, "REALMD_ROOM_RELAYS": relay.url}
    daemon = Daemon(tmp_path_factory.mktemp("joined"), settings=settings).ready()
    yield daemon
    daemon.kill()


def announce(url: str, realms: list[dict[str, Any]]) -> None:
    """Each realm announces itself with a key of its own."""
    with WebSocket(int(url.rpartition(":")[2]), path="/") as socket:
        for realm in realms:
            event = nostr_event.sign(
                os.urandom(32), os.urandom(32), kind=30078, created_at=int(time.time()),
                tags=[("d", "openclaw-world")], content=json.dumps(realm),
            )  # fmt: skip
            socket.frame(1, event_message(event))
            assert socket.read_frame()[0] == 1


def test_an_empty_portal_says_so(daemon: Daemon, open_page: Open) -> None:
    """Without relays, or before anybody else is heard of, a sentence stands where realms would."""
    page = open_page()
    page.click("#tab-places")
    page.locator("#places", has_text="No other realm has been heard of").wait_for()
    assert page.locator("#worlds li").count() == 0
    assert page.is_hidden("#find-worlds")


def test_other_realms_are_found_and_entered_safely(
    relay: LocalRelay, joined: Daemon, open_page: Open
) -> None:
    """They appear by themselves, many can be searched, links open apart, what strangers wrote stays text."""
    page = open_page(port=joined.port, size=(1280, 900))
    page.click("#tab-places")
    page.locator("#places", has_text="No other realm").wait_for()
    assert violations(page) == []
    announce(relay.url, REALMS)
    with joined.http() as http:
        poll(lambda: len(http.get("/api/worlds")[1]["worlds"]) == len(REALMS), "all realms")
    page.locator("#worlds li", has_text="Hall 7").wait_for()
    assert page.locator("#worlds li").count() == len(REALMS)
    page.locator("#find-worlds").evaluate("find => find.scrollIntoView()")
    keep(page, "worlds")
    assert violations(page) == []
    lair = page.locator("#worlds li", has_text="Lair")
    assert lair.locator("a, b").count() == 0
    assert "<b>Lair</b>" in lair.inner_text()
    links = page.locator("#worlds a").evaluate_all("all => all.map(a => [a.protocol, a.rel, a.target])")
    assert links == [["https:", "noopener noreferrer", "_blank"]] * 8
    page.fill("#find-worlds", "hall 3")
    assert page.locator("#worlds li").all_inner_texts()[0].startswith("Hall 3 3 of 50 seats taken")
    assert page.locator("#worlds li").count() == 1
    page.fill("#find-worlds", "nowhere")
    page.locator("#places", has_text="No realm fits these words").wait_for()
    page.fill("#find-worlds", "")
    assert page.locator("#worlds li").count() == len(REALMS)
