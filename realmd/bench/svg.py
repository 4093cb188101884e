"""Plots as inline SVG, coloured by the page's CSS so that they read in the dark, too."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import Final

from msgspec import Struct

Points = Sequence[tuple[float, float]]

WIDTH: Final = 640
HEIGHT: Final = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 22, 48
#: Most points of one line: more than the eye tells apart.
_MOST: Final = 800


class Line(Struct, frozen=True):
    """One line of a plot; `kind` is a colour of the page: a, b or c."""

    name: str
    points: Points
    kind: str = "a"
    dots: bool = False


class Bars(Struct, frozen=True):
    """One place on the axis: what was measured, and the range it is held against."""

    name: str
    value: float
    low: float = 0.0
    high: float = 0.0


def ticks(highest: float, wanted: int = 5) -> list[float]:
    """Round numbers from 0 to at least `highest`, about `wanted` steps apart."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / wanted
    scale = 10.0 ** floor(log10(rough))
    step = next((m * scale for m in (1, 2, 2.5, 5, 10) if m * scale >= rough * 0.999), 10 * scale)
    return [round(step * k, 10) for k in range(ceil(highest / step - 1e-9) + 1)]


def short(value: float) -> str:
    """A number for an axis: 1.5k for 1500."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if abs(value) >= 10_000 else f"{value:g}"


def lines(plots: Sequence[Line], x_name: str, y_name: str, limit: float | None = None) -> str:
    """Lines over a common axis; `limit` draws a line across that must not be passed."""
    points = [point for plot in plots for point in plot.points]
    xs = ticks(max((x for x, _ in points), default=1.0), 6)
    ys = ticks(max([y for _, y in points] + [limit or 0.0], default=1.0))
    drawn = [_frame(xs, ys, x_name, y_name)]
    if limit is not None:
        y = _y(limit, ys)
        drawn.append(f'<line class="limit" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
    for plot in plots:
        every = max(1, len(plot.points) // _MOST)
        spots = [(_x(x, xs), _y(y, ys)) for x, y in plot.points[::every]]
        path = " ".join(f"{x},{y}" for x, y in spots)
        drawn.append(f'<polyline class="line {plot.kind}" points="{path}"/>')
        if plot.dots:
            drawn += [f'<circle class="dot {plot.kind}" cx="{x}" cy="{y}" r="3.5"/>' for x, y in spots]
    return _figure(drawn, [(plot.kind, plot.name) for plot in plots] if len(plots) > 1 else [])


def bars(plots: Sequence[Bars], y_name: str, names: tuple[str, str]) -> str:
    """Pairs of bars: the measured value, and the range another document gives, named by `names`."""
    ys = ticks(max((max(bar.value, bar.high) for bar in plots), default=1.0))
    drawn = [_frame([], ys, "", y_name)]
    room = (WIDTH - _LEFT - _RIGHT) / max(1, len(plots))
    thick, floor_y = min(44.0, room * 0.28), _y(0, ys)
    for number, bar in enumerate(plots):
        middle = _LEFT + room * (number + 0.5)
        figure = f"{bar.value:.0f}" if bar.value >= 10 else f"{bar.value:.1f}"
        top, high, low = _y(bar.value, ys), _y(bar.high, ys), _y(bar.low, ys)
        drawn.append(
            f'<rect class="bar a" x="{middle - thick - 2:.1f}" y="{top}" width="{thick:.1f}"'
            f' height="{max(1.5, floor_y - top):.1f}" rx="2"/>'
            f'<text class="value" x="{middle - thick / 2 - 2:.1f}" y="{top - 5:.1f}">{figure}</text>'
        )
        if bar.high:
            span = f"{bar.low:g}-{bar.high:g}"
            drawn.append(
                f'<rect class="bar faint" x="{middle + 2:.1f}" y="{high}" width="{thick:.1f}"'
                f' height="{floor_y - high:.1f}" rx="2"/>'
                f'<rect class="bar b" x="{middle + 2:.1f}" y="{high}" width="{thick:.1f}"'
                f' height="{max(1.5, low - high):.1f}" rx="2"/>'
                f'<text class="value" x="{middle + thick / 2 + 2:.1f}" y="{high - 5:.1f}">{span}</text>'
            )
        drawn.append(f'<text class="tick mid" x="{middle:.1f}" y="{HEIGHT - 24}">{escape(bar.name)}</text>')
    return _figure(drawn, [("a", names[0]), ("b", names[1])])


def _frame(xs: list[float], ys: list[float], x_name: str, y_name: str) -> str:
    drawn = []
    for y in ys:
        at = _y(y, ys)
        drawn.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at}" y2="{at}"/>')
        drawn.append(f'<text class="tick end" x="{_LEFT - 8}" y="{at + 4:.1f}">{short(y)}</text>')
    for x in xs:
        at = _x(x, xs)
        drawn.append(f'<text class="tick mid" x="{at}" y="{HEIGHT - 26}">{short(x)}</text>')
    across, up, middle = escape(x_name), escape(y_name), (HEIGHT - _BOTTOM + _TOP) / 2
    drawn.append(
        f'<text class="name mid" x="{(WIDTH + _LEFT - _RIGHT) / 2}" y="{HEIGHT - 4}">{across}</text>'
        f'<text class="name mid" transform="translate(13 {middle}) rotate(-90)">{up}</text>'
    )
    return "".join(drawn)


def _figure(drawn: list[str], legend: list[tuple[str, str]]) -> str:
    keys = "".join(f'<span class="key {kind}">{escape(name)}</span>' for kind, name in legend)
    shown = f'<div class="legend">{keys}</div>' if keys else ""
    return f'{shown}<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(drawn)}</svg>'


def _x(value: float, xs: list[float]) -> float:
    return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * value / xs[-1], 1)


def _y(value: float, ys: list[float]) -> float:
    return round(HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * value / ys[-1], 1)
