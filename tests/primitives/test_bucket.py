"""What a share holds and may owe, alone and among many."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from realmd.primitives.bucket import LONGEST_DEBT, Bucket, Rate, Table

RATE = Rate(10.0, 20.0)


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


@given(st.lists(st.floats(0, 5), max_size=30), st.integers(1, 19))
def test_what_is_reserved_stays(pauses: list[float], reserve: int) -> None:
    """However often somebody takes, what is kept for others is there for them at once."""
    bucket, now = Bucket(RATE, 0.0), 0.0
    for pause in pauses:
        now += pause
        while not bucket.take(RATE, 1.0, now, reserve):
            pass
        assert bucket.take(RATE, reserve - 1e-3, now) == 0
        now += 2.0  # both have refilled


def test_a_debt_without_end_is_paid_to_its_end() -> None:
    """Where a rate sets no bound, who caused much waits for all of it, and is told how long."""
    rate = Rate(10.0, 20.0, longest_debt=math.inf)
    bucket = Bucket(rate, 0.0)
    assert bucket.owe(rate, 1020.0, 0.0) == 1020.0
    assert bucket.debt(rate, 0.0) == 100.0
    assert (bucket.debt(rate, 60.0), bucket.debt(rate, 200.0)) == (40.0, 0.0)


def test_a_clock_that_is_set_fills_nothing() -> None:
    """Setting the time of day gives nobody a share, and takes none."""
    for by in (3600.0, -3600.0):
        bucket = Bucket(RATE, 10_000.0)
        bucket.take(RATE, 20.0, 10_000.0)
        bucket.shift(by)
        assert bucket.take(RATE, 20.0, 10_001.0 + by) == 1.0
