"""What a command shows while it works: a progress bar on a terminal, a few lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from typing import Any, TextIO

_WIDTH = 24
_QUIET = 30.0  # seconds between two lines where there is no terminal


class ProgressLine:
    """A listener of a job's events: a bar on a terminal (elsewhere a line now and then), notices and epochs as lines."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._shown = 0
        self._last_line = time.monotonic()

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "progress":
            self._progress(bar(event["stage"], event["done"], event["total"], event["seconds_left"]))
        elif kind == "notice":
            self._line(f"Note: {event['text']}")
        elif kind == "plan" and (self._live or event["seconds"] >= _QUIET):
            self._line(f"Expected: {duration(event['seconds'])}, {event['megabytes']} MB of memory")
        elif kind == "case" and event["state"] not in ("queued", "running"):
            self._case(event)
        elif kind == "epoch":
            name = "SSIM" if "val_ssim" in event else "Dice"
            self._line(
                f"Epoch {event['epoch']:.0f}: loss {number(event['train_loss'])}, validation loss {number(event['val_loss'])}, "
                f"{name} {number(event.get(f'val_{name.lower()}'))}, best {number(event['best'])} (epoch {event['best_epoch']})"
            )
        elif kind in ("finished", "stopped", "failed"):
            self._show("")

    def _case(self, event: dict[str, Any]) -> None:
        sizes = [f"{name} {number(volume, 2)} mL" for name, volume in event["volumes_ml"].items() if volume is not None]
        told = ", ".join(filter(None, (event["message"], *sizes, *event.get("facts", ()))))
        end = f"{event['state']}: {told}" if told else event["state"]
        self._line(f"Case {event['index'] + 1} of {event['total']}, {event['case']}: {end}")
        for text in event["warnings"]:
            self._line(f"  Warning: {text}")
        if event["hint"]:
            self._line(f"  What to do: {event['hint']}")

    def _progress(self, text: str) -> None:
        if self._live:
            self._show(text)
        elif time.monotonic() - self._last_line >= _QUIET:
            self._line(text)

    def _line(self, text: str) -> None:
        self._last_line = time.monotonic()
        self._show("")
        print(text, file=self._stream, flush=True)

    def _show(self, text: str) -> None:
        if self._live:
            self._stream.write("\r" + text.ljust(self._shown) + ("\r" if not text else ""))
            self._stream.flush()
            self._shown = len(text)


def bar(stage: str, done: int, total: int, seconds_left: float | None) -> str:
    """One line, e.g. ``Network [######------] 50 %, 3 s left``."""
    share = done / total if total else 1.0
    filled = round(_WIDTH * share)
    left = f", {duration(seconds_left)} left" if seconds_left and done < total else ""
    return f"{stage} [{'#' * filled}{'-' * (_WIDTH - filled)}] {100 * share:.0f} %{left}"


def duration(seconds: float) -> str:
    """``42 s``, ``3 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def table(rows: list[list[str]], header: list[str]) -> str:
    """Columns of text, the header underlined."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def number(value: float | None, digits: int = 3) -> str:
    """``0.914``, or a dash for a value that is unknown or undefined (None, NaN)."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"
