"""What a person reads of a run: the line each second, and the summary."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TextIO

from .model import Moves, Plan, Result, Second, Spread, Stream

MB = 1_048_576


class Progress:
    """Writes a line a second: one that is rewritten on a terminal, plain lines elsewhere."""

    def __init__(self, out: TextIO, plan: Plan) -> None:
        self._out = out
        self._plan = plan
        self._tty = out.isatty()

    def __call__(self, second: Second, closes: Counter[str]) -> None:
        line = progress_line(self._plan, second, sum(closes.values()))
        if self._tty:  # one that wraps could not be rewritten
            line = line[: shutil.get_terminal_size().columns - 1]
        self._out.write(f"\r\x1b[K{line}" if self._tty else f"{line}\n")
        self._out.flush()

    def done(self) -> None:
        if self._tty:
            self._out.write("\r\x1b[K")


def progress_line(plan: Plan, second: Second, closed: int) -> str:
    """One second in one line."""
    server = "" if second.cpu is None else f"  server {second.cpu:.0f} %"
    server += "" if second.rss is None else f" {second.rss / MB:.0f} MB"
    seen = "" if second.p50 is None else f"  seen after {_ms(second.p50)}, p99 {_ms(second.p99)}"
    return (
        f"{second.at:4.0f}/{plan.seconds:.0f} s  {second.moves:.0f} moves/s  {second.frames:,.0f} frames/s"
        f"  {second.bytes / MB:.1f} MB/s{server}{seen}  closed {closed}"
        f"  load {second.load_cpu:.0f} % lag {second.lag:.0f} ms"
    )


def summary(result: Result) -> str:
    """The run for people, some twenty lines."""
    plan, load = result.plan, result.load
    lines = [
        f"{plan.agents} agents x {plan.rate:g} Hz over {plan.via.upper()}, {plan.viewers} viewers,"
        f" {result.seconds:.1f} s against {plan.url}",
        *_server(result),
        f"latency     {_spread(result.latency)}   (move sent to position seen)",
    ]
    if result.answers.samples:
        lines.append(f"answers     {_spread(result.answers)}   (HTTP)")
    lines.append(_moves(result.moves, result.seconds))
    for name, stream in (
        ("viewers", result.viewers),
        ("deflated", result.deflated),
        ("agents get", result.agent_sockets),
    ):
        if stream.sockets:
            lines.append(f"{name:<11} {_stream(stream)}")
    lines += [
        f"{name:<11} {', '.join(f'{count} x {what}' for what, count in counts.items())}"
        for name, counts in (
            ("refused", result.moves.refused),
            ("errors", result.moves.errors),
            ("closed", result.closes),
            ("no entry", result.not_connected),
        )
        if counts
    ]
    if result.drift is not None:
        drift = result.drift
        lines.append(
            f"memory      {drift.percent:+.1f} % from the first tenth after warm-up to the last,"
            f" between {drift.least / MB:.1f} and {drift.most / MB:.1f} MB"
        )
    others = "" if load.others is None else f", everything else on this machine {load.others:.0f} % of a core"
    lines.append(
        f"load side   {load.cpu:.0f} % of a core, loop late by {_ms(load.lag_p99)} (p99),"
        f" {_ms(load.lag_max)} at most, {load.loop}{others}"
    )
    lines += [f"WARNING     the load side was the bottleneck: {why}" for why in load.bottleneck]
    if result.moves.unmatched > result.moves.seen:
        lines.append("WARNING     positions match no move: does the server alter coordinates?")
    return "\n".join(lines)


def _server(result: Result) -> list[str]:
    server = result.server
    if server is None:
        return ["server      not on this machine, or of another user: its CPU and memory are not known"]
    pss = "" if server.pss is None else f", {server.pss / MB:.1f} MB proportional"
    lines = [
        f"server      {server.cpu:.1f} % of a core, {server.rss / MB:.1f} MB resident"
        f" (peak {server.rss_peak / MB:.1f}{pss}), {server.threads} threads, process {server.pid}"
    ]
    sockets = result.viewers.sockets + result.deflated.sockets + result.agent_sockets.sockets
    if sockets >= 100:
        each = (server.rss_connected - server.rss_before) / sockets / 1024
        lines.append(f"connection  {each:.1f} KB each ({sockets} WebSockets and what came with them)")
    if server.tick_p99 is not None:
        lines.append(
            f"tick        p50 {_ms(server.tick_p50)}  p99 {_ms(server.tick_p99)}   (by its own account)"
        )
    return lines


def _moves(moves: Moves, seconds: float) -> str:
    return (
        f"moves       {moves.sent} sent ({moves.sent / seconds:.0f} a second), {moves.skipped} skipped,"
        f" {moves.seen} seen, {moves.collapsed} passed over, {moves.unseen} dropped,"
        f" {moves.unwatched} not watched"
    )


def _stream(stream: Stream) -> str:
    return (
        f"{stream.sockets}, each {stream.frames:,.1f} frames and {stream.bytes / 1024:,.1f} KB a second"
        f" (frames in all {stream.fewest:,} to {stream.most:,})"
    )


def _spread(spread: Spread) -> str:
    if not spread.samples:
        return "no samples"
    return (
        f"p50 {_ms(spread.p50)}  p95 {_ms(spread.p95)}  p99 {_ms(spread.p99)}  max {_ms(spread.max)}"
        f"   of {spread.samples:,}"
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"
