"""The figures realmd promises, each row measured on a realm started for it, beside its target."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from . import load
from .machine import Machine, this_machine
from .model import Plan, Result
from .sizing import KB, MB, server_of
from .spawn import Setting, Spawned, pin_load
from .table import Cells, Table

Say = Callable[[str], None]


class Check(Struct, frozen=True):
    """One figure of a row; `held` says whether the target was reached."""

    name: str
    measured: str
    target: str
    held: bool


class Row(Struct, frozen=True):
    """One piece of work, and what is expected of it."""

    name: str
    plan: Plan
    setting: Setting
    checks: Callable[[Result, Setting], Iterable[Check]]


class Measured(Struct, frozen=True):
    """A row's outcome."""

    name: str
    checks: list[Check]
    result: Result


class Figures(Struct, frozen=True):
    """All rows of one run."""

    machine: Machine
    rows: list[Measured]


def below(name: str, value: float | None, most: float, unit: str) -> Check:
    """A figure that shall be no more than `most`."""
    shown = "-" if value is None else f"{value:.1f} {unit}"
    return Check(name, shown, f"<= {most:g} {unit}", value is not None and value <= most)


def cpu(result: Result, most: float) -> Check:
    return below("CPU", server_of(result).cpu, most, "% of a core")


def p99(result: Result, most: float) -> Check:
    return below("p99 move to sight", result.latency.p99, most, "ms")


def lost(result: Result) -> Check:
    """Viewers that the server closed, or that could not come in."""
    number = sum(result.closes.values()) + sum(result.not_connected.values())
    return Check("viewers lost", str(number), "0", number == 0)


def fifty(result: Result, setting: Setting) -> Iterable[Check]:
    yield cpu(result, 15)
    yield p99(result, setting.tick_ms + 15)
    yield below("resident", server_of(result).rss / MB, 60, "MB")


def five_hundred(result: Result, setting: Setting) -> Iterable[Check]:
    yield cpu(result, 25)
    yield p99(result, setting.tick_ms + 40)


def five_thousand(result: Result, setting: Setting) -> Iterable[Check]:
    server = server_of(result)
    yield cpu(result, 60)
    each = (server.rss_connected - server.rss_before) / result.plan.viewers / KB
    yield below("a connection", each, 20, "KB")
    yield lost(result)


def thousand_agents(result: Result, setting: Setting) -> Iterable[Check]:
    yield cpu(result, 80)
    tick = server_of(result).tick_p99
    # Our own histogram adds some hundredths to the bound that the server told.
    yield below("p99 tick (upper bound)", None if tick is None else round(tick, 1), 50, "ms")
    yield p99(result, 150)
    yield below("frames an agent", result.agent_sockets.frames, float("inf"), "a second")


def deflated(result: Result, setting: Setting) -> Iterable[Check]:
    plain, less = result.viewers.bytes, result.deflated.bytes
    yield below("compressed, of plain", less / plain if plain and less else None, 1 / 6, "")
    yield below("plain", plain / KB, float("inf"), "KB/s")


#: Of what a measurement saw each second, every so-manieth is kept.
SAMPLED: Final = 60


def soak(result: Result, setting: Setting) -> Iterable[Check]:
    drift = result.drift
    yield below("memory, last tenth over first", abs(drift.percent) if drift else None, 2, "%")
    yield lost(result)


_SOCKETS: Final = Plan(agents=1000, rate=5, via="ws", viewers=0, agents_view=True, ramp=10, warmup=5)


def rows(seconds: float = 30.0, soak_seconds: float = 1800.0) -> list[Row]:
    """The work, in the order it is done."""
    usual = Setting()
    work = [
        Row("50 agents x 10 Hz over HTTP, 50 viewers", Plan(agents=50, viewers=50), usual, fifty),
        Row("50 agents x 10 Hz, 500 viewers", Plan(agents=50, viewers=500, ramp=2), usual, five_hundred),
        Row(
            "10 agents x 1 Hz, 5,000 viewers",
            Plan(agents=10, rate=1, viewers=5000, ramp=15, warmup=6), usual, five_thousand,
        ),
        Row(
            "1,000 agents x 5 Hz over WebSocket, each a viewer, 1,000 x 1,000 units",
            replace(_SOCKETS, reach=500), Setting(half=500), thousand_agents,
        ),
        Row(
            "1,000 agents x 5 Hz over WebSocket, each a viewer, 100 x 100 units",
            replace(_SOCKETS, reach=50), usual, thousand_agents,
        ),
        Row(
            "a crowd of 50 walking agents, compressed against plain",
            Plan(agents=50, viewers=40, deflate=0.5, batch=0.5), usual, deflated,
        ),
    ]  # fmt: skip
    lasting = Plan(
        agents=50,
        viewers=50,
        looks=1,
        churn=1,
        chat=1,
        deflate=0.5,
        batch=0.25,
        soak=True,
        seconds=soak_seconds,
        warmup=5,
    )
    timed = [Row(r.name, replace(r.plan, seconds=seconds), r.setting, r.checks) for r in work]
    return [*timed, Row(f"{soak_seconds / 60:g} min at 10 x, with churn and chat", lasting, usual, soak)]


def measure(work: list[Row], say: Say, date: str | None = None, commit: str | None = None) -> Figures:
    """Do the work, a row after the other."""
    machine = this_machine(date, commit)
    pin_load()
    found = []
    for row in work:
        say(row.name)
        with Spawned(row.setting) as realm:
            result = load.run_whole(replace(row.plan, url=realm.url, pid=realm.pid))
        thinned = replace(result, series=result.series[::SAMPLED])
        found.append(Measured(row.name, list(row.checks(result, row.setting)), thinned))
    return Figures(machine, found)


def table(figures: Figures) -> Table:
    """Measured against target."""
    lines: list[Cells] = []
    for row in figures.rows:
        for number, check in enumerate(row.checks):
            unlimited = check.target.startswith("<= inf")
            lines.append(
                (
                    "" if number else row.name,
                    check.name,
                    check.measured,
                    "" if unlimited else check.target,
                    "" if unlimited else "reached" if check.held else "missed",
                )
            )
        for why in row.result.load.bottleneck:
            lines.append(("", "not to be trusted", why, "", ""))
    return Table("Figures", ("work", "figure", "measured", "target", ""), lines, f"{figures.machine}.")
