"""The sizing table: what was measured, in the rows of the old system's document, beside its figures."""

from __future__ import annotations

from collections.abc import Mapping

from . import capacity, reference
from .capacity import Capacity
from .model import Result, Server
from .reference import Range
from .search import Found
from .table import Cells, Table

MB = 1_048_576
KB = 1024


def tables(found: Capacity) -> list[Table]:
    """All tables, in the document's order, the answer first."""
    return [_holds(found), _tiers(found), _cpu(found), _memory(found), _bandwidth(found)]


def server_of(result: Result) -> Server:
    """The server's part of a run against a realm of our own, which is always known."""
    assert result.server is not None
    return result.server


def each(result: Result) -> float:
    """Memory (KB) that each of the many who connected added."""
    server = server_of(result)
    return (server.rss_connected - server.rss_before) / capacity.MANY / KB


def _holds(found: Capacity) -> Table:
    asked = found.asked
    rows = [
        _limit(f"agents at {asked.rate:g} Hz over HTTP, {capacity.WATCHING} viewers", found.agents),
        _limit(f"viewers of {capacity.WALKING} agents at {asked.rate:g} Hz", found.viewers),
    ]
    core = "a core of its own" if found.apart else "the one core, shared with the load"
    return Table(
        f"What it holds with p99 under {asked.limit:g} ms",
        ("of these", "it holds", "p99", "CPU", "memory", "limit"),
        rows,
        f"Everybody sees everybody. Latency is from a move sent to its position seen, with ticks of"
        f" {asked.tick_ms} ms; the server had {core}. Ready {found.ready_after:.2f} s after the command.",
    )


def _limit(name: str, search: Found[Result]) -> tuple[str, ...]:
    best = next((r for n, verdict, r in search.probes if n == search.most and verdict == "holds"), None)
    if best is None:
        return (name, "none", "-", "-", "-", "the least number tried already failed")
    server = server_of(best)
    why = "the server" if search.limit else "the load side" if _gave_out(search) else "the search"
    return (
        name, f"{'' if search.limit else 'at least '}{search.most:,}", f"{best.latency.p99:.0f} ms",
        f"{server.cpu:.0f} %", f"{server.rss / MB:.0f} MB", why,
    )  # fmt: skip


def _gave_out(search: Found[Result]) -> bool:
    return any(verdict == "unknown" for _, verdict, _ in search.probes)


def _tiers(found: Capacity) -> Table:
    rows: list[Cells] = []
    for tier in reference.TIERS:
        if (result := found.users.get(tier.users)) is None:
            continue
        server = server_of(result)
        offer = reference.smallest(server.cpu, server.rss / MB)
        rows.append(
            (
                tier.name,
                f"{server.cpu:.0f} % of a core, {server.rss / MB:.0f} MB",
                str(offer) if offer else "none of these",
                offer.cost if offer else "-",
                tier.server,
                tier.cost,
            )
        )
    return Table(
        "Smallest server for so many users",
        ("users", "measured", "smallest server", "a month from", "reference asks for", "a month"),
        rows,
        f"Each tier measured at its upper end, the last at {reference.TIERS[-1].users}. Servers and prices"
        f" are the reference's; {reference.SYSTEM} MB are left to the system, and no more than"
        f" {reference.CPU_SHARE:.0%} of a core and {reference.MEMORY_SHARE:.0%} of the memory are used.",
    )


def _cpu(found: Capacity) -> Table:
    rows: list[Cells] = [
        ("idle", "four inhabitants", f"{server_of(found.idle).cpu:.1f} %", "-", str(reference.CPU[0]))
    ]
    for number, result in found.users.items():
        server = server_of(result)
        rows.append(
            (
                f"{number} user{'s' if number > 1 else ''}",
                f"{result.plan.rate * number:g} moves a second",
                f"{server.cpu:.1f} %",
                f"{result.latency.p50 or 0:.0f} / {result.latency.p99 or 0:.0f} ms",
                _told(reference.CPU, number),
            )
        )
    return Table(
        "CPU",
        ("activity", "load", "of a core", "latency p50 / p99", "reference"),
        rows,
        f"A user is an agent that moves {found.asked.rate:g} times a second over HTTP, and a page that looks"
        " on over a WebSocket; every other page takes one compressed message a tick.",
    )


def _memory(found: Capacity) -> Table:
    server = server_of(found.idle)
    pss = "" if server.pss is None else f"{server.pss / MB:.0f} MB proportional"
    rows: list[Cells] = [
        ("base: runtime, code, empty world", f"{server.rss / MB:.0f} MB", pss, str(reference.BASE)),
        (
            "each connection",
            f"{each(found.connections):.1f} KB",
            f"of {capacity.MANY} WebSockets",
            str(reference.CONNECTION),
        ),
        (
            "each agent",
            f"{each(found.standing):.1f} KB",
            "with its kept HTTP connection",
            str(reference.AGENT),
        ),
        *(
            (f"{number} users", f"{server_of(found.users[number]).rss / MB:.0f} MB", "all in all", str(told))
            for number, told in reference.MEMORY.items()
            if number in found.users
        ),
    ]
    return Table("Memory", ("part", "resident", "", "reference"), rows)


def _bandwidth(found: Capacity) -> Table:
    rows: list[Cells] = []
    for number, result in found.users.items():
        rows.append(
            (
                f"{number} user{'s' if number > 1 else ''}",
                _kb(result.upload * number),
                _kb(result.viewers.bytes * number),
                _kb(result.deflated.bytes * number) if result.deflated.sockets else "-",
                _told(reference.UPLOAD, number),
                _told(reference.DOWNLOAD, number),
            )
        )
    return Table(
        "Bandwidth",
        ("scenario", "upload", "download", "compressed", "reference upload", "reference download"),
        rows,
        f"Of all users together, while each moves {found.asked.rate:g} times a second in sight of all others."
        " Upload counts HTTP requests with their heads.",
    )


def _told(told: Mapping[int, Range], number: int) -> str:
    return str(told[number]) if number in told else "-"


def _kb(value: float) -> str:
    return f"{value / KB:,.1f} KB/s" if value < 100 * KB else f"{value / KB:,.0f} KB/s"
