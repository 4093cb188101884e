"""What a share holds and may owe, and what those who share it notice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from realmd.gateway.limits import LONGEST_DEBT, Bucket, Rate, RateLimits, Refusal, Table
from realmd.gateway.peers import peer_at
from realmd.settings.limits import Limits

RATE = Rate(10.0, 20.0)
STRANGER = "198.51.100.7"


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 50)), max_size=60))
def test_nobody_gets_more_than_a_burst_and_what_refills(asked: list[tuple[float, float]]) -> None:
    """However a client times what it asks for, it gets no more; and what it is told to wait is enough."""
    bucket, now, got, largest = Bucket(RATE, 0.0), 0.0, 0.0, 0.0
    for pause, cost in asked:
        now += pause
        wait = bucket.take(RATE, cost, now)
        if wait == 0:
            got, largest = got + cost, max(largest, cost)
            assert got <= RATE.burst + now * RATE.per_second + max(0.0, largest - RATE.burst) + 1e-6
        else:
            now += wait + 1e-9
            assert bucket.take(RATE, cost, now) == 0
            got, largest = got + cost, max(largest, cost)


COSTS = st.one_of(st.floats(0, 100), st.floats(0, 2.0**62))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5), COSTS), max_size=60))
def test_no_share_owes_more_than_it_fills_in_ten_seconds(asked: list[tuple[bool, float, float]]) -> None:
    """Whatever was taken of a share, who then rests for ten seconds may ask again."""
    bucket, now = Bucket(RATE, 0.0), 0.0
    for owing, pause, cost in asked:
        now += pause
        if owing:
            assert 0 <= bucket.owe(RATE, cost, now) <= cost + 1e-6
        else:
            bucket.take(RATE, cost, now)
        assert bucket.take(RATE, 1.0, now) <= LONGEST_DEBT + 1.0 / RATE.per_second + 1e-6
    assert bucket.take(RATE, 0.0, now + LONGEST_DEBT + 1e-6) == 0


def test_a_network_is_charged_no_more_than_its_address_can_owe() -> None:
    """One address that causes whatever it likes leaves the others of its network their share."""
    clock = Clock()
    rates = RateLimits(Limits(address_rate=10.0, network_rate=30.0, burst_s=1.0), clock)
    one, other = peer_at(STRANGER), peer_at("198.51.100.8")
    throttle = rates.throttle()
    for _ in range(100):
        throttle.owe(one, 2.0**62)
    refused = throttle.admit(one, "http", shared=True)
    assert refused is not None
    assert (refused.limit, refused.wait <= LONGEST_DEBT + 0.1) == ("address", True)
    clock.advance(3.0)  # 110 were taken of the network, which had 30
    assert rates.throttle().admit(other, "http") is None


def test_no_wait_that_is_told_is_longer_than_a_minute() -> None:
    """A client that sleeps for as long as it is told is back within a minute, registrations included."""
    for wait, seconds, told in ((0.1, 1, "in 1 s"), (59.5, 60, "in 60 s"), (1800.0, 60, "later")):
        refusal = Refusal("registrations", wait)
        assert refusal.seconds == seconds
        assert refusal.text.endswith(f"try again {told}")


def test_nobody_refills_a_share_by_crowding_it_out() -> None:
    """Used shares are never forgotten for newcomers, who then share one; refilled ones are."""
    table = Table(RATE, 100)
    for number in range(100):
        assert table.take(str(number), 20, 0.0) == 0
    assert [table.take(f"new {number}", 10, 0.0) > 0 for number in range(4)] == [False, False, True, True]
    assert all(table.take(str(number), 20, 0.1) > 0 for number in range(100))
    assert len(table) == 100
    assert table.take("late", 20, 3.0) == 0  # all have refilled: one of them is forgotten
    assert table.take("0", 20, 3.0) == 0
    assert len(table) == 100
