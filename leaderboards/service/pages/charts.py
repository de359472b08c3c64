"""Charts as SVG in the page: no script, no request, readable by a screen reader.

Colours are classes of the style sheet, so that they follow the reader's light or dark mode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 640.0, 340.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 74.0, 14.0, 14.0, 52.0

COLOURS = 6
"""Number of colours; the classes are ``c0`` to ``c5``, and ``plain`` for what is compared with."""


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes
    ----------
    name
        For the legend.
    colour
        Class of the style sheet.
    points
        x and y of each point, in units of the axes.
    filled
        Whether the area that it encloses is filled.
    dots
        Whether points are marked.
    band
        Outline of an area around the line, such as its error; none if empty.
    """

    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    filled: bool = False
    dots: bool = False
    band: Sequence[tuple[float, float]] = ()


def steps(edges: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """Outline of a histogram."""
    return [(edges[0], 0.0), *_tops(edges, values), (edges[-1], 0.0)]


def band(
    edges: Sequence[float], values: Sequence[float], spread: Sequence[float]
) -> list[tuple[float, float]]:
    """Outline of the area within ``spread`` of a histogram's values."""
    high = [value + width for value, width in zip(values, spread, strict=True)]
    low = [value - width for value, width in zip(values, spread, strict=True)]
    return [*_tops(edges, high), *reversed(_tops(edges, low))]


def _tops(edges: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    points = []
    for low, high, value in zip(edges[:-1], edges[1:], values, strict=True):
        points += [(low, value), (high, value)]
    return points


def staircase(points: Sequence[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """Line that keeps each value until the next one, and the last until the end."""
    out: list[tuple[float, float]] = []
    for x, y in points:
        if out:
            out.append((x, out[-1][1]))
        out.append((x, y))
    return [*out, (end, out[-1][1])] if out else []


def chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    y_label: str,
    number: int,
    x_ticks: Sequence[tuple[float, str]] | None = None,
    from_zero: bool = False,
) -> Markup:
    """Draw lines in one frame.

    Parameters
    ----------
    lines
        At least one, each with at least one point.
    title
        Read out for the whole chart.
    x_label, y_label
        Axes.
    number
        A number of its own on the page.
    x_ticks
        Places and texts along the x axis; round numbers if not given.
    from_zero
        Whether 0 is on the y axis, at its end if all is on one side.

    Returns
    -------
    markupsafe.Markup
        An ``svg`` element.
    """
    xs = [x for line in lines for x, _ in (*line.points, *line.band)]
    ys = [y for line in lines for _, y in (*line.points, *line.band)]
    x_range = _range(min(xs), max(xs), 0.0)
    y_range = _range(min(0.0, *ys) if from_zero else min(ys), max(ys), 0.08)
    if from_zero and min(ys) >= 0.0:
        y_range = (0.0, y_range[1])
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" '
        f'aria-labelledby="chart{number}">',
        f'<title id="chart{number}">{escape(title)}: '
        f"{escape(', '.join(line.name for line in lines))}</title>",
    ]
    for value, text in x_ticks or [(tick, _text(tick)) for tick in _ticks(*x_range)]:
        x = _x(value, x_range)
        parts.append(_rule(x, _TOP, x, _HEIGHT - _BOTTOM, "grid"))
        # A long text at the right end would leave the frame.
        leaves = x + 4.5 * len(text) > _WIDTH
        parts.append(_label(x, _HEIGHT - _BOTTOM + 20, text, "end" if leaves else "middle"))
    for tick in _ticks(*y_range):
        y = _y(tick, y_range)
        parts.append(_rule(_LEFT, y, _WIDTH - _RIGHT, y, "grid"))
        parts.append(_label(_LEFT - 8, y + 5, _text(tick), "end"))
    for line in lines:
        parts += _draw(line, x_range, y_range)
    parts.append(_label((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, x_label, "middle", "axis"))
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text class="axis" text-anchor="middle" '
        f'transform="translate(16 {middle:.1f}) rotate(-90)">{escape(y_label)}</text>'
    )
    parts.append("</svg>")
    return Markup("".join(str(part) for part in parts))


def _draw(line: Line, x_range: tuple[float, float], y_range: tuple[float, float]) -> list[str]:
    def path_of(points: Sequence[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{_x(x, x_range):.1f} {_y(y, y_range):.1f}" for x, y in points)

    path = path_of(line.points)
    areas = [path] if line.filled else []
    if line.band:
        areas.append(path_of(line.band))
    parts = [f'<path class="area {line.colour}" d="{area}Z"/>' for area in areas]
    parts.append(f'<path class="line {line.colour}" d="{path}"/>')
    if line.dots:
        parts += [
            f'<circle class="dot {line.colour}" cx="{_x(x, x_range):.1f}" '
            f'cy="{_y(y, y_range):.1f}" r="3.5"/>'
            for x, y in line.points
        ]
    return parts


def _range(low: float, high: float, margin: float) -> tuple[float, float]:
    if high <= low:
        width = abs(low) or 1.0
        return low - 0.5 * width, high + 0.5 * width
    return low - margin * (high - low), high + margin * (high - low)


def _ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _text(value: float) -> str:
    return f"{value:.6g}" if value else "0"


def _x(value: float, limits: tuple[float, float]) -> float:
    return _LEFT + (value - limits[0]) / (limits[1] - limits[0]) * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, limits: tuple[float, float]) -> float:
    share = (value - limits[0]) / (limits[1] - limits[0])
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _label(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(text)}</text>'
