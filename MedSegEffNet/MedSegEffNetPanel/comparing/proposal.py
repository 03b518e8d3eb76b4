"""The model asked again for the case that is open, with the files of the data set: nothing in the scene is changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import read_label_map
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.named_masks import plain
from MedSegEffNetPanel.grid import Grid
from MedSegEffNetPanel.jobs import JobState, PanelJob
from MedSegEffNetPanel.segmenting.request import LABEL_MAP
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import sentences, told


class Proposal:
    """One model's result for one case, in the making.

    Attributes
    ----------
    changed : emitted when ``text`` is new. text : what happens now, or why there is no result. over : whether it ended.
    labels : (K, J, I) uint8 with the task's values when it ended well, else None. title : of the model.
    """

    def __init__(self, panel: Any, session: Any, entry: Any) -> None:
        self._panel, self._session, self._entry = panel, session, entry
        self._job: PanelJob | None = None
        self._reading: Any = None
        self.title = entry.key
        self.text = ""
        self.over = False
        self.labels: np.ndarray | None = None
        self.changed = Signal()

    def start(self) -> None:
        """Begin; returns at once. :class:`MedSegEffNetError` if no folder can be made for it."""
        panel, entry = self._panel, self._entry
        self._folder = panel.new_run("propose")
        words = ["segment", str(entry.folder), "--input"]
        words += [f"{name}={path}" for name, path in inputs_of(self._session, entry).items()]
        words += ["--output", str(self._folder / LABEL_MAP), *panel.section("segment").advanced.options().words()]
        title = _("Proposing labels for {case}").format(case=self._session.record.id)
        self._job = panel.jobs.submit(title, words, self._folder)
        self._job.changed.connect(self._on_job)
        self._on_job(self._job)

    def cancel(self) -> None:
        """The result is not wanted any more."""
        self.over = True
        if self._reading is not None:
            self._reading.cancel()
        if self._job is not None:
            self._job.cancel()

    def _on_job(self, job: PanelJob) -> None:
        if self.over or self._reading is not None:
            return
        if job.state is JobState.FINISHED:
            self._reading = steps.run(self._read(), done=self._on_read, failed=self._on_failed)
        elif job.error is not None:
            self._end(sentences(job.error.found, job.error.hint))
        elif job.state.over:
            self._end(_("Stopped."))
        else:
            self.text = _("{title}: {stage}").format(title=job.title, stage=job.stage or _("waiting"))
            self.changed.emit()

    def _read(self) -> Any:
        image = next(iter(self._session.record.images.values()))
        affine = np.vstack([np.reshape(image.affine, (3, 4)), [0.0, 0.0, 0.0, 1.0]])
        values = values_of(self._session.dataset.task, self._entry)
        i, j, k = image.shape[:3]
        return steps.in_thread(_label_map, self._folder / LABEL_MAP, Grid((i, j, k), affine), values)

    def _on_read(self, labels: np.ndarray) -> None:
        self.labels = labels
        self._end("")

    def _on_failed(self, error: Exception) -> None:
        self._end(told(error))

    def _end(self, text: str) -> None:
        self.text, self.over = text, True
        self.changed.emit()


def inputs_of(session: Any, entry: Any) -> dict[str, Any]:
    """The case's image files by the model's channels."""
    paths = session.dataset.paths(session.record)
    return {channel.name: paths[channel.name] for channel in entry.bundle.channels if channel.name in paths}


def values_of(task: Any, entry: Any) -> dict[int, int]:
    """The task's label values by the model's; labels are the same where they have one name."""
    known = {plain(label.name): label.value for label in task.labels}
    return {label.value: known[plain(label.name)] for label in entry.bundle.labels if plain(label.name) in known}


def reasons_against(session: Any, entry: Any) -> list[str]:
    """Why the model cannot be asked for this case; empty: it can."""
    given = inputs_of(session, entry)
    missing = [channel.title for channel in entry.bundle.channels if channel.required and channel.name not in given]
    reasons = []
    if not values_of(session.dataset.task, entry):
        text = _("{model} marks {labels}, which are no labels of this data set: choose another model in Segment.")
        reasons.append(text.format(model=entry.key, labels=", ".join(entry.labels)))
    elif missing or not given:
        text = _("{model} needs images that the case has not: {channels}. Choose another model in Segment.")
        reasons.append(text.format(model=entry.key, channels=", ".join(missing) or entry.channels))
    return reasons


def suited(session: Any, chosen: Any, usable: Iterable[Any]) -> Any:
    """The model to ask for the case: the chosen one or, where that cannot be asked, the first usable one that can."""
    fitting = (entry for entry in (chosen, *usable) if entry is not None and not reasons_against(session, entry))
    return next(fitting, chosen)


def _label_map(path: Any, expected: Grid, values: dict[int, int]) -> np.ndarray:
    image = read_label_map(path)
    if not Grid(image.shape, image.affine).same(expected):
        raise InputError(
            _("the model's labels lie on other voxels than the case"),
            expected=expected.text(),
            hint=_("check the images of the case with the command dataset check"),
        )
    lookup = np.zeros(256, dtype=np.uint8)
    for found, value in values.items():
        lookup[found] = value
    return np.ascontiguousarray(lookup[image.array].T)
