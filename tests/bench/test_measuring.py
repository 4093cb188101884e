"""Percentiles, the kernel's counts, drift and bisection: the arithmetic of the load tool."""

from __future__ import annotations

import math
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realmd.bench import procfs
from realmd.bench.gauge import bottlenecks, drift, tick_buckets, ticks_between
from realmd.bench.histogram import Histogram
from realmd.bench.search import Verdict, bisect

STAT = "{pid} (realmd (a b) {pid}) S {parent} 1 1 0 -1 4194304 9 9 0 0 {u} {s} {cu} {cs} 20 0 3 0 99 9 9\n"
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:4970 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7001 1 0 100 0
   1: 0100007F:4970 0100007F:B4D2 01 00000000:00000000 00:00000000 00000000     0        0 7002 1 0 20 4
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7003 1 0 100 0
"""


@given(st.lists(st.floats(1e-5, 100), min_size=1), st.integers(1, 100))
def test_a_percentile_is_right_within_a_hundredth(samples: list[float], percent: int) -> None:
    """The percentile shown is never less than the true one, and at most 1 % more."""
    histogram = Histogram()
    for sample in samples:
        histogram.add(sample)
    true = sorted(samples)[max(1, math.ceil(len(samples) * percent / 100)) - 1]
    shown = histogram.percentile(percent)
    assert shown is not None
    assert true * 0.999999 <= shown <= true * 1.010001
    assert (histogram.count, histogram.greatest) == (len(samples), max(samples))


def test_no_samples_have_no_percentile() -> None:
    """Nothing seen is shown as nothing, not as zero."""
    assert Histogram().percentile(99) is None


def recorded(root: Path) -> Path:
    """A small /proc: a server 50 with a child 51, and somebody else's process 60."""
    for pid, parent, ticks in ((50, 1, (100, 20, 3, 1)), (51, 50, (10, 0, 0, 0)), (60, 1, (9, 9, 9, 9))):
        home = root / str(pid)
        (home / "fd").mkdir(parents=True)
        user, system, waited_user, waited_system = ticks
        (home / "stat").write_text(
            STAT.format(pid=pid, parent=parent, u=user, s=system, cu=waited_user, cs=waited_system)
        )
        (home / "status").write_text("Name:\trealmd\nVmPeak:\t 9 kB\nVmRSS:\t    2048 kB\nThreads:\t3\n")
        (home / "smaps_rollup").write_text("00400000-7fff ---p 00000000 00:00 0\nRss: 9 kB\nPss: 1024 kB\n")
    for pid in (50, 51):
        (root / str(pid) / "fd" / "4").symlink_to("socket:[7001]")
    (root / "net").mkdir()
    (root / "net" / "tcp").write_text(TCP)
    (root / "stat").write_text("cpu  100 1 20 5000 7 3 4 50 0 0\ncpu0 1 1 1 1 1 1 1 0 0 0\n")
    return root


def test_a_server_is_counted_with_its_children(tmp_path: Path) -> None:
    """CPU, memory and threads are those of the server and all it started, and of nobody else."""
    tick = os.sysconf("SC_CLK_TCK")
    used = procfs.usage(50, recorded(tmp_path), pss=True)
    assert used == procfs.Usage(134 / tick, 2 * 2_097_152, 2 * 1_048_576, 6, 2)
    assert procfs.usage(99, tmp_path) is None
    assert procfs.busy(tmp_path) == 128 / tick


def test_the_server_is_found_by_its_port(tmp_path: Path) -> None:
    """Of those who hold the listening socket the eldest is taken; connections to it do not count."""
    assert procfs.find_listener(0x4970, recorded(tmp_path)) == 50
    assert procfs.find_listener(0xB4D2, tmp_path) is None


def test_a_real_listener_is_found() -> None:
    """The kernel of today still tells it the way it was recorded."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert procfs.find_listener(listening.getsockname()[1]) == os.getpid()
    used = procfs.usage(os.getpid())
    assert used is not None
    assert used.rss > 1_000_000


@given(st.integers(0, 5000), st.integers(1, 600), st.integers(1, 5000))
def test_bisection_finds_the_most_that_holds(truth: int, start: int, highest: int) -> None:
    """What is found holds, and a tenth more does not, unless nothing more was allowed."""

    def probe(number: int) -> tuple[Verdict, int]:
        return ("holds" if number <= truth else "fails"), number

    found = bisect(probe, start, highest)
    numbers = [number for number, _, _ in found.probes]
    assert len(set(numbers)) == len(numbers)
    if truth >= highest:
        assert (found.most, found.limit) == (highest, False)
    else:
        assert found.limit
        assert found.most <= truth <= found.most + max(1, found.most // 10)


def test_a_load_side_that_gives_out_bounds_nothing() -> None:
    """When it was the load side that failed, the number found is a lower bound and says so."""
    answers: dict[int, Verdict] = {10: "holds", 20: "holds", 40: "unknown"}
    found = bisect(lambda n: (answers.get(n, "holds"), None), 10, 1000)
    assert found.most >= 20
    assert not found.limit


def test_memory_that_grows_is_seen_and_memory_that_warms_up_is_not() -> None:
    """A soak's drift leaves the warm-up out, and is not fooled by a short run."""
    flat = drift([10] * 30 + [100] * 270)
    grown = drift([100 + n // 30 for n in range(300)])
    assert flat is not None
    assert grown is not None
    assert (flat.percent, flat.least, flat.most) == (0, 100, 100)
    assert grown.percent == pytest.approx(8.9, abs=1.5)
    assert drift([1] * 20) is None


def test_the_load_side_says_when_it_was_the_limit() -> None:
    """A busy core or a late loop is named; neither means nothing to say."""
    assert bottlenecks(50.0, 5.0) == []
    assert len(bottlenecks(95.0, 5.0)) == len(bottlenecks(50.0, 60.0)) == 1


def test_the_ticks_of_a_realm_are_read_from_its_metrics() -> None:
    """Only the ticks between two readings count; a server without such metrics has none."""
    page = (
        '# TYPE realmd_tick_seconds histogram\nrealmd_tick_seconds_bucket{{le="0.01"}} {}\n'
        'realmd_tick_seconds_bucket{{le="+Inf"}} {}\n'
        "realmd_tick_seconds_count {}\nrealmd_tick_seconds_sum 1\n"
    )
    before, after = tick_buckets(page.format(5, 6, 6)), tick_buckets(page.format(15, 17, 17))
    ticks = ticks_between(before, after)
    assert ticks is not None
    assert (ticks.count, ticks.percentile(50), ticks.percentile(99)) == (11, pytest.approx(0.01, 0.01), 10.0)
    assert tick_buckets("<html>not found</html>") == {}
    assert ticks_between({}, {}) is None
