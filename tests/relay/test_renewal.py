"""What a subscription asks for when a link is made anew."""

from __future__ import annotations

import json
import random

import pytest
from twisted.internet.task import Clock

from realmd.identity.gift_wrap import EPHEMERAL, STORED
from realmd.nostr.relay.bounds import Bounds
from realmd.nostr.relay.limits import Limits
from realmd.nostr.relay.messages import Stored
from realmd.nostr.relay.subscriptions import Subscription, Subscriptions

from .scene import PUBKEY, note


class Line:
    """What is said to a relay."""

    behind = False

    def __init__(self) -> None:
        self.said: list[list[object]] = []

    def say(self, message: bytes) -> None:
        self.said.append(json.loads(message))


@pytest.mark.parametrize(
    ("kind", "renewed"), [(STORED, 1_000_000), (EPHEMERAL, 1_500_000 - 120), (42, 1_500_000 - 120)]
)
def test_stored_wraps_are_asked_for_from_the_beginning(kind: int, renewed: int) -> None:
    """Their dates are set back at random, so that a newer one may have an older date; others' are not."""
    bounds = Bounds()
    subscriptions = Subscriptions(Clock(), "wss://r", bounds, lambda: 1_600_000_000, random.Random(1))
    subscription = Subscription(
        [{"kinds": [kind], "#p": [PUBKEY], "since": 1_000_000}], lambda event, relay: None, remembered=9,
        cancel=lambda _: None,
    )  # fmt: skip
    subscriptions.add(subscription)
    line = Line()
    subscriptions.attach(line, Limits())
    ((_, name, asked),) = line.said
    assert isinstance(name, str)
    assert isinstance(asked, dict)
    assert asked["since"] == 1_000_000
    subscriptions.caught(name)
    subscriptions.event(Stored(name, note("x", kind, 1_500_000, ("p", PUBKEY))))
    subscriptions.detach()
    subscriptions.attach(line, Limits())
    assert line.said[1][2] == {**asked, "since": renewed}
