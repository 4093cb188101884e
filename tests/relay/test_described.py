"""What a relay says of itself (NIP-11) is minded, and subscriptions are renewed from where they were."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import pytest_twisted
from msgspec.json import encode

from realmd.identity.nostr_event import Event
from realmd.nostr.relay.bounds import Bounds

from . import hostile
from .hostile import Line
from .scene import note, pool_up, until


@pytest_twisted.ensureDeferred
async def test_the_limits_a_relay_announces_are_kept() -> None:
    """Too large, too old, too many subscriptions, too little work: known from NIP-11, so never sent."""
    document = {
        "limitation": {
            "max_message_length": 1500, "max_subscriptions": 1, "created_at_lower_limit": 3600,
            "created_at_upper_limit": 60, "min_pow_difficulty": 8, "max_limit": 10, "max_content_length": "?",
        }
    }  # fmt: skip
    async with hostile.relay(document=document) as relay, pool_up(relay.url) as scene:
        now = int(time.time())
        for told, reason in (
            (note("x" * 2000), "too_large"),
            (note("old", at=now - 4000), "too_old"),
            (note("new", at=now + 100), "too_new"),
            (note("worked"), ""),
        ):
            assert [o.reason for o in await scene.publish(told)] == [reason]
        assert scene.pool.work_wanted() == 8
        assert [message[1]["id"][:2] for message in relay.said("EVENT")] == ["00"]
        first = scene.pool.subscribe([{"kinds": [1], "limit": 500}], lambda *_: None)
        scene.pool.subscribe([{"kinds": [2]}], lambda *_: None)
        await until(lambda: relay.said("REQ"), "a request")
        await scene.publish(note("later"))
        assert [message[2] for message in relay.said("REQ")] == [{"kinds": [1], "limit": 10}]
        first.close()
        await until(lambda: len(relay.said("REQ")) == 2, "the other request")
        assert [message[0] for message in relay.heard[-2:]] == ["CLOSE", "REQ"]


@pytest.mark.parametrize(
    "document", [[], {"limitation": 7}, {"limitation": {"max_subscriptions": -1, "auth_required": {}}}]
)
@pytest_twisted.ensureDeferred
async def test_a_description_that_makes_no_sense_limits_nothing(document: Any) -> None:
    """The relay is used as if it had said nothing of itself."""
    async with hostile.relay(document=document) as relay, pool_up(relay.url) as scene:
        assert (await scene.publish(note("all the same")))[0].accepted


@pytest_twisted.ensureDeferred
async def test_a_renewed_subscription_reaches_back_a_little() -> None:
    """After a lost link we ask from a little before the newest event on, once all stored ones had come."""
    lines: list[Line] = []
    ends = [False]

    def answer(line: Line, message: list[Any]) -> None:
        if message[0] == "REQ":
            lines.append(line)
            line.say("EVENT", message[1], json.loads(encode(note("seen", at=1_700_000_000))))
            if ends[0]:
                line.say("EOSE", message[1])

    async with hostile.relay(answer) as relay, pool_up(relay.url) as scene:
        got: list[Event] = []
        scene.pool.subscribe([{"kinds": [42]}], lambda event, _: got.append(event))
        client = scene.pool.clients[relay.url]
        for number in (1, 2, 3):
            await until(lambda n=number: len(lines) == n and client._inbox, "a request")  # type: ignore[misc]
            await until(lambda: client.health.received + client.health.discarded["known"] >= len(lines), "it")
            await until(lambda: not client._inbox or not client._inbox.waiting, "all is handled")
            ends[0] = True
            lines[-1].dropConnection(abort=True)
        asked = [message[2] for message in relay.said("REQ")]
        assert asked[:2] == [{"kinds": [42]}] * 2  # not all had come the first time
        assert asked[2] == {"kinds": [42], "since": 1_700_000_000 - Bounds().overlap}
        assert len(got) == 1
