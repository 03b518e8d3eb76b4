"""Charts as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_NAMED = 80  # above this many bars the names no longer fit and the bars become thin
_DOTTED = 60  # up to this many points of a curve are drawn as dots that tell their values


def bars(values: Sequence[tuple[str, float]], title: str, unit: str = "", whole: float = 0.0) -> str:
    """Horizontal bars, best first as given, with a dashed line at the median.

    ``whole`` is the length of the axis, e.g. 1 for Dice; 0 takes the largest value. NaN are listed as "undefined".
    """
    known = sorted(value for _, value in values if math.isfinite(value))
    top = whole or max(known, default=1.0) or 1.0
    named = len(values) <= _NAMED
    step, thick = (20, 13) if named else (5, 4)
    left = min(300, 14 + max((8 * len(name) for name, _ in values), default=0)) if named else 14
    width, length, head = left + 560, 470, 24
    height = head + step * len(values) + 6
    lines = [
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}">',
        f"<title>{escape(title)}</title>",
    ]
    for part in range(5):
        x, mark = left + length * part / 4, top * part / 4
        lines.append(f'<line class="rule" x1="{x:.1f}" y1="{head - 6}" x2="{x:.1f}" y2="{height - 4}"/>')
        lines.append(
            f'<text class="soft" x="{x:.1f}" y="{head - 10}" text-anchor="middle">{mark:.3g}{escape(unit)}</text>'
        )
    for row, (name, value) in enumerate(values):
        lines.append(_bar(name, value, unit, head + row * step, left, length / top, thick))
    if known:
        middle = (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2
        x = left + length * min(middle, top) / top
        lines.append(f'<line class="middle" x1="{x:.1f}" y1="{head - 6}" x2="{x:.1f}" y2="{height - 4}"/>')
    if named:
        for row, (name, value) in enumerate(values):
            lines += _names(name, value, unit, head + row * step + thick - 2, left, length / top)
    return "\n".join([*lines, "</svg>"])


def _bar(name: str, value: float, unit: str, y: int, left: int, scale: float, thick: int) -> str:
    length = value * scale if math.isfinite(value) else 0.0
    return (
        f'<rect class="bar" x="{left}" y="{y}" width="{length:.1f}" height="{thick}">'
        f"<title>{escape(name)}: {_written(value, unit)}</title></rect>"
    )


def _names(name: str, value: float, unit: str, baseline: int, left: int, scale: float) -> list[str]:
    """The case's name before its bar and the value behind it."""
    short = name if len(name) <= 35 else name[:34] + "…"
    end = left + (value * scale if math.isfinite(value) else 0.0)
    return [
        f'<text x="{left - 8}" y="{baseline}" text-anchor="end">{escape(short)}</text>',
        f'<text class="soft" x="{end + 6:.1f}" y="{baseline}">{_written(value, unit)}</text>',
    ]


def _written(value: float, unit: str) -> str:
    return f"{value:.3f}{unit}" if math.isfinite(value) else "undefined"


@dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Parameters
    ----------
    name : what it shows.
    points : (x, y) by rising x; a y that is not finite leaves a gap.
    main : drawn in the accent color; otherwise dashed and soft.
    """

    name: str
    points: Sequence[tuple[float, float]]
    main: bool = True


def lines(
    curves: Sequence[Curve],
    title: str,
    x_title: str,
    *,
    mark: tuple[float, str] | None = None,
    log: bool = False,
    whole: bool = False,
) -> str:
    """Curves over one pair of axes; empty if there is nothing to draw.

    Parameters
    ----------
    mark : an x with a text, shown as a dashed line.
    log : powers of ten up the axis; all values must be positive.
    whole : the axis runs from 0 to 1; otherwise around the values.
    """
    finite = [point for curve in curves for point in curve.points if math.isfinite(point[1])]
    if not finite:
        return ""
    frame = _Frame.around([*finite, *((finite[0][0], end) for end in (0.0, 1.0) if whole)], log)
    width, height = frame.right + 16, frame.bottom + 40
    parts = [
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}">',
        f"<title>{escape(title)}</title>",
        f'<text x="{frame.left}" y="14" style="font-weight: 600">{escape(title)}</text>',
        *(_key(curves, frame) if len(curves) > 1 or curves[0].name != title else ()),
        *_axes(frame, x_title),
    ]
    if mark is not None:
        x = frame.x(mark[0])
        side = "end" if x > (frame.left + frame.right) / 2 else "start"
        parts.append(f'<line class="middle" x1="{x:.1f}" y1="{frame.top}" x2="{x:.1f}" y2="{frame.bottom}"/>')
        parts.append(
            f'<text class="soft" x="{x + (6 if side == "start" else -6):.1f}" y="{frame.bottom - 6}" '
            f'text-anchor="{side}">{escape(mark[1])}</text>'
        )
    for curve in curves:
        parts += _curve(curve, frame, x_title)
    return "\n".join([*parts, "</svg>"])


@dataclass(frozen=True)
class _Frame:
    """Where values lie in the picture."""

    x_range: tuple[float, float]
    y_ticks: tuple[float, ...]
    log: bool
    left: int = 58
    right: int = 520
    top: int = 44
    bottom: int = 250

    @classmethod
    def around(cls, points: Sequence[tuple[float, float]], log: bool) -> _Frame:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        low, high = min(ys), max(ys)
        if log:
            powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            ticks = tuple(10.0**power for power in powers)
            return cls((min(xs), max(xs)), ticks if len(ticks) > 1 else (ticks[0], ticks[0] * 10), log)
        return cls((min(xs), max(xs)), ticks_between(low, high), log)

    def x(self, value: float) -> float:
        low, high = self.x_range
        return self.left + (self.right - self.left) * ((value - low) / (high - low) if high > low else 0.5)

    def y(self, value: float) -> float:
        low, high = self.y_ticks[0], self.y_ticks[-1]
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return self.bottom - (self.bottom - self.top) * (value - low) / (high - low)


def ticks_between(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Round numbers, 1, 2 or 5 times a power of ten apart, from at or below ``low`` to at or above ``high``.

    They span at least a thousandth of the values; a single value is shown beside 0.
    """
    if high == low:
        low, high = min(low, 0.0), max(high, 0.0 if low else 1.0)
    margin = (1e-3 * max(abs(low), abs(high)) - (high - low)) / 2
    if margin > 0:  # digits that say nothing
        low, high = low - margin, high + margin
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(number * step, 12) for number in range(first, last + 1))


def _axes(frame: _Frame, x_title: str) -> list[str]:
    parts = []
    for value in frame.y_ticks:
        y = frame.y(value)
        parts.append(f'<line class="rule" x1="{frame.left}" y1="{y:.1f}" x2="{frame.right}" y2="{y:.1f}"/>')
        parts.append(f'<text class="soft" x="{frame.left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.6g}</text>')
    low, high = frame.x_range
    whole = [value for value in ticks_between(low, high, 8) if low <= value <= high and value == round(value)]
    for value in whole or [low]:
        x = frame.x(value)
        parts.append(f'<text class="soft" x="{x:.1f}" y="{frame.bottom + 18}" text-anchor="middle">{value:g}</text>')
    middle = (frame.left + frame.right) / 2
    parts.append(
        f'<text class="soft" x="{middle:.0f}" y="{frame.bottom + 34}" text-anchor="middle">{escape(x_title)}</text>'
    )
    return parts


def _key(curves: Sequence[Curve], frame: _Frame) -> list[str]:
    """Which line is which, at the upper right."""
    parts, right = [], float(frame.right)
    for curve in reversed(curves):
        parts.append(f'<text x="{right:.0f}" y="32" text-anchor="end">{escape(curve.name)}</text>')
        right -= 7 * len(curve.name) + 8
        parts.append(f'<line {_stroke(curve)} x1="{right - 22:.0f}" y1="28" x2="{right:.0f}" y2="28"/>')
        right -= 40
    return parts


def _curve(curve: Curve, frame: _Frame, x_title: str) -> list[str]:
    """The line, broken at gaps, and its points as dots where they are few."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in curve.points:
        if math.isfinite(y):
            pieces[-1].append((x, y))
        else:
            pieces.append([])
    parts = []
    few = sum(map(len, pieces)) <= _DOTTED
    for piece in filter(None, pieces):
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in piece)
        parts.append(f'<polyline {_stroke(curve)} points="{path}"/>')
        for x, y in piece if few or len(piece) == 1 else ():
            told = f"{curve.name}, {x_title.lower()} {x:g}: {y:.4g}"
            fill = "var(--accent)" if curve.main else "var(--soft)"
            dot = f'<circle cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="2.5" fill="{fill}">'
            parts.append(f"{dot}<title>{escape(told)}</title></circle>")
    return parts


def _stroke(curve: Curve) -> str:
    color, dashes = ("accent", "") if curve.main else ("soft", ' stroke-dasharray="5 4"')
    return f'fill="none" stroke="var(--{color})" stroke-width="2"{dashes}'
