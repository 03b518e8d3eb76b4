"""A job in words: its events as sentences for the log, and the report that a user sends when something went wrong."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib import __version__
from MedSegEffNetLib.job import REQUEST
from MedSegEffNetPanel.remote import OUTPUT

_TAIL = 20_000  # bytes of what the process printed
_LINES = 200  # of the log


def sentence(event: dict[str, Any], stage: str) -> str:
    """What an event says to the user; empty: nothing new.

    Parameters
    ----------
    stage : where the job was before the event; progress within one stage is not worth a sentence.
    """
    kind = event["event"]
    if kind == "progress":
        return "" if event["stage"] == stage else str(event["stage"])
    if kind == "notice":
        return str(event["text"])
    if kind == "case":
        told = f"{event['case']}: {event['state']}"
        return f"{told}. {event['message']} {event['hint']}".rstrip() if event["state"] == "failed" else told
    if kind == "epoch":
        text = _("Epoch {epoch}: training loss {train:.4f}, validation loss {val:.4f}.")
        return text.format(epoch=event["epoch"], train=_number(event["train_loss"]), val=_number(event["val_loss"]))
    if kind == "failed":
        return " ".join(filter(None, (event["message"], event["hint"])))
    texts = {"started": _("Started."), "finished": _("Finished."), "stopped": _("Stopped.")}
    return texts.get(kind, "")


def make_report(folder: Path, title: str, log: Sequence[str]) -> str:
    """Versions, request, log and the last that the process printed."""
    version = getattr(slicer.app, "applicationVersion", "")
    parts = [
        f"MedSegEffNet {__version__}, Slicer {version}, Python {platform.python_version()}, {platform.platform()}",
        f"{title}\n{folder}",
        _text(folder / REQUEST),
        "\n".join(log[-_LINES:]),
        _text(folder / OUTPUT),
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def refusal(folder: Path) -> tuple[str, str, str] | None:
    """What a command printed that did not begin: what was found, what was expected, what to do; None: nothing like it."""
    error = _text(folder / OUTPUT).rpartition("Error: ")[2] if "Error: " in _text(folder / OUTPUT) else ""
    rest, _hint, hint = error.partition("\nWhat to do: ")
    found, _expected, expected = rest.partition("\nExpected: ")
    return (found.strip(), expected.strip(), hint.strip()) if found.strip() else None


def _text(path: Path) -> str:
    """The end of a text file; empty if it is not there."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL))
        return stream.read().decode("utf-8", errors="replace")
    return ""


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
