"""Turns: answers that come all at once are given a slice at a time, and nobody who left is waited for."""

from __future__ import annotations

import itertools

from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from realmd.gateway.turns import NOBODY, Lane, Turns


def test_a_burst_of_answers_leaves_time_for_others() -> None:
    """Of a hundred answers that are ready at once, each turn gives some, in order; none is lost."""
    clock = Clock()
    turns = Turns(clock)
    given: list[int] = []

    def answer(number: int) -> None:
        clock.rightNow += 0.004
        given.append(number)

    for number in range(100):
        turns.do(lambda number=number: answer(number))  # type: ignore[misc]
    rounds = [len(given)]
    while calls := clock.getDelayedCalls():
        calls[0].cancel()
        turns._turn()  # the clock itself would go on until none is left
        rounds.append(len(given))
    assert given == [*range(100)]
    assert max(b - a for a, b in itertools.pairwise([0, *rounds])) <= 3


def test_an_answer_that_fails_keeps_no_other() -> None:
    """It is logged, and the next is given."""
    turns, given = Turns(Clock()), []
    with capturedLogs() as logged:
        turns.do(lambda: given[0])
        turns.do(lambda: given.append("next"))
    assert given == ["next"]
    assert [event["log_failure"].type for event in logged] == [IndexError]


def test_who_has_left_waits_no_more() -> None:
    """However many come, ask and go before their turn, the queue keeps only those who are still there."""
    turns = Turns(Clock())
    turns.do(lambda: setattr(turns, "_spent", 1.0))
    lanes = []
    for _ in range(1000):
        lane = Lane(turns, NOBODY, lambda piece: None, lambda: True)
        lane.take(b"x")
        lanes.append(lane)
    for lane in lanes[:990]:
        lane.forget()
    assert len(turns._queue) <= 20
    assert all(lane.queued for lane in lanes[990:])
