"""One self-contained HTML page: a headline, plots and tables, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from . import capacity, reference, report, sizing
from .capacity import Capacity
from .model import Result
from .search import Found
from .sizing import MB, server_of
from .svg import Bars, Line, bars, lines
from .table import html

_STYLE: Final = """
:root{color-scheme:light dark;--ground:#fbfbfa;--card:#fff;--ink:#1c1f24;--soft:#667080;--rule:#e6e8eb;
--a:#2563eb;--b:#d97706;--c:#059669;--limit:#dc2626}
@media(prefers-color-scheme:dark){:root{--ground:#121417;--card:#1a1d21;--ink:#e8eaed;--soft:#98a2b0;
--rule:#2b3036;--a:#6ea8fe;--b:#f5b04d;--c:#4ade9f;--limit:#f87171}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:40px 20px 64px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:16px;margin:0 0 10px}
.lead,.note{color:var(--soft)}.lead{margin:0 0 24px}.note{margin:12px 0 0;font-size:13px}
.tiles,.plots{display:grid;gap:16px;margin:0 0 16px}
.tiles{grid-template-columns:repeat(auto-fit,minmax(200px,1fr))}
.plots{grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr))}
section,.tile{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:18px 20px}
.plots section,.tiles .tile{margin:0}section{margin:0 0 16px}
.tile b{display:block;font-size:26px;line-height:1.2;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
.warn{border-color:var(--limit)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:7px 18px 7px 0;border-bottom:1px solid var(--rule);vertical-align:top}
th{color:var(--soft);font-weight:500;font-size:13px}tbody tr:last-child td{border-bottom:0}
pre{margin:0;overflow-x:auto;font:12.5px/1.6 ui-monospace,monospace}
svg{display:block;width:100%;height:auto}
.mid{text-anchor:middle}.end{text-anchor:end}.grid{stroke:var(--rule)}.tick,.name{fill:var(--soft);font-size:14px}.name{font-size:14px}
.value{fill:var(--ink);font-size:14px;text-anchor:middle}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.line.a{stroke:var(--a)}.line.b{stroke:var(--b)}.line.c{stroke:var(--c)}
.dot.a,.bar.a{fill:var(--a)}.dot.b,.bar.b{fill:var(--b)}.bar.faint{fill:var(--b);opacity:.25}
.limit{stroke:var(--limit);stroke-width:1.5;stroke-dasharray:5 4}
.legend{display:flex;gap:18px;font-size:13px;color:var(--soft);margin:0 0 6px}
.key::before{content:"";display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px}
.key.a::before{background:var(--a)}.key.b::before{background:var(--b)}.key.c::before{background:var(--c)}
"""


def of_capacity(found: Capacity) -> str:
    """The page of a capacity measurement."""
    tiles = [
        _tile(
            _most(found.viewers),
            f"viewers of {capacity.WALKING} walking agents, p99 under {found.asked.limit:g} ms",
        ),
        _tile(_most(found.agents), f"agents at {found.asked.rate:g} Hz, p99 under {found.asked.limit:g} ms"),
        _tile(
            f"{sizing.each(found.connections):.1f} KB", f"a connection; the reference: {reference.CONNECTION}"
        ),
        _tile(f"{server_of(found.idle).rss / MB:.0f} MB", f"idle; the reference: {reference.BASE}"),
    ]
    costs = {0: found.idle, **found.users}
    plots = [
        (
            "CPU (percent of a core) by users",
            bars(
                [
                    Bars(_users(n), server_of(costs[n]).cpu, told.low, told.high)
                    for n, told in reference.CPU.items()
                    if n in costs
                ],
                "percent of a core",
                ("measured", "reference"),
            ),
        ),
        (
            "Memory (MB) by users",
            bars(
                [
                    Bars(_users(n), server_of(costs[n]).rss / MB, told.low, told.high)
                    for n, told in {0: reference.BASE, **reference.MEMORY}.items()
                    if n in costs
                ],
                "MB",
                ("measured", "reference"),
            ),
        ),
        ("Latency by viewers", _searched(found.viewers, "viewers", found.asked.limit)),
        ("Latency by agents", _searched(found.agents, "agents", found.asked.limit)),
    ]
    body = "".join(html(table) for table in sizing.tables(found))
    return _page("What this machine holds", str(found.machine), tiles, plots, body)


def of_run(result: Result, machine: str) -> str:
    """The page of one run."""
    plan, series = result.plan, result.series
    latency = result.latency
    tiles = [
        _tile(
            "-" if latency.p99 is None else f"{latency.p99:.0f} ms",
            "p99 from a move sent to its position seen",
        ),
        _tile("-" if latency.p50 is None else f"{latency.p50:.0f} ms", "median"),
    ]
    if (server := result.server) is not None:
        tiles += [
            _tile(f"{server.cpu:.0f} %", "of a core, the server"),
            _tile(f"{server.rss / MB:.0f} MB", "resident, the server"),
        ]
    plots = [
        (
            "Latency",
            lines(
                [
                    Line("median", [(s.at, s.p50) for s in series if s.p50 is not None]),
                    Line("p99", [(s.at, s.p99) for s in series if s.p99 is not None], "b"),
                ],
                "seconds",
                "ms",
            ),
        ),
        (
            "CPU",
            lines(
                [
                    Line("server", [(s.at, s.cpu) for s in series if s.cpu is not None]),
                    Line("load side", [(s.at, s.load_cpu) for s in series], "b"),
                ],
                "seconds",
                "percent of a core",
            ),
        ),
        (
            "Server memory",
            lines(
                [Line("resident", [(s.at, s.rss / MB) for s in series if s.rss is not None])], "seconds", "MB"
            ),
        ),
        (
            "Frames to all viewers",
            lines([Line("frames", [(s.at, s.frames) for s in series], "c")], "seconds", "a second"),
        ),
    ]
    warn = "".join(
        f"<section class=warn><h2>The load side was the bottleneck</h2>{escape(why)}</section>"
        for why in result.load.bottleneck
    )
    title = f"{plan.agents} agents at {plan.rate:g} Hz, {plan.viewers} viewers"
    body = f"{warn}<section><h2>In full</h2><pre>{escape(report.summary(result))}</pre></section>"
    return _page(title, machine, tiles, plots, body)


def _searched(search: Found[Result], what: str, limit: float) -> str:
    probes = sorted((n, r) for n, _, r in search.probes)
    return lines(
        [
            Line("p99", [(n, r.latency.p99) for n, r in probes if r.latency.p99 is not None], "a", True),
            Line("median", [(n, r.latency.p50) for n, r in probes if r.latency.p50 is not None], "c", False),
        ],
        what,
        "ms",
        limit,
    )


def _users(number: int) -> str:
    return f"{number} user{'s' if number > 1 else ''}" if number else "idle"


def _most(search: Found[Result]) -> str:
    return f"{'' if search.limit else '≥ '}{search.most:,}"


def _tile(figure: str, words: str) -> str:
    return f"<div class=tile><b>{escape(figure)}</b><span>{escape(words)}</span></div>"


def _page(title: str, lead: str, tiles: list[str], plots: Iterable[tuple[str, str]], body: str) -> str:
    drawn = "".join(f"<section><h2>{escape(name)}</h2>{plot}</section>\n" for name, plot in plots)
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>\n"
        f"<h1>{escape(title)}</h1><p class=lead>{escape(lead)}</p>\n"
        f"<div class=tiles>{''.join(tiles)}</div>\n<div class=plots>{drawn}</div>\n"
        f"{body}</main></body></html>\n"
    )
