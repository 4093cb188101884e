"""The memory of proofs that were used: once each, fair shares, and a clock that others set."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.identity.errors import BadProof
from realmd.identity.proof import HTTP_WINDOW, Proof
from realmd.identity.replays import LIFE, MOST_SPANS, Replays
from tests.identity.signers import NOW

HOUR = 3_600_000


def proof(number: int, created: int = NOW, key: int = 0) -> Proof:
    return Proof(f"{key:064x}", f"{number:064x}", created, created + HTTP_WINDOW)


def answer(replays: Replays, shown: Proof, now: int, host: int = 0, network: int = 0) -> str:
    """The code with which it is refused, or "ok"."""
    try:
        replays.admit(shown, now, f"10.0.{network}.{host}", f"10.0.{network}.0/24")
    except BadProof as refused:
        return refused.code
    return "ok"


def keys() -> Iterator[Proof]:
    """Proofs without end, each of a key of its own, dated ahead as far as may be."""
    return (proof(number, NOW + HTTP_WINDOW, number) for number in count(1000))


def test_a_proof_is_taken_once() -> None:
    """Whoever overhears a login cannot repeat it, however long they wait."""
    replays = Replays()
    assert answer(replays, proof(1, NOW + HTTP_WINDOW), 0) == "ok"
    for later in (0, 2 * HTTP_WINDOW, LIFE, 100 * LIFE):
        assert answer(replays, proof(1, NOW + HTTP_WINDOW), later) == "replayed"


def test_one_address_shuts_nobody_out() -> None:
    """A flood from one address, a new key for each proof, is told busy; every other address gets in."""
    replays, flood = Replays(most=3600), keys()
    got = [answer(replays, next(flood), now=number, host=9) for number in range(4000)]
    assert got.count("ok") == 400  # a ninth: where an eighth of what is free is as much as it has
    assert got[-1] == "busy"
    for host, network in ((1, 0), (1, 1)):
        assert [
            answer(replays, proof(n + host * 50 + network * 500, NOW, 7), 4000, host, network)
            for n in range(20)
        ] == ["ok"] * 20


def test_many_networks_leave_room_for_a_newcomer() -> None:
    """A hundred addresses in ten networks take less and less each, and a stranger still finds a place."""
    replays, flood = Replays(most=3600), keys()
    for number in range(20_000):
        answer(replays, next(flood), 0, host=number % 100, network=number % 10)
    assert answer(replays, proof(1), 0, network=77) == "ok"


def test_one_key_shuts_nobody_out() -> None:
    """A key that signs from a hundred networks has a share, too, and is told busy; another key is not."""
    replays = Replays(most=3600)
    got = [answer(replays, proof(n + 10, NOW, 5), 0, network=n) for n in range(1000)]
    assert got.count("ok") == 400
    assert answer(replays, proof(1), 0, network=1) == "ok"


def test_dating_ahead_gains_nothing() -> None:
    """A proof has its place as long as any other, so that a share is free again at the same time."""
    for created in (NOW - HTTP_WINDOW, NOW, NOW + HTTP_WINDOW):
        replays = Replays()
        assert answer(replays, proof(1, created), 0) == "ok"
        assert answer(replays, proof(2), LIFE - 1) == "ok"
        assert len(replays) == 2
        assert answer(replays, proof(3), LIFE) == "ok"
        assert len(replays) == 2


def test_a_full_memory_refuses_rather_than_forgets() -> None:
    """When there is no place left, newcomers wait; what was used stays used."""
    replays = Replays(most=3)
    got = [answer(replays, proof(n, NOW, n), 0, network=n) for n in range(1, 5)]
    assert got == ["ok", "ok", "ok", "busy"]
    assert answer(replays, proof(1), 0) == "replayed"
    assert answer(replays, proof(4), LIFE) == "ok"


def test_an_hour_ahead_and_back_costs_nobody_a_login() -> None:
    """Proofs dated by whatever the clock says are taken, at once, and those used in the wrong hour never."""
    replays = Replays()
    assert answer(replays, proof(1, NOW), 0) == "ok"
    assert answer(replays, proof(2, NOW + HOUR), 10_000) == "ok"
    assert answer(replays, proof(3, NOW + 20_000), 20_000) == "ok"
    for number, created in ((1, NOW), (2, NOW + HOUR), (3, NOW + 20_000)):
        assert answer(replays, proof(number, created), HOUR) == "replayed"
    assert answer(replays, proof(4, NOW + HOUR), HOUR) == "ok"


def test_what_had_to_be_forgotten_is_stale_by_its_date_and_nothing_else_is() -> None:
    """Where there was no room for old ids, proofs of their dates count no more, those between them do."""
    replays = Replays(most=2)
    for number, (created, now) in enumerate(((NOW, 0), (NOW + HOUR, LIFE), (NOW + 1, 2 * LIFE)), 1):
        assert answer(replays, proof(number, created), now) == "ok"
    assert answer(replays, proof(4, NOW + 2), 3 * LIFE) == "ok"
    assert answer(replays, proof(1, NOW), 3 * LIFE) == "stale"
    assert answer(replays, proof(2, NOW + HOUR), 4 * LIFE) == "stale"
    assert answer(replays, proof(5, NOW + HOUR // 2), 5 * LIFE) == "ok"


@pytest.mark.parametrize("seconds", range(3))
def test_dates_of_the_process_before_are_stale(seconds: int) -> None:
    """What may have been used before is told as a span of dates; its ends belong to it."""
    replays = Replays()
    replays.forget(NOW, NOW + 2000)
    assert answer(replays, proof(1, NOW + seconds * 1000), 0) == "stale"
    assert answer(replays, proof(2, NOW + 3000), 0) == "ok"
    assert answer(replays, proof(3, NOW - 1000), 0) == "ok"


def test_spans_of_dates_are_bounded() -> None:
    """However often the clock is set, what is remembered of it stays small, and covers all that it did."""
    replays = Replays()
    dates = [NOW + turn * turn * 2 * LIFE for turn in range(5 * MOST_SPANS)]
    for date in dates:
        replays.forget(date, date)
    assert len(replays._forgotten) == MOST_SPANS
    for number, date in enumerate(dates):
        assert answer(replays, proof(number, date), 0) == "stale"


steps = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, -HOUR, HOUR, -90_000, 30_000]),  # the clock is set by so much
        st.integers(0, 200_000),  # and time passes
        st.integers(-60, 60),  # until something is shown that is dated so far (s) from the clock
        st.integers(0, 5),  # by one of these keys
    ),
    max_size=60,
)


@given(steps, st.integers(1, 12))
def test_nothing_is_taken_twice_whatever_the_clock_does(
    steps: list[tuple[int, int, int, int]], most: int
) -> None:
    """Of all that was taken nothing is taken again while its date is in time, in a memory of any size."""
    replays, wall, passed = Replays(most), NOW, 0
    taken: list[Proof] = []
    for number, (jump, waited, ahead, key) in enumerate(steps):
        wall, passed = wall + jump + waited, passed + waited
        for old in taken:
            if abs(old.created - wall) <= HTTP_WINDOW:
                assert answer(replays, old, passed, network=99) in ("replayed", "stale")
        fresh = proof(number, (wall // 1000 + ahead) * 1000, key)
        if abs(fresh.created - wall) <= HTTP_WINDOW and answer(replays, fresh, passed, number) == "ok":
            taken.append(fresh)
        assert len(replays) <= most
        assert len(replays._used) <= most
        assert sum(replays._shares.values()) == sum(len(use.shares) for use in replays._placed)


@given(st.lists(st.integers(1, 20_000), max_size=80))
def test_with_a_clock_that_is_right_no_proof_is_stale(waits: list[int]) -> None:
    """Forgetting costs no honest login: whoever signs in time, by a clock nobody sets, is never refused."""
    replays, passed = Replays(most=40), 0
    for number, waited in enumerate(waits):
        passed += waited
        for ahead in (-59, 0, 60):
            shown = proof(1000 + number * 200 + ahead, ((NOW + passed) // 1000 + ahead) * 1000, number)
            assert answer(replays, shown, passed, number % 250, number % 200) != "stale"
