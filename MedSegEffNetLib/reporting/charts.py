"""Charts as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

_NAMED = 80  # above this many bars the names no longer fit and the bars become thin


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
