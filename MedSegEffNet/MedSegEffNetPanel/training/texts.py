"""What the section says of settings, checks and runs. No Qt."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetPanel.curating.rows import time_text
from MedSegEffNetPanel.training import records
from MedSegEffNetPanel.training.records import RunRecord
from MedSegEffNetPanel.wording import sentences

_SPLITS = ("train", "val", "test")
_RED = "#c62828"
_SEE = {"patience": "schedule", "decay": "schedule"}  # settings that the library explains with another one
_SETTING = re.compile(r"^ {4}([a-z_]+(?:, [a-z_]+)*) : ")


def state_text(state: str) -> str:
    """A run's state in the user's words."""
    words = {
        records.QUEUED: _("waiting"),
        records.RUNNING: _("running"),
        records.STOPPING: _("stopping"),
        records.FINISHED: _("finished"),
        records.STOPPED: _("stopped"),
        records.FAILED: _("failed"),
        records.KILLED: _("killed"),
    }
    return words[state]


def titles() -> list[str]:
    """The titles of the columns of :func:`cells`."""
    return [_("Begun"), _("State"), _("Epoch"), _("Dice"), _("From")]


def cells(record: RunRecord) -> list[str]:
    """The row of a run."""
    begun = time_text(record.started)[5:]  # without the year, which the tooltip has
    epoch = f"{record.epoch}/{record.epochs}" if record.epochs else ""
    dice = "" if record.best is None else f"{record.best:.3f}"
    return [begun, state_text(record.state), epoch, dice, parent_text(record)]


def parent_text(record: RunRecord) -> str:
    """What a run started from."""
    if not record.request:
        return ""
    return str(record.request.get("parent") or _("scratch"))


def row_tip(record: RunRecord) -> str:
    """What the row has no room for."""
    request = record.request
    parts = [f"{record.folder.name} {time_text(record.started)}"]
    if request:
        parts.append(_("Task: {task}").format(task=request["task"]))
        parts.append(_("From: {model}").format(model=parent_text(record)))
        parts.append(_("Snapshot: {id}").format(id=request.get("snapshot") or _("none")))
    return "\n".join([*parts, *filter(None, (record.problem,))])


def ending_text(record: RunRecord) -> str:
    """What a run's end means, and what can be done; empty while it goes on."""
    told = {
        records.FINISHED: _("Finished: its model is in the box Result."),
        records.STOPPED: _("Stopped. Resume goes on where it was; Keep best makes a model of the best weights so far."),
        records.KILLED: _("Its process was ended from outside. Resume goes on from its last checkpoint."),
        records.FAILED: record.problem,
    }
    return told.get(record.state, "")


@functools.cache
def setting_tips() -> dict[str, str]:
    """What the library says of each setting, by name."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in (Recipe.__doc__ or "").splitlines():
        match = _SETTING.match(line)
        if match:
            names = match[1].split(", ")
            found.update(dict.fromkeys(names, line[match.end() :].strip()))
        elif names and line.strip():
            found.update({name: f"{found[name]} {line.strip()}" for name in names})
    return {name: text.replace("``", "").replace(":class:", "").replace(":attr:", "") for name, text in found.items()}


def setting_tip(name: str, usual: str) -> str:
    """The tooltip of a row of settings."""
    tips = setting_tips()
    told = tips.get(name) or tips.get(_SEE.get(name, name.partition(".")[0]), "")
    return sentences(told, _("Usual: {value}").format(value=usual or _("none")))


def split_names(preflight: Mapping[str, Any]) -> list[str]:
    """The splits in their order."""
    there = preflight["splits"]
    return [*(name for name in _SPLITS if name in there), *sorted(set(there) - set(_SPLITS))]


def split_rows(preflight: Mapping[str, Any]) -> list[tuple[str, list[str], bool]]:
    """Rows of the table of splits: title, a text a split, whether the row's first (training) or second text of 0 matters."""
    names = split_names(preflight)
    splits, labels = preflight["splits"], preflight["labels"]
    regions = list(dict.fromkeys(region for name in names for region in labels.get(name, {})))
    counts = [
        (title, [str(splits[name][key]) for name in names], False)
        for title, key in ((_("cases"), "cases"), (_("patients"), "patients"))
    ]
    return counts + [(region, [str(labels.get(name, {}).get(region, 0)) for name in names], True) for region in regions]


def preflight_html(preflight: Mapping[str, Any]) -> str:
    """What a check found: errors in red, warnings, then what the training will take."""
    lines = [red(sentences(text)) for text in preflight["errors"]]
    lines += [f"⚠ {escape(sentences(text))}" for text in preflight["warnings"]]
    if not preflight["errors"]:
        lines.append(f"<b>{_('Nothing stands in the way.')}</b>" if not lines else "")
        lines.append(escape(cost_text(preflight)))
    return "<br>".join(filter(None, lines))


def cost_text(preflight: Mapping[str, Any]) -> str:
    """Time, memory and disk, measured by two real steps."""
    parts = []
    if preflight["seconds_total"] is not None:
        text = _("about {total}") if preflight["seconds_per_epoch"] is None else _("about {total} ({epoch} an epoch)")
        epoch = duration(preflight["seconds_per_epoch"] or 0)
        parts.append(text.format(total=duration(preflight["seconds_total"]), epoch=epoch))
    for needed, free, text in (
        ("memory_mb", "memory_free_mb", _("memory {needed} of {free} free")),
        ("gpu_memory_mb", "gpu_memory_free_mb", _("the GPU's memory {needed} of {free} free")),
        ("disk_mb", "disk_free_mb", _("disk {needed} of {free} free")),
    ):
        if preflight.get(needed) is not None and preflight.get(free) is not None:
            parts.append(text.format(needed=size(preflight[needed]), free=size(preflight[free])))
    return sentences(", ".join(parts)) if parts else ""


def overfit_html(overfit: Mapping[str, Any]) -> str:
    """How the probe of one case went."""
    text = escape(sentences(str(overfit["text"])))
    return text if overfit["learns"] else red(sentences(str(overfit["text"])))


def red(text: str) -> str:
    """An error as HTML."""
    return f'<span style="color:{_RED}">✖ {escape(text)}</span>'


def duration(seconds: float) -> str:
    """``12 s``, ``14 min`` or ``3.5 h``."""
    if seconds < 90:
        return _("{number} s").format(number=max(1, round(seconds)))
    if seconds < 90 * 60:
        return _("{number} min").format(number=round(seconds / 60))
    return _("{number} h").format(number=f"{seconds / 3600:.1f}")


def size(megabytes: float) -> str:
    """``120 MB`` or ``1.4 GB``."""
    if megabytes < 1000:
        return _("{number} MB").format(number=round(megabytes))
    return _("{number} GB").format(number=f"{megabytes / 1000:.1f}")


def reasons_html(problems: Sequence[str], reasons: Sequence[str], installed: bool) -> str:
    """Why nothing starts: settings that do not fit in red, then what is to be done first, with a link to Environment."""
    link = "" if installed else f'<a href="environment">{_("Open Environment")}</a>'
    return "<br>".join(filter(None, [*map(red, problems), *map(escape, reasons), link]))
