"""What comes by relay is obeyed once at most, and answers are shared out fairly: by a clock of the test's."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from realmd.identity import nostr_event, schnorr
from realmd.identity.nostr_event import Event
from realmd.identity.replays import LIFE
from realmd.nostr.bridge.inlet import MOST_WAITING, Inlet, Shares, Taken
from realmd.nostr.bridge.key import Key
from realmd.nostr.bridge.replies import MOST, MOST_EACH, PATIENCE, Replies
from realmd.nostr.events import asks
from realmd.nostr.events.draft import Draft
from realmd.protocol.views import Room
from realmd.storage.asks import IAsks
from realmd.storage.interface import StorageError

ADA = bytes(31) + b"\x01"
EVE = bytes(31) + b"\x02"
NOW = 1_790_000_000_000


@implementer(IAsks)
class SlowAsks:
    """A store whose answers the test gives."""

    def __init__(self, kept: dict[str, int] | None = None) -> None:
        self.kept = kept or {}
        self.taking: list[Deferred[None]] = []

    def load(self) -> Deferred[dict[str, int]]:
        return succeed(dict(self.kept))

    def take(self, asks: Mapping[str, int], now: int) -> Deferred[None]:
        self.kept.update(asks)
        self.taking.append(Deferred())
        return self.taking[-1]


class Boundless:
    def take(self, key: str, cost: float, now: float) -> float:
        return 0.0


class Desk:
    """An inlet, and what came through it."""

    def __init__(self, tmp_path: Path, store: SlowAsks, now: int = NOW) -> None:
        self.key = Key(tmp_path, None, os.urandom, {})
        self.key.open()
        self.now = now
        self.obeyed: list[tuple[Taken, bool]] = []
        room = Room("hall", "The Hall", "", "")
        free = Boundless()
        self.inlet = Inlet(
            self.key,
            lambda: room,
            store,
            Shares(free, free, free),
            lambda _: False,
            lambda taken, remembered: self.obeyed.append((taken, remembered)),
            lambda f, *a: succeed(f(*a)),
            Clock(),
            lambda: self.now,
        )
        opening = Deferred.fromCoroutine(self.inlet.open())
        assert opening.called

    def ask(self, number: int = 0, secret: bytes = ADA, at: int | None = None) -> Event:
        content = json.dumps({"cmd": "room-info", "nonce": f"n{number}"})
        tags = (("p", self.key.pubkey), ("d", "hall"))
        when = (self.now if at is None else at) // 1000
        return nostr_event.sign(
            secret, bytes(32), kind=asks.KIND, created_at=when, tags=tags, content=content
        )


def test_nothing_is_done_before_it_is_on_the_disk(tmp_path: Path) -> None:
    """So that a daemon that dies in between does not do it again; what cannot be written is refused."""
    store = SlowAsks()
    assert verifyObject(IAsks, store)
    desk = Desk(tmp_path, store)
    first, second, third = (desk.ask(n) for n in range(3))
    for event in (first, second, third, first):
        desk.inlet.asked(event, "wss://r")
    assert desk.obeyed == []
    store.taking[0].callback(None)
    assert [(taken.event_id, well) for taken, well in desk.obeyed] == [(first.id, True)]
    store.taking[1].errback(StorageError("full"))
    assert [(taken.event_id, well) for taken, well in desk.obeyed[1:]] == [
        (second.id, False),
        (third.id, False),
    ]
    assert desk.inlet.passed_over == {"replayed": 1}


def test_a_clock_set_back_revives_nothing(tmp_path: Path) -> None:
    """After a restart with the clock an hour back, what was fresh an hour ago is not obeyed again."""
    store = SlowAsks()
    desk = Desk(tmp_path, store)
    early = desk.ask()
    desk.inlet.asked(early, "wss://r")
    store.taking[0].callback(None)
    assert len(desk.obeyed) == 1
    # An hour later the ask is forgotten, and a newer one is kept.
    later = Desk(tmp_path, SlowAsks({"ab" * 32: NOW + 3_600_000 + asks.WINDOW}), now=NOW)
    later.inlet.asked(early, "wss://r")
    assert later.obeyed == []
    assert later.inlet.passed_over == {"stale": 1}


def test_a_clock_that_jumps_while_the_realm_runs_costs_no_command(tmp_path: Path) -> None:
    """An hour ahead and back, what is dated by the clock is obeyed at once, and nothing twice."""
    assert LIFE > 2 * asks.WINDOW
    store = SlowAsks()
    desk = Desk(tmp_path, store)
    used: list[Event] = []
    for number, now in enumerate((NOW, NOW + 3_600_000, NOW + 1000)):
        desk.now = now
        used.append(desk.ask(number))
        for event in used:
            desk.inlet.asked(event, "wss://r")
        store.taking[number].callback(None)
        assert len(desk.obeyed) == number + 1


def test_what_waits_for_the_disk_is_bounded(tmp_path: Path) -> None:
    """While the store is slow, so many commands wait and no more."""
    desk = Desk(tmp_path, SlowAsks())
    for number in range(MOST_WAITING + 10):
        desk.inlet.asked(desk.ask(number), "wss://r")
    assert desk.inlet.passed_over == {"busy": 9}  # one is being written


class Relays:
    """One relay that takes what the test lets it."""

    def __init__(self) -> None:
        self.clients = {"wss://r": self}
        self.sent: list[Event] = []
        self.room = 0

    def publish(self, event: Event, fixed: bool = False) -> Deferred[Any]:
        accepted = self.room > 0
        self.room -= 1
        if accepted:
            self.sent.append(event)
        reason = "" if accepted else "congested"
        return succeed(type("Outcome", (), {"accepted": accepted, "reason": reason})())


def test_answers_wait_in_turn_and_not_for_ever(tmp_path: Path) -> None:
    """Who asks a lot does not keep others from answers; what a relay never takes is dropped in a minute."""
    clock, relays = Clock(), Relays()
    key = Key(tmp_path, None, os.urandom, {})
    key.open()
    replies = Replies(
        relays,  # type: ignore[arg-type]
        key,
        lambda f, *a: succeed(f(*a)),
        clock,
        lambda: NOW,
        os.urandom,
        random.Random(1),
    )
    ada, eve = (schnorr.public_key(secret).hex() for secret in (ADA, EVE))

    def put(pubkey: str, text: str) -> None:
        replies.put("wss://r", pubkey, Draft(asks.KIND, NOW // 1000, (("p", pubkey),), text), None)

    for number in range(MOST_EACH + 5):
        put(eve, f"eve {number}")
    put(ada, "ada")
    assert replies.counts["dropped"] == 5
    clock.advance(1.1)
    relays.room = 3
    replies.work()
    assert [event.content for event in relays.sent] == ["eve 0", "ada", "eve 1"]
    clock.advance(PATIENCE)
    relays.room = 100
    replies.work()
    assert len(relays.sent) == 3
    assert len(replies) == 0
    relays.room = 0
    for number in range(MOST + 50):
        put(f"{number:064x}", "noise")
    assert len(replies) <= MOST + 1
