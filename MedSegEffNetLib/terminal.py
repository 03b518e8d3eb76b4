"""What a command shows while it works: a progress bar on a terminal, a few lines elsewhere."""

from __future__ import annotations

import sys
from typing import Any, TextIO

_WIDTH = 24


class ProgressLine:
    """A listener of a job's events that keeps one line up to date; prints notices and epochs on lines of their own."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._shown = 0

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "progress" and self._live:
            self._show(bar(event["stage"], event["done"], event["total"], event["seconds_left"]))
        elif kind == "notice":
            self._line(f"Note: {event['text']}")
        elif kind == "epoch":
            self._line(
                f"Epoch {event['epoch']:.0f}: loss {event['train_loss']:.4f}, validation loss {_text(event['val_loss'])}, "
                f"Dice {_text(event.get('val_dice'))}, best {_text(event['best'])} (epoch {event['best_epoch']})"
            )
        elif kind in ("finished", "stopped", "failed"):
            self._show("")

    def _line(self, text: str) -> None:
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
    return f"{stage} [{'#' * filled}{'-' * (_WIDTH - filled)}] {100 * share:3.0f} %{left}"


def duration(seconds: float) -> str:
    """``42 s``, ``3 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def table(rows: list[list[str]], header: list[str]) -> str:
    """Columns of text, the header underlined."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [header, *rows]]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
