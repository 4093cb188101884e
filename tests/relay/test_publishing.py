"""Events on their way to one relay, by a clock of our own."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from realmd.identity.nostr_event import Event
from realmd.nostr.relay.bounds import OWN_REASONS, PREFIXES, Bounds
from realmd.nostr.relay.health import Health
from realmd.nostr.relay.limits import Limits
from realmd.nostr.relay.messages import Answered
from realmd.nostr.relay.publishing import Publishing
from realmd.nostr.relay.sending import Outcome

from .scene import SIGNER, note

NOW = 1_790_000_000
NOTES = [note(f"note {number}", at=NOW) for number in range(40)]
POSITIONS = [note(f"position {number}", kind=20042, at=NOW) for number in range(40)]


class Relay:
    """The other end of a `Publishing`: what it was sent, and what became of what was submitted."""

    def __init__(self, bounds: Bounds | None = None, connected: bool = True) -> None:
        self.clock = Clock()
        self.health = Health()
        self.behind = False
        self.sent: list[str] = []
        self.outcomes: list[Outcome] = []
        self.publishing = Publishing(
            self.clock, "ws://x", bounds or Bounds(), SIGNER, self.run, self.now, Random(1), self.health
        )
        if connected:
            self.publishing.attach(self, Limits())

    def run(self, function: Any, *args: Any) -> Deferred[Any]:
        raise AssertionError("nothing here needs work")

    def now(self) -> int:
        return NOW * 1000 + int(self.clock.seconds() * 1000)

    def say(self, message: bytes) -> None:
        self.sent.append(json.loads(message)[1]["id"])

    def submit(self, *events: Event) -> list[Deferred[Any]]:
        return [self.publishing.submit(event).addCallback(self.outcomes.append) for event in events]

    def answer(self, event: Event, accepted: bool = True, message: str = "") -> None:
        self.publishing.answered(Answered(event.id, accepted, message))

    def reasons(self) -> list[str]:
        return [outcome.reason for outcome in self.outcomes]


def ids(*events: Event) -> list[str]:
    return [event.id for event in events]


def test_an_event_without_an_answer_is_sent_again_after_ten_seconds() -> None:
    """An OK that was lost, or came without an id, costs ten seconds and no event."""
    relay = Relay()
    relay.submit(NOTES[0])
    relay.clock.advance(9.9)
    assert relay.sent == ids(NOTES[0])
    relay.clock.advance(0.2)
    assert relay.sent == ids(NOTES[0], NOTES[0])
    relay.answer(replace(NOTES[0], id=""))
    relay.answer(NOTES[0])
    assert relay.reasons() == [""]
    assert relay.health.discarded == {"unmatched": 1}
    assert relay.clock.getDelayedCalls() == []


def test_a_backlog_leaves_in_order_at_a_polite_rate() -> None:
    """After a burst one event leaves every 1.25 s, and positions still find their way between them."""
    bounds = Bounds()
    relay = Relay(bounds, connected=False)
    relay.submit(*NOTES)
    assert relay.sent == []
    relay.publishing.attach(relay, Limits())
    assert len(relay.sent) == 7  # what the burst leaves beside the reserve
    for seconds in range(50):
        for event in NOTES:
            if event.id in relay.sent:
                relay.answer(event)
        if seconds == 3:
            relay.submit(POSITIONS[0])
            assert relay.sent[-1] == POSITIONS[0].id
            relay.answer(POSITIONS[0])
        relay.clock.advance(1.0)
    assert [each for each in relay.sent if each != POSITIONS[0].id] == ids(*NOTES)
    assert relay.reasons() == [""] * 41


def test_a_relay_that_limits_the_rate_gets_silence() -> None:
    """After `rate-limited:` nothing goes to that relay for a while, and longer the next time."""
    relay = Relay()
    relay.submit(NOTES[0], NOTES[1])
    relay.answer(NOTES[0], False, "rate-limited: slow down")
    relay.answer(NOTES[1], False, "rate-limited: slow down")
    relay.submit(NOTES[2], POSITIONS[0])
    assert relay.reasons() == ["congested"]
    relay.clock.advance(2.4)
    assert len(relay.sent) == 2
    relay.clock.advance(2.7)
    assert relay.sent[2:] == ids(*NOTES[:3])
    relay.answer(NOTES[0], False, "rate-limited: slow down")
    relay.clock.advance(4.9)
    assert len(relay.sent) == 5
    relay.clock.advance(5.2)
    assert relay.sent[5:6] == ids(NOTES[0])


def test_ephemeral_events_are_never_queued() -> None:
    """A position is sent at once or forgotten: without a link, if the relay lags, or owes four answers."""
    relay = Relay(connected=False)
    relay.submit(POSITIONS[0])
    relay.publishing.attach(relay, Limits())
    relay.behind = True
    relay.submit(POSITIONS[1])
    relay.behind = False
    relay.submit(*POSITIONS[2:7])
    assert relay.reasons() == ["offline", "congested", "congested"]
    assert relay.sent == ids(*POSITIONS[2:6])
    relay.clock.advance(10.0)
    assert relay.reasons()[3:] == ["unanswered"] * 4
    assert len(relay.sent) == 4
    assert relay.clock.getDelayedCalls() == []


def test_what_waits_is_bounded_and_the_newest_version_counts() -> None:
    """A full queue refuses; an older version of an addressable event, and an expired one, are not sent."""
    relay = Relay(Bounds(queued=3), connected=False)
    old, new = (note(text, 30078, NOW + at, ("d", "x")) for at, text in enumerate(("old", "new")))
    brief = note("brief", 42, NOW, ("expiration", str(NOW + 60)))
    relay.submit(old, brief, NOTES[0], NOTES[1], NOTES[0])
    assert relay.reasons() == ["full", "pending"]
    relay.submit(new)
    assert relay.reasons()[2:] == ["superseded"]
    assert relay.health.queued == 3
    relay.clock.advance(60.0)
    relay.publishing.attach(relay, Limits())
    assert relay.reasons()[3:] == ["expired"]
    assert relay.sent == ids(NOTES[0], new)


def test_an_event_that_is_withdrawn_is_not_sent() -> None:
    """Whoever gives up waiting takes the event back, and nobody is told anything of it."""
    relay = Relay(connected=False)
    first, second = relay.submit(NOTES[0], NOTES[1])
    first.addErrback(lambda failure: relay.outcomes.append(failure.trap(CancelledError)))
    first.cancel()
    relay.publishing.attach(relay, Limits())
    assert relay.sent == ids(NOTES[1])
    assert relay.outcomes == [CancelledError]
    assert not second.called


STEPS = st.one_of(
    st.tuples(st.just("submit"), st.integers(0, 39)),
    st.tuples(st.just("position"), st.integers(0, 39)),
    st.tuples(st.just("answer"), st.integers(0, 39), st.booleans(), st.sampled_from([*PREFIXES, "", "x"])),
    st.tuples(st.just("pass"), st.floats(0, 400)),
    st.tuples(st.just("link"), st.booleans()),
    st.tuples(st.just("login"), st.booleans()),
    st.tuples(st.just("behind"), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 39)),
)


@given(st.lists(STEPS, max_size=80))
def test_whatever_a_relay_does_every_event_is_settled_once(steps: list[Any]) -> None:
    """In any order of answers, losses and logins: bounds hold, nobody is told twice, and all in the end."""
    bounds = Bounds(queued=10, window=3, tries=3)
    relay = Relay(bounds)
    submitted: list[Deferred[Any]] = []
    settled = 0

    def count(_: object) -> None:
        nonlocal settled
        settled += 1

    for step in steps:
        match step:
            case ["submit" | "position" as kind, number]:
                event = (NOTES if kind == "submit" else POSITIONS)[number]
                submitted.append(relay.submit(event)[0].addBoth(count))
            case ["answer", number, accepted, word]:
                # No work is wanted here: `pow` names no number, so it is given up.
                relay.answer(NOTES[number], accepted, word and f"{word}: because")
            case ["pass", seconds]:
                relay.clock.advance(seconds)
            case ["link", True]:
                relay.publishing.attach(relay, Limits())
            case ["link", False]:
                relay.publishing.detach()
            case ["login", accepted]:
                relay.publishing.authenticated(accepted)
            case ["behind", behind]:
                relay.behind = behind
            case ["cancel", number] if number < len(submitted):
                submitted[number].cancel()
        assert relay.health.queued <= bounds.queued
        assert len(relay.clock.getDelayedCalls()) <= bounds.queued + 1
        waiting = sum(not each.called for each in submitted)
        assert waiting == relay.health.queued == len(submitted) - settled
    relay.publishing.close()
    assert settled == len(submitted)
    assert relay.clock.getDelayedCalls() == []
    assert set(relay.reasons()) <= {"", *PREFIXES, *OWN_REASONS}
    for number, event in enumerate(NOTES):
        assert relay.sent.count(event.id) <= bounds.tries * steps.count(("submit", number))


def test_the_documents_name_every_answer_and_reason() -> None:
    """Whoever sees a reason in a metric finds what it means."""
    text = (Path(__file__).parents[2] / "docs/nostr.rst").read_text("utf-8")
    missing = [word for word in (*PREFIXES, *OWN_REASONS) if f"``{word}" not in text]
    assert missing == []


@pytest.mark.parametrize("word", PREFIXES)
def test_every_prefix_of_the_standard_is_known(word: str) -> None:
    """A refusal is counted by its own name, and a word that a relay made up by another."""
    relay = Relay(Bounds(tries=1))
    relay.submit(NOTES[0])
    relay.answer(NOTES[0], False, f"{word}: because")
    relay.clock.advance(1000.0)
    expected = {} if word == "duplicate" else {word: 1}
    assert relay.health.refused == expected
