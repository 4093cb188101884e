"""What `realmctl status` and `realmctl top` show."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realmd.console import screen

HEALTH: dict[str, Any] = {
    "status": "degraded", "uptime": 93_784, "version": "3.0.0", "agents": {"active": 5, "total": 9},
    "checks": {
        "tick": {"status": "ok", "figures": {}},
        "alerts": {"status": "degraded", "reason": "disk (warning): over 80 % full"},
    },
}  # fmt: skip
METRICS = {
    "realmd_seats": 50.0, "realmd_seats_taken": 1.0, "realmd_websocket_connections": 3.0,
    "realmd_connections": 4.0, "realmd_connections_expected": 75.0,
    "realmd_memory_used_bytes": 86 * 1_048_576.0, "realmd_memory_limit_bytes": 100 * 1_048_576.0,
    "realmd_disk_free_bytes": 3 * 1_073_741_824.0, "realmd_disk_size_bytes": 20 * 1_073_741_824.0,
    "realmd_tick_seconds_sum": 0.5, "realmd_tick_seconds_count": 1000.0, "realmd_storage_available": 0.0,
    "realmd_websocket_ping_seconds_sum": 0.3, "realmd_websocket_ping_seconds_count": 10.0,
    "realmd_websocket_messages_total": 40.0, "realmd_http_requests_total": 60.0,
    "realmd_message_errors_total": 2.0,
}  # fmt: skip
SAMPLES = st.lists(
    st.dictionaries(st.sampled_from([field for _, field, _, _ in screen.GRAPHS]), st.floats(0, 1e12)),
    max_size=99,
)


def test_status_is_one_screen() -> None:
    """What matters, in words, within 80 columns and 24 lines."""
    lines = list(screen.summary(HEALTH, METRICS, "http://127.0.0.1:18800"))
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for said in (
        "realmd 3.0.0 at http://127.0.0.1:18800, up 1 d 2 h", "degraded", "5 present, 1 of 50 seats taken",
        "3 WebSockets (expected: 75 at most), 4 in all", "86 MiB of 100 MiB (86 %)",
        "3.0 GiB free of 20.0 GiB (85 % full)", "0.50 ms on average", "NOT available", "30 ms a ping",
        "100 received, 2 went wrong", "✗ alerts     degraded: disk (warning): over 80 % full",
    ):  # fmt: skip
        assert said in text


@given(SAMPLES, st.integers(20, 200), st.integers(3, 60))
def test_top_fits_any_terminal(samples: list[dict[str, float]], width: int, height: int) -> None:
    """Whatever the figures and the size of the terminal, no line is wider and none is too many."""
    lines = screen.top(
        {"health": HEALTH, "samples": samples}, "http://[::1]:18800", width, height, colour=False
    )
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_a_graph_shows_the_newest_on_the_right() -> None:
    """Bars are in proportion to the greatest, and little is not drawn as much."""
    assert screen.graph([0, 50, 100], 5, 1) == "   ▄█"
    assert screen.graph([9, 9, 1], 2, 1) == "█▁"
    assert screen.graph([0.001], 3, 5.0) == "   "
