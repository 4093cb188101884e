"""A realm on one screen of text, from what it says of itself; knows neither network nor terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ..primitives.amounts import size, span
from .look import WIDTH, Paint, colourful, plainly, wrapped

BARS: Final = " ▁▂▃▄▅▆▇█"
#: Columns that a label takes.
LABEL: Final = 13
#: What a mark says.
MARKS: Final = {"✓": "ok", "✗": "wrong"}
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


def graph(values: Sequence[float], width: int, least: float) -> str:
    """The newest `width` values as bars, against the greatest of them, or `least` if that is more."""
    shown = list(values)[-width:]
    top = max([*shown, least])
    return "".join(BARS[min(8, max(0, round(8 * value / top)))] for value in shown).rjust(width)


def summary(
    health: dict[str, Any], metrics: dict[str, float], recent: dict[str, Any], url: str, hidden: str = "",
    columns: int = WIDTH, paint: Paint = plainly,
) -> Iterator[str]:  # fmt: skip
    """`realmctl status`: what matters in a dozen lines; `hidden` says why there are no metrics."""
    state = health.get("status", "?")
    for line in wrapped(_summary(health, metrics, recent, url, hidden), columns, LABEL):
        if line.startswith("status "):
            yield line.replace(state, paint(state, state))
        else:
            yield paint(line[0], MARKS[line[0]]) + line[1:] if line[:1] in MARKS else line


def _summary(
    health: dict[str, Any], metrics: dict[str, float], recent: dict[str, Any], url: str, hidden: str
) -> Iterator[str]:
    yield f"realmd {health.get('version', '?')} at {url}, up {span(health.get('uptime', 0))}"
    yield f"status       {health.get('status', '?')}"
    agents = health.get("agents", {})
    if hidden:
        yield f"agents       {seats(agents)}"
        yield f"figures      none: {hidden}"
    else:
        yield from figures(agents, metrics)
    yield from lately(recent)
    yield ""
    yield from checks(health)
    yield from losses(health)


def seats(agents: dict[str, Any]) -> str:
    """Who is here, as the report of /health counts them."""
    here, taken, most = agents.get("inhabitants", 0), agents.get("active", 0), agents.get("total", 0)
    return f"{here} inhabitants, {taken} of {most} seats taken, {agents.get('known', 0)} known"


def figures(agents: dict[str, Any], metrics: dict[str, float]) -> Iterator[str]:
    """What the metrics say of this moment."""

    def of(name: str) -> float:
        return metrics.get(f"realmd_{name}", 0.0)

    yield f"agents       {seats(agents)}"
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
        cut[1] = cut[1].replace(status, colourful(status, status), 1)
    return cut
