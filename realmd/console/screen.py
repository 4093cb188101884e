"""A realm on one screen of text, from what it says of itself; knows neither network nor terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

BARS: Final = " ▁▂▃▄▅▆▇█"
COLOURS: Final = {"ok": "32", "degraded": "33", "failed": "31"}
#: Label, field of a sample, unit, and the least value that fills the graph.
GRAPHS: Final = (
    ("agents", "agents", "", 5.0),
    ("connections", "connections", "", 5.0),
    ("cpu", "cpu", " %", 100.0),
    ("messages in", "messagesIn", "/s", 5.0),
    ("events", "events", "/s", 5.0),
    ("tick", "tickMs", " ms", 5.0),
    ("tick late", "lagMs", " ms", 10.0),
    ("commit", "commitMs", " ms", 10.0),
    ("loop late", "loopMs", " ms", 10.0),
    ("latency", "pingMs", " ms", 100.0),
    ("errors", "errors", " %", 1.0),
    ("memory", "memoryMb", " MB", 50.0),
    ("disk", "disk", " %", 100.0),
)


def span(seconds: float) -> str:
    """A duration as people say it."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"


def size(count: float) -> str:
    """Bytes as people say them."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def graph(values: Sequence[float], width: int, least: float) -> str:
    """The newest `width` values as bars, against the greatest of them, or `least` if that is more."""
    shown = list(values)[-width:]
    top = max([*shown, least])
    return "".join(BARS[min(8, max(0, round(8 * value / top)))] for value in shown).rjust(width)


def summary(
    health: dict[str, Any], metrics: dict[str, float], recent: dict[str, Any], url: str, hidden: str = ""
) -> Iterator[str]:
    """`realmctl status`: what matters in a dozen lines; `hidden` says why there are no metrics."""
    yield f"realmd {health.get('version', '?')} at {url}, up {span(health.get('uptime', 0))}"
    yield f"status       {health.get('status', '?')}"
    agents = health.get("agents", {})
    if hidden:
        yield f"agents       {agents.get('active', 0)} present, {agents.get('total', 0)} known"
        yield f"figures      none: {hidden}"
    else:
        yield from figures(agents, metrics)
    yield from lately(recent)
    yield ""
    yield from checks(health)
    yield from losses(health)


def figures(agents: dict[str, Any], metrics: dict[str, float]) -> Iterator[str]:
    """What the metrics say of this moment."""

    def of(name: str) -> float:
        return metrics.get(f"realmd_{name}", 0.0)

    yield (
        f"agents       {agents.get('active', 0)} present, {of('seats_taken'):.0f} of {of('seats'):.0f} seats "
        f"taken, {agents.get('total', 0)} known"
    )
    yield (
        f"connections  {of('websocket_connections'):.0f} WebSockets (expected: "
        f"{of('connections_expected'):.0f} at most), {of('connections'):.0f} in all, this one too"
    )
    used, limit = of("memory_used_bytes"), of("memory_limit_bytes")
    yield f"memory       {size(used)} of {size(limit)} ({100 * used / max(limit, 1):.0f} %)"
    free, whole = of("disk_free_bytes"), of("disk_size_bytes")
    yield f"disk         {size(free)} free of {size(whole)} ({100 - 100 * free / max(whole, 1):.0f} % full)"
    yield (
        f"storage      {'available' if of('storage_available') else 'NOT available'}, "
        f"{of('storage_failures_total'):.0f} commits failed since the start"
    )


def lately(recent: dict[str, Any]) -> Iterator[str]:
    """The means of the last minutes: since the start they would hide a bad hour behind a good week."""
    if not recent:
        yield "nothing is measured yet"
        return

    def mean(field: str, each: str) -> str:
        value = recent[field]
        return f"no {each}" if value is None else f"{value:.2f} ms a {each}"

    yield f"in the last {span(recent['seconds'])}:"
    yield f"cpu          {recent['cpu']:.1f} % of one core"
    yield f"tick         {mean('tickMs', 'tick')}, {recent['ticksMissed']:.0f} missed"
    yield f"commits      {mean('commitMs', 'commit')}"
    yield f"latency      {mean('pingMs', 'ping')}"
    yield f"messages     {recent['messagesIn']:.1f}/s, {recent['errors']:.2f} % went wrong"


def checks(health: dict[str, Any]) -> Iterator[str]:
    """Each check, with its reason if it is not well."""
    for name, check in health.get("checks", {}).items():
        status, reason = check.get("status", "?"), check.get("reason", "")
        yield f"{'✓' if status == 'ok' else '✗'} {name:<11}{status}{f': {reason}' if reason else ''}"


def losses(health: dict[str, Any]) -> Iterator[str]:
    """What the realm has lost of what it had acknowledged, this time or before."""
    for loss in health.get("checks", {}).get("history", {}).get("figures", {}).get("lost", ()):
        when = datetime.fromtimestamp(loss["found"] / 1000, UTC)
        events = f"events {loss['first']} to {loss['last']}" if loss["last"] >= loss["first"] else "no events"
        yield f"  lost       {events}, {loss['commits']} commits; found {when:%Y-%m-%d %H:%M} UTC"


def top(report: dict[str, Any], url: str, width: int, height: int, colour: bool = True) -> list[str]:
    """`realmctl top`: at most `height` lines, none wider than `width`."""
    health, samples = report["health"], report.get("samples", [])
    status = health.get("status", "?")
    head = f"realmd {health.get('version', '?')}  {url}  up {span(health.get('uptime', 0))}"
    lines = [head, f"status {status}   q quits", ""]
    room = max(8, width - 28)
    for label, field, unit, least in GRAPHS:
        values = [float(sample.get(field, 0.0)) for sample in samples]
        now = f"{values[-1]:g}{unit}" if values else "-"
        lines.append(f"{label:<12}{now:>13}  {graph(values, room, least)}")
    unwell = {name: check for name, check in health.get("checks", {}).items() if check.get("status") != "ok"}
    lines += ["", *(checks({"checks": unwell}) if unwell else ["✓ all checks ok"])]
    cut = [line if len(line) <= width else f"{line[: width - 1]}…" for line in lines[:height]]
    if colour and len(cut) > 1:
        cut[1] = cut[1].replace(status, f"\x1b[{COLOURS.get(status, '0')}m{status}\x1b[0m", 1)
    return cut
