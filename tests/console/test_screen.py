"""What `realmctl status` and `realmctl top` show."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realmd.console import screen
from realmd.console.look import colourful

HEALTH: dict[str, Any] = {
    "status": "degraded", "uptime": 93_784, "version": "3.0.0",
    "agents": {"active": 1, "total": 50, "inhabitants": 4, "known": 9},
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
    "realmd_storage_available": 0.0,
}  # fmt: skip
RECENT: dict[str, Any] = {
    "seconds": 300.0, "cpu": 81.5, "tickMs": 0.5, "ticksMissed": 3, "commitMs": None, "pingMs": 30.0,
    "messagesIn": 1234.5, "errors": 2.25,
}  # fmt: skip
SAMPLES = st.lists(
    st.dictionaries(st.sampled_from([field for _, field, _, _ in screen.GRAPHS]), st.floats(0, 1e12)),
    max_size=99,
)


def test_status_is_one_screen() -> None:
    """What matters, in words, within 80 columns and 24 lines."""
    lines = list(screen.summary(HEALTH, METRICS, RECENT, "http://127.0.0.1:18800"))
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for said in (
        "realmd 3.0.0 at http://127.0.0.1:18800, up 1 d 2 h", "degraded",
        "4 inhabitants, 1 of 50 seats taken, 9 known",
        "3 WebSockets (expected: 75 at most), 4 in all, this one too", "86 MiB of 100 MiB (86 %)",
        "3.0 GiB free of 20.0 GiB (85 % full)", "0.50 ms a tick, 3 missed", "NOT available",
        "in the last 5 min", "81.5 % of one core", "no commit", "30.00 ms a ping",
        "1234.5/s, 2.25 % went wrong",
        "✗ alerts     degraded: disk (warning): over 80 % full",
    ):  # fmt: skip
        assert said in text


def test_status_in_colour_says_the_same_and_breaks_at_words() -> None:
    """A terminal shows what is well in green; what is longer than a line goes on below what it says."""
    long = {
        **HEALTH,
        "checks": {"alerts": {"status": "degraded", "reason": "disk (warning): " + "word " * 30}},
    }
    plain = list(screen.summary(long, METRICS, RECENT, "http://[::1]:1", columns=60))
    painted = list(screen.summary(long, METRICS, RECENT, "http://[::1]:1", columns=60, paint=colourful))
    assert [re.sub(r"\x1b\[\d*m", "", line) for line in painted] == plain
    assert painted[1] == "status       \x1b[33mdegraded\x1b[0m"
    assert max(map(len, plain)) <= 60
    assert plain[-1].startswith(" " * 13 + "word")


def test_status_without_metrics() -> None:
    """Behind a proxy that hides /metrics it is all that is told elsewhere, and why there is no more."""
    hidden = "https://realm.example/metrics answers 404"
    lines = list(screen.summary(HEALTH, {}, RECENT, "https://realm.example", hidden))
    assert lines[1:5] == [
        "status       degraded", "agents       4 inhabitants, 1 of 50 seats taken, 9 known",
        f"figures      none: {hidden}", "in the last 5 min:",
    ]  # fmt: skip
    assert not any("memory" in line for line in lines)


def test_top_shows_everything_on_a_small_terminal() -> None:
    """All figures that the alerts are about, and what is not well, fit into 80 columns and 24 lines."""
    newest = {"cpu": 97.5, "disk": 81, "pingMs": 230, "errors": 1.5}
    lines = screen.top({"health": HEALTH, "samples": [newest]}, "http://[::1]:18800", 80, 23, colour=False)
    shown = {line.split()[0]: line for line in lines if line}
    assert {name: shown[name].split()[1] for name in ("cpu", "disk", "latency", "errors")} == {
        "cpu": "97.5", "disk": "81", "latency": "230", "errors": "1.5",
    }  # fmt: skip
    assert lines[-1] == "✗ alerts     degraded: disk (warning): over 80 % full"


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
