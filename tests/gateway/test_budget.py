"""The budget of bytes in flight: what counts, and who goes when there is too much of it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from realmd.gateway.account import PLEDGE, Account
from realmd.gateway.budget import Budget

MANY = 1 << 40


class Holder:
    """A connection whose transport holds what the test says."""

    def __init__(self, speaks: bool = False) -> None:
        self._speaks = speaks
        self.buffered = 0
        self.evicted = False
        self.account: Account

    def speaks(self) -> bool:
        return self._speaks

    def in_transport(self) -> int:
        return self.buffered

    def evict(self) -> None:
        self.evicted = True

    def write(self, size: int) -> None:
        """The transport is given so much, and sends nothing."""
        self.buffered += size
        self.account.copied(size)


def connect(budget: Budget, source: str | None = None, speaks: bool = False) -> Holder:
    holder = Holder(speaks)
    holder.account = budget.open(holder)
    holder.account.belong(source)
    return holder


def test_who_holds_most_goes_first_and_agents_last() -> None:
    """Beyond the limit, readers who hold much are hung up on until there is room; agents stay."""
    budget = Budget(1000, MANY, MANY, Clock())
    agent, small, large = connect(budget, speaks=True), connect(budget), connect(budget)
    agent.write(500)
    small.write(100)
    large.write(390)
    assert [agent.evicted, small.evicted, large.evicted] == [False] * 3
    small.write(20)
    assert (agent.evicted, small.evicted, large.evicted) == (False, False, True)
    assert budget.total.held == 620
    agent.write(600)
    assert (agent.evicted, small.evicted) == (True, True)
    assert budget.total.held == 0


def test_who_reads_least_goes_first() -> None:
    """Of two who hold the same, the one that has taken nothing for longer goes."""
    clock = Clock()
    budget = Budget(1000, MANY, MANY, clock)
    stalled, reading = connect(budget), connect(budget)
    stalled.write(400)
    reading.write(450)
    clock.advance(10)
    reading.buffered = 400
    budget.in_flight()
    connect(budget).write(300)
    assert (stalled.evicted, reading.evicted) == (True, False)


def test_what_was_sent_meanwhile_is_not_held_against_anybody() -> None:
    """Nobody is hung up on for what his socket has taken, though nobody told of it."""
    budget = Budget(1000, MANY, MANY, Clock())
    holder = connect(budget)
    for _ in range(100):
        holder.write(900)
        holder.buffered = 0
    assert not holder.evicted
    assert budget.in_flight() == 0


def test_what_many_wait_for_counts_once() -> None:
    """A thousand viewers who wait for the same news hold it once, and until the last has it."""
    budget = Budget(1000, 1000, MANY, Clock())
    viewers = [connect(budget, "198.18.0.1") for _ in range(1000)]
    news = b"n" * 600
    for viewer in viewers:
        viewer.account.hold(news)
    assert budget.total.held == 600
    for viewer in viewers[1:]:
        viewer.account.release(news)
    assert budget.total.held == 600
    viewers[0].account.close()
    assert budget.total.held == 0
    assert not any(viewer.evicted for viewer in viewers)


def test_one_address_does_not_use_up_what_others_need() -> None:
    """Its own connections go when it holds too much; its queries are refused while it is full."""
    budget = Budget(MANY, 2 * PLEDGE, MANY, Clock())
    first, second, other = connect(budget, "a"), connect(budget, "a"), connect(budget, "b")
    first.write(PLEDGE)
    assert second.account.pledge()
    assert not second.account.pledge()
    assert other.account.pledge()
    assert budget.refused == 1
    first.write(PLEDGE)
    assert (first.evicted, second.evicted, other.evicted) == (True, False, False)
    second.account.redeem()
    assert second.account.pledge()


def test_a_program_of_this_host_is_held_to_no_share_of_an_address() -> None:
    """What belongs to no address in particular is bounded by the process's budget only."""
    budget = Budget(MANY, 1000, MANY, Clock())
    local = connect(budget)
    local.write(1_000_000)
    assert local.account.pledge()
    assert not local.evicted


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(1, 90)), max_size=40))
def test_the_sums_are_those_of_the_parts(steps: list[tuple[int, int, int]]) -> None:
    """Whatever comes and goes, a pool holds what its accounts do, and nothing is left when all are gone."""
    budget = Budget(700, 400, MANY, Clock())
    holders = [connect(budget, "ab"[number % 2]) for number in range(4)]
    shared = [bytes([n]) * 50 for n in range(4)]
    waiting: list[list[bytes]] = [[] for _ in holders]
    for number, what, size in steps:
        holder, kept = holders[number], waiting[number]
        match what:
            case 0:
                holder.write(size)
            case 1:
                holder.buffered = max(0, holder.buffered - size)
            case 2:
                kept.append(shared[size % 4])
                holder.account.hold(kept[-1])
            case 3 if kept:
                holder.account.release(kept.pop(0))
            case 4:
                holder.buffered = 0
                holder.account.drained()
            case 5:
                holder.account.belong("abc"[size % 3])
            case 6:
                budget.in_flight()
        check(budget, holders)
    for holder in holders:
        holder.account.close()
    assert (budget.total.own, budget.total.shared, budget._addresses) == (0, 0, {})


def check(budget: Budget, holders: list[Holder]) -> None:
    for pool in (budget.total, *budget._addresses.values()):
        held: dict[int, Any] = {id(data): data for a in pool.accounts for data in a._held}
        assert pool.own == sum(account.own for account in pool.accounts)
        assert pool.shared == sum(map(len, held.values()))
        assert pool.held <= pool.limit
    assert budget.total.accounts == {h.account for h in holders if not h.evicted}
