"""What the realm tells of its last minutes."""

from __future__ import annotations

from typing import Any, cast

import pytest
from twisted.internet.task import Clock

from realmd.ops.health import Health
from realmd.ops.metrics import Metrics
from realmd.ops.status import COUNTED, EVERY, LAST_MINUTES, Status


class Counts:
    """The totals of a realm, as the test counts them."""

    def __init__(self) -> None:
        self.now = dict.fromkeys(COUNTED, 0.0) | {
            "realmd_agents_present": 1.0, "realmd_websocket_connections": 1.0, "realmd_tick_lag_seconds": 0.0,
            "realmd_memory_resident_bytes": 0.0, "realmd_loop_delay_seconds": 0.0,
            "realmd_disk_free_bytes": 150.0, "realmd_disk_size_bytes": 1000.0,
        }  # fmt: skip

    def totals(self) -> dict[str, float]:
        return dict(self.now)


def pass_by(minutes: float, counts: Counts, status: Status, clock: Clock, **grown: float) -> None:
    """Let time pass; each of `grown` grows by so much a second."""
    for _ in range(round(minutes * 60 / EVERY)):
        clock.advance(EVERY)
        for name, more in grown.items():
            counts.now[f"realmd_{name}"] += more * EVERY
        status.sample()


def test_a_slow_hour_after_a_good_week_is_seen() -> None:
    """What is told is of the last minutes: long good times hide no bad one, nor bad ones a good one."""
    counts, clock = Counts(), Clock()
    status = Status(cast(Metrics, counts), cast(Health, None), lambda: 0, clock)
    status.sample()
    tick = dict.fromkeys(("tick_seconds_count", "websocket_messages_total"), 8.0)
    pings = {"websocket_ping_seconds_count": 0.1}
    good = {"tick_seconds_sum": 0.008, "websocket_ping_seconds_sum": 0.001, "process_cpu_seconds_total": 0.02}
    slow: dict[str, Any] = {
        "tick_seconds_sum": 0.8,
        "websocket_ping_seconds_sum": 0.04,
        "process_cpu_seconds_total": 0.9,
        "message_errors_total": 0.4,
    }
    pass_by(600, counts, status, clock, **tick, **pings, **good)
    assert (status.recent().tick_ms, status.recent().ping_ms, status.recent().cpu) == (1.0, 10.0, 2.0)
    pass_by(LAST_MINUTES / 60, counts, status, clock, **tick, **pings, **slow)
    recent, newest = status.recent(), status._samples[-1]
    assert recent.seconds == LAST_MINUTES
    assert (recent.tick_ms, recent.ping_ms, recent.cpu) == (100.0, 400.0, 90.0)
    assert (recent.errors, recent.commit_ms) == (5.0, None)
    assert (newest.cpu, newest.ping_ms, newest.errors) == (90.0, 400.0, 5.0)
    assert newest.disk == pytest.approx(85)
    pass_by(LAST_MINUTES / 60, counts, status, clock, **tick, **good)
    assert (status.recent().tick_ms, status.recent().ping_ms, status.recent().errors) == (1.0, None, 0.0)
