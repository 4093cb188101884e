"""Against a relay of another project: plain, with logins, a rate limit, proof of work, and killed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
import pytest_twisted
from msgspec.structs import replace
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from realmd.identity import nostr_event
from realmd.identity.nostr_event import Event
from realmd.nostr.relay.pool import Pool
from realmd.nostr.relay.work import difficulty

from .hostile import reactor
from .scene import BRISK, PUBKEY, SIGNER, LocalRelay, note, pool_up, until


@pytest.fixture(scope="module")
def relay() -> Iterator[LocalRelay]:
    """A relay that takes everything."""
    with LocalRelay() as running:
        yield running


@pytest_twisted.ensureDeferred
async def test_what_is_published_everywhere_is_told_once(relay: LocalRelay) -> None:
    """Every relay has the event, a second sending is a success too, and a subscriber hears it once."""
    got: list[tuple[Event, str]] = []
    stored: list[str] = []
    with LocalRelay() as other:
        async with pool_up(relay.url, other.url) as scene:
            told = note("told once")
            for _ in range(2):
                outcomes = await scene.publish(told)
                assert [(o.relay, o.accepted, o.reason) for o in outcomes] == [
                    (relay.url, True, ""),
                    (other.url, True, ""),
                ]
            scene.pool.subscribe(
                [{"authors": [PUBKEY], "kinds": [42], "since": told.created_at}],
                lambda event, url: got.append((event, url)),
                stored.append,
            )
            await until(lambda: set(stored) == {relay.url, other.url}, "all that was stored")
            assert [event for event, _ in got if event.content == "told once"] == [told]
            live = note("live")
            await scene.publish(live)
            await until(lambda: live in [event for event, _ in got], "the live event")
            for client in scene.pool.clients.values():
                assert await client.query([{"ids": [live.id]}]) == [live]
            assert scene.pool.connected() == [relay.url, other.url]
            for client in scene.pool.clients.values():
                await until(lambda c=client: c.health.latency, "a latency")  # type: ignore[misc]
                assert client.health.accepted == 3
                assert 0 < client.health.latency < 5  # type: ignore[operator]
            assert len([event for event, _ in got if event == live]) == 1
            values = {figure.name: figure.values() for figure in scene.pool.figures()}
            assert values["realmd_relay_connected"] == {relay.url: 1, other.url: 1}
            assert values["realmd_relay_accepted_total"] == {relay.url: 3, other.url: 3}


@pytest_twisted.ensureDeferred
async def test_a_relay_that_wants_a_login_gets_it(relay: LocalRelay) -> None:
    """With NIP-42 required for reading and writing, events and subscriptions arrive all the same."""
    got: list[Event] = []
    with LocalRelay(auth=True) as strict:
        async with pool_up(strict.url) as scene:
            scene.pool.subscribe([{"kinds": [42]}], lambda event, _: got.append(event))
            (outcome,) = await scene.publish(note("after login"))
            assert outcome.accepted
            await until(lambda: got, "the event over the subscription")
            assert scene.pool.clients[strict.url].health.authenticated


@pytest_twisted.ensureDeferred
async def test_a_relay_that_limits_the_rate_is_not_pressed(relay: LocalRelay) -> None:
    """What exceeds its rate is held back and tried again a few times, not sent over and over."""
    with LocalRelay(notes_per_minute=3) as slow:
        async with pool_up(slow.url, relay.url) as scene:
            notes = [note(f"note {number}") for number in range(8)]
            for each in notes:
                scene.publish(each)
            await until(lambda: len(scene.outcomes) == 16, "all outcomes")
            here = [scene.outcome(each, slow.url) for each in notes]
            assert [o.reason for o in here if o] == [""] * 3 + ["rate-limited"] * 5
            assert all(scene.outcome(each, relay.url).accepted for each in notes)  # type: ignore[union-attr]
            assert scene.pool.clients[slow.url].health.failures == 0


@pytest_twisted.ensureDeferred
async def test_proof_of_work_is_done_up_to_a_limit(relay: LocalRelay) -> None:
    """A relay that wants work gets it within our limit; an event that may not change is given up."""
    with LocalRelay(work=10) as easy, LocalRelay(work=40) as hard:
        async with pool_up(easy.url, hard.url) as scene:
            light = next(each for n in range(99) if difficulty((each := note(f"light {n}")).id) < 10)
            mined, refused = await scene.publish(light)
            assert mined.accepted
            assert difficulty(mined.event.id) >= 10
            nostr_event.check(mined.event)
            assert mined.event.content == light.content
            assert (refused.accepted, refused.reason) == (False, "pow")
            assert await scene.pool.clients[easy.url].query([{"ids": [mined.event.id]}]) == [mined.event]
            fixed = next(each for n in range(99) if difficulty((each := note(f"fixed {n}")).id) < 10)
            assert [o.reason for o in await scene.publish(fixed, fixed=True)] == ["pow", "pow"]


@pytest_twisted.ensureDeferred
async def test_a_relay_that_was_away_gets_what_it_missed(relay: LocalRelay) -> None:
    """A relay is killed and started again: events wait for it in order, subscriptions go on by themselves."""
    got: list[Event] = []
    mortal = LocalRelay()
    async with pool_up(mortal.url, relay.url, bounds=replace(BRISK, tries=9)) as scene:
        since = note("").created_at
        scene.pool.subscribe([{"kinds": [1], "since": since}], lambda event, _: got.append(event))
        await scene.publish(note("before", kind=1))
        mortal.kill()
        await until(lambda: scene.failures(mortal.url), "the loss is logged")
        waiting = [note(f"waits {number}", kind=1) for number in range(5)]
        passing = note("position", kind=20042)
        for each in (*waiting, passing):
            scene.publish(each)
        await until(lambda: scene.outcome(waiting[-1], relay.url), "the other relay goes on")
        assert scene.outcome(passing, mortal.url).reason == "offline"  # type: ignore[union-attr]
        assert scene.outcome(waiting[0], mortal.url) is None
        with mortal.again():
            await until(lambda: scene.outcome(waiting[-1], mortal.url), "what waited is taken")
            taken = [o.event for o in scene.outcomes if o.relay == mortal.url and o.accepted]
            assert taken[1:] == waiting
            after = note("after", kind=1)
            await scene.publish(after)
            await until(lambda: after in got, "the subscription lives")
            health = scene.pool.clients[mortal.url].health
            assert (health.connected, health.reconnects) == (True, 1)
    assert sorted(event.content for event in got) == sorted(
        ["before", *(e.content for e in waiting), "after"]
    )


@pytest_twisted.ensureDeferred
async def test_a_pool_can_be_stopped_at_any_moment(relay: LocalRelay) -> None:
    """Whatever a link is at (connecting, its handshake, the relay's description), it ends at once."""
    for wait in range(30):
        pool = Pool(
            reactor, [relay.url], signer=SIGNER, run=deferToThread, now=lambda: 0, rng=Random(1), bounds=BRISK
        )
        pool.startService()
        await deferLater(reactor, wait * 0.0005)
        stopped = pool.stopService()
        assert stopped is not None
        await stopped.addTimeout(5.0, reactor)
