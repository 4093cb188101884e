"""`realmctl bench`: its options, and what runs for them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from .model import Plan, Result

#: Exit codes: a wrong command line; nothing to drive; the load side gave out, so the figures are no good.
USAGE, UNREACHABLE, UNTRUSTED, INTERRUPTED = 2, 1, 3, 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `realmctl bench`."""
    number, share = _least(int, 0), _least(float, 0.0)
    run = parser.add_argument_group("what to drive, and how")
    run.add_argument("--url", default="http://127.0.0.1:18800", help="the server (default %(default)s)")
    run.add_argument("--spawn", action="store_true", help="start a realm of its own and drive that")
    run.add_argument("--pid", type=int, help="the server's process (default: found by its port)")
    run.add_argument("--agents", type=number, default=10, metavar="N", help="agents that move")
    run.add_argument("--rate", type=share, default=10.0, metavar="HZ", help="moves a second of each agent")
    run.add_argument("--via", choices=("http", "ws"), default="http", help="how agents speak")
    run.add_argument("--agents-view", action="store_true", help="each agent watches itself, over WebSocket")
    run.add_argument("--viewers", type=number, default=10, metavar="M", help="WebSockets that watch")
    run.add_argument("--looks", type=share, default=0.0, metavar="HZ", help="viewport messages of each")
    run.add_argument(
        "--deflate", type=share, nargs="?", const=1.0, default=0.0, metavar="SHARE",
        help="share of viewers that offer permessage-deflate (default: none; alone: all)",
    )  # fmt: skip
    run.add_argument(
        "--batch", type=share, nargs="?", const=1.0, default=0.0, metavar="SHARE",
        help="share of viewers that take one message a tick, if the server is a realmd",
    )  # fmt: skip
    run.add_argument("--reach", type=share, metavar="UNITS", help="how far from the middle agents roam")
    run.add_argument("--seconds", type=_least(float, 1.0), metavar="S", help="length of the measurement")
    run.add_argument("--ramp", type=share, metavar="S", help="time to connect everybody")
    run.add_argument("--churn", type=share, default=0.0, metavar="HZ", help="viewers replaced a second")
    run.add_argument("--chat", type=share, default=0.0, metavar="HZ", help="lines of chat a second")
    run.add_argument("--soak", action="store_true", help="30 min with churn and chat; watches the memory")
    run.add_argument("--tick-ms", type=_least(int, 20), metavar="MS", help="tick of a realm it starts")
    whole = parser.add_argument_group("whole measurements, each on realms of its own")
    which = whole.add_mutually_exclusive_group()
    which.add_argument("--capacity", action="store_true", help="find what this machine holds: sizing table")
    which.add_argument("--figures", action="store_true", help="measure what realmd promises")
    whole.add_argument("--only", metavar="WORDS", help="only the figures whose name holds these words")
    whole.add_argument("--date", help="date to write down (default: today)")
    whole.add_argument("--commit", help="commit to write down (default: of the checkout, if any)")
    out = parser.add_argument_group("where results go")
    out.add_argument("--json", type=Path, metavar="FILE", help="also write the result as JSON")
    out.add_argument("--html", type=Path, metavar="FILE", help="also write one self-contained page")
    out.add_argument("--rst", type=Path, metavar="FILE", help="also renew the tables in this document")


def bench(arguments: argparse.Namespace) -> int:
    """Drive a running realm, or any server that speaks the classic protocol, and measure it from outside."""
    try:
        import picows  # noqa: F401
    except ImportError:
        print(
            "realmctl bench needs more packages; in a checkout: .venv/bin/pip install -e '.[bench]'",
            file=sys.stderr,
        )
        return USAGE
    if arguments.agents_view and arguments.via != "ws":
        print("--agents-view needs --via ws: an agent over HTTP has no socket to watch by", file=sys.stderr)
        return USAGE
    from .load import Unreachable
    from .spawn import NotStarted

    try:
        if arguments.capacity:
            return _capacity(arguments)
        return _figures(arguments) if arguments.figures else _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (Unreachable, NotStarted, OSError, ValueError) as error:
        print(f"realmctl bench: {error}", file=sys.stderr)
        return UNREACHABLE


def plan_of(arguments: argparse.Namespace) -> Plan:
    """The run that the options describe."""
    from .model import Plan

    soak = arguments.soak
    people = arguments.agents + arguments.viewers
    return Plan(
        url=arguments.url, agents=arguments.agents, rate=arguments.rate, via=arguments.via,
        viewers=arguments.viewers, looks=arguments.looks or float(soak),
        seconds=arguments.seconds or (1800.0 if soak else 30.0),
        ramp=people / 500 if arguments.ramp is None else arguments.ramp,
        reach=arguments.reach, agents_view=arguments.agents_view,
        deflate=min(arguments.deflate, 1.0), batch=min(arguments.batch, 1.0),
        churn=arguments.churn or float(soak), chat=arguments.chat or float(soak),
        pid=arguments.pid, soak=soak,
    )  # fmt: skip


def _run(arguments: argparse.Namespace) -> int:
    from msgspec.structs import replace

    from .spawn import Setting, Spawned, pin_load

    plan = plan_of(arguments)
    if not arguments.spawn:
        return _drive(arguments, plan)
    with Spawned(Setting(tick_ms=arguments.tick_ms or 100)) as realm:
        pin_load()
        return _drive(arguments, replace(plan, url=realm.url, pid=realm.pid))


def _drive(arguments: argparse.Namespace, plan: Plan) -> int:
    from . import page
    from .load import run
    from .machine import this_machine
    from .report import Progress, summary

    machine = this_machine(arguments.date, arguments.commit)
    progress = Progress(sys.stderr, plan)
    result: Result = run(plan, progress)
    progress.done()
    print(summary(result))
    _write(arguments.json, msgspec.json.format(msgspec.json.encode({"machine": machine, "run": result})))
    _write(arguments.html, page.of_run(result, str(machine)).encode())
    return UNTRUSTED if result.load.bottleneck else 0


def _capacity(arguments: argparse.Namespace) -> int:
    from . import capacity, page, sizing, table

    asked = capacity.Asked(seconds=arguments.seconds or 10.0, tick_ms=arguments.tick_ms or 50)
    found = capacity.measure(asked, _say, arguments.date, arguments.commit)
    tables = sizing.tables(found)
    print("\n\n".join(table.text(each) for each in tables), "", found.machine, sep="\n")
    _write(arguments.json, msgspec.json.format(msgspec.json.encode(found)))
    _write(arguments.html, page.of_capacity(found).encode())
    _insert(arguments.rst, "\n".join([*map(table.rst, tables), f"Measured on {found.machine}.\n"]))
    return 0


def _figures(arguments: argparse.Namespace) -> int:
    from . import figures, table

    soak = arguments.seconds or 1800.0
    work = figures.rows(min(soak, 30.0), soak)
    work = [row for row in work if (arguments.only or "") in row.name]
    if not work:
        print(f"realmctl bench: no figure's name holds {arguments.only!r}", file=sys.stderr)
        return USAGE
    found = figures.measure(work, _say, arguments.date, arguments.commit)
    drawn = figures.table(found)
    print(table.text(drawn))
    _write(arguments.json, msgspec.json.format(msgspec.json.encode(found)))
    _insert(arguments.rst, table.rst(drawn))
    return UNTRUSTED if any(row.result.load.bottleneck for row in found.rows) else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _write(path: Path | None, content: bytes) -> None:
    if path is not None:
        path.write_bytes(content)


def _insert(path: Path | None, tables: str) -> None:
    from .table import between

    if path is not None:
        old = path.read_text("utf-8") if path.exists() else ""
        path.write_text(between(old, tables), "utf-8")


def _least(kind: type[int] | type[float], least: float) -> Callable[[str], float]:
    """A type for argparse: a number no less than `least`."""

    def number(text: str) -> float:
        value = kind(text)
        if not value >= least or value == float("inf"):
            raise argparse.ArgumentTypeError(f"{text}: a number from {least:g} is needed")
        return value

    number.__name__ = kind.__name__
    return number
