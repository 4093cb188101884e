"""What the load tool prints and writes of its measurements."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from realmd.bench import figures, page, reference, report, sizing, table
from realmd.bench.capacity import Asked, Capacity, verdict
from realmd.bench.machine import Machine
from realmd.bench.model import Load, Moves, Plan, Result, Second, Server, Spread, Stream
from realmd.bench.search import Found
from realmd.bench.svg import ticks

MB = 1_048_576
MACHINE = Machine("A <fast> chip", 2, 4096, "6.1", "3.11.2", "3.0.0", "abc123", "2026-01-02", 0.1)
NONE = Stream(0, 0.0, 0.0, 0, 0)


def measured(cpu: float = 12.0, p99: float = 80.0, rss: int = 70 * MB, **changed: object) -> Result:
    """One run's result with what matters to a test."""
    result = Result(
        plan=Plan(agents=10, viewers=10),
        seconds=10.0,
        moves=Moves(1000, 1000, 0, 1000, {}, {}, 990, 10, 0, 0, 0),
        latency=Spread(1000, 40.0, 70.0, p99, 99.0),
        answers=Spread(0, None, None, None, None),
        viewers=Stream(5, 100.0, 12_000.0, 990, 1000),
        deflated=Stream(5, 100.0, 2_000.0, 990, 1000),
        agent_sockets=NONE,
        upload=2_048.0,
        closes={},
        not_connected={},
        server=Server(1, cpu, 50 * MB, 60 * MB, rss, rss, rss, 3, 1, 1.0, 5.0),
        load=Load(20.0, 2.0, 5.0, 1.0, [], "uvloop"),
        series=[Second(float(n), 100.0, 500.0, 9e4, cpu, rss, 40.0, p99, 1.0, 20.0) for n in (1, 2)],
    )
    return replace(result, **changed)


def capacity(agents: Found[Result], users: dict[int, Result]) -> Capacity:
    """A whole measurement."""
    some = measured()
    return Capacity(
        asked=Asked(),
        machine=MACHINE,
        apart=True,
        ready_after=0.4,
        idle=measured(cpu=0.8),
        users=users,
        connections=some,
        standing=some,
        agents=agents,
        viewers=Found(500, True, [(500, "holds", some)]),
    )


class Reader(HTMLParser):
    """Fails on what is not closed, collects what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A closed shape of a plot."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_sizing_table_holds_measured_beside_reference() -> None:
    """Rows of the reference stand beside what was measured, and the smallest server with its cost."""
    found = capacity(Found(93, True, [(93, "holds", measured())]), {10: measured(), 50: measured(cpu=96)})
    shown = "\n\n".join(table.text(each) for each in sizing.tables(found))
    assert "agents at 10 Hz over HTTP, 10 viewers  93" in shown
    assert "10 users  100 moves a second  12.0 %     40 / 80 ms         15-30 %" in shown
    assert "0-10   12 % of a core, 70 MB  1 core, 1 GB     $5            1 core, 512 MB" in shown
    assert "31-50  96 % of a core, 70 MB  none of these" in shown
    memory = sizing.tables(found)[3]
    assert memory.rows[1] == ("each connection", "10.2 KB", "of 1000 WebSockets", "2-5 MB")
    traffic = sizing.tables(found)[4].rows[1]
    assert traffic == ("50 users", "100 KB/s", "586 KB/s", "97.7 KB/s", "50-100 KB/s", "250-500 KB/s")


def test_a_search_that_the_load_side_ended_says_at_least() -> None:
    """Where this side gave out, the number is a lower bound and is called one."""
    found = Found(400, False, [(400, "holds", measured()), (800, "unknown", measured())])
    row = sizing.tables(capacity(found, {}))[0].rows[0]
    assert (row[1], row[-1]) == ("at least 400", "the load side")


@pytest.mark.parametrize("whole", [True, False])
def test_the_page_asks_nobody_for_anything(whole: bool) -> None:
    """Both pages are well-formed, self-contained, escape what they quote, and read in the dark."""
    found = capacity(Found(93, True, [(93, "holds", measured())]), {1: measured(), 50: measured()})
    text = page.of_capacity(found) if whole else page.of_run(measured(), str(MACHINE))
    reader = Reader()
    reader.feed(text)
    assert (reader.open, reader.fetched) == ([], [])
    assert "A &lt;fast&gt; chip" in text
    assert "prefers-color-scheme:dark" in text
    assert text.count("<svg") == 4


def test_a_run_without_samples_is_still_a_page() -> None:
    """No viewers, a remote server: what is not known is not drawn, and nothing breaks."""
    nothing = Spread(0, None, None, None, None)
    result = measured(latency=nothing, server=None, series=[], viewers=NONE, deflated=NONE)
    assert "no samples" in page.of_run(result, "x")
    assert "not on this machine" in report.summary(result)


def test_a_load_side_at_its_limit_is_warned_of() -> None:
    """Figures that this side spoilt are marked in the summary, on the page and in the table of figures."""
    result = measured(load=Load(99.0, 80.0, 99.0, 0.0, ["the load side used 99 % of its core"], "asyncio"))
    assert "WARNING     the load side was the bottleneck: the load side used 99 %" in report.summary(result)
    assert "The load side was the bottleneck" in page.of_run(result, "x")
    drawn = figures.table(figures.Figures(MACHINE, [figures.Measured("work", [], result)]))
    assert drawn.rows == [("", "not to be trusted", "the load side used 99 % of its core", "", "")]
    assert verdict(replace(result, closes={"lost": 1}), 100) == "unknown"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "holds"),
        ({"latency": Spread(9, 1.0, 1.0, 101.0, 200.0)}, "fails"),
        ({"latency": Spread(0, None, None, None, None)}, "fails"),
        ({"closes": {"1013 too slow": 1}}, "fails"),
        ({"not_connected": {"TimeoutError": 1}}, "fails"),
        ({"moves": Moves(1000, 900, 100, 900, {}, {}, 900, 0, 0, 0, 0)}, "fails"),
        ({"moves": Moves(1000, 1000, 0, 1000, {"busy": 1}, {}, 999, 0, 0, 0, 0)}, "fails"),
    ],
)
def test_a_server_holds_when_all_is_sent_seen_and_nobody_lost(
    changed: dict[str, object], expected: str
) -> None:
    """Latency alone is not enough: refusals, closes and moves not sent count against it."""
    assert verdict(measured(**changed), 100) == expected  # type: ignore[arg-type]


def test_the_promised_figures_are_judged() -> None:
    """Each figure is shown with its target and whether it was reached."""
    row = figures.rows()[0]
    checks = list(row.checks(measured(), row.setting))
    assert [(c.name, c.measured, c.target, c.held) for c in checks] == [
        ("CPU", "12.0 % of a core", "<= 15 % of a core", True),
        ("p99 move to sight", "80.0 ms", "<= 115 ms", True),
        ("resident", "70.0 MB", "<= 60 MB", False),
    ]
    assert [len(list(row.checks(measured(), row.setting))) for row in figures.rows()] == [3, 2, 3, 4, 4, 2, 2]


def test_progress_is_one_line() -> None:
    """A second is told in one line that fits a wide terminal."""
    line = report.progress_line(Plan(), measured().series[0], 2)
    assert "closed 2" in line
    assert len(line) < 160


def test_only_what_was_measured_is_replaced_in_a_document(tmp_path: Path) -> None:
    """A run renews the tables between the marks, and leaves the prose around them alone."""
    document = "Title\n\n.. measured: begin\n\nold\n\n.. measured: end\n\nThe rest.\n"
    once = table.between(document, "new\n")
    assert once == document.replace("old", "new")
    assert table.between(once, "new") == once
    assert table.between("", "new").splitlines()[2] == "new"


def test_results_read_back_as_they_were_written() -> None:
    """The JSON files in bench/results can be read by the code that wrote them."""
    found = capacity(Found(93, True, [(93, "holds", measured())]), {1: measured()})
    assert msgspec.json.decode(msgspec.json.encode(found), type=Capacity) == found


def test_the_smallest_server_leaves_room() -> None:
    """A server is chosen by CPU and memory, with the reserve that the reference's alerts ask for."""
    assert str(reference.smallest(79, 600)) == "1 core, 1 GB"
    assert str(reference.smallest(79, 700)) == "1 core, 2 GB"
    assert reference.smallest(81, 100) is None


@given(st.floats(1e-3, 1e9))
def test_an_axis_has_few_round_numbers(highest: float) -> None:
    """Axes begin at 0, reach the highest value, and never crowd."""
    marks = ticks(highest)
    assert marks[0] == 0
    assert marks[-1] >= highest * 0.999
    assert 2 <= len(marks) <= 8
