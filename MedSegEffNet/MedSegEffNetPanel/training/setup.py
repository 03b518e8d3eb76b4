"""The box *What is trained*: cases, where it starts from, the settings that matter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.records import ACCEPTED
from MedSegEffNetLib.dataset.snapshots import Snapshot, list_snapshots
from MedSegEffNetLib.dataset.splits import Splits, read_splits
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.task import SegmentationTask, get_segmentation_task
from MedSegEffNetPanel import model_list, steps
from MedSegEffNetPanel.curating.looks import narrow
from MedSegEffNetPanel.curating.rows import time_text
from MedSegEffNetPanel.model_list import ModelEntry
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.training import texts
from MedSegEffNetPanel.training.advanced import RecipeTable
from MedSegEffNetPanel.training.request import (
    FINE_TUNING_EPOCHS,
    FINE_TUNING_RATE,
    VARIANT,
    VARIANTS,
    RecipeSettings,
    TrainRequest,
)
from MedSegEffNetPanel.wording import sentences, tip, told

_NUMBERS = (  # widget, setting, type
    ("epochsBox", "epochs", "int"),
    ("rateBox", "learning_rate", "double"),
    ("strengthBox", "augmentation_strength", "double"),
    ("stoppingBox", "early_stopping", "int"),
)
_TRAINED = ("all", "decoder")


class Setup:
    """Widgets to a :class:`TrainRequest`.

    Attributes
    ----------
    changed : emitted when something else is to be trained. settings : those of the recipe.
    """

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._curation = ui, section.panel.curation
        self.changed = Signal()
        self.settings = RecipeSettings()
        self.table = RecipeTable(ui, self.settings)
        self._installed: list[ModelEntry] = []  # all models, read when the section is entered or one comes
        self._parents: list[ModelEntry] = []  # as parentBox lists them, after "from scratch"
        self._snapshots: Sequence[Snapshot] = ()
        self._splits: Splits | None = None
        self._problem = ""  # why snapshots or splits cannot be read
        self._reading: Any = None
        for box in (ui.snapshotBox, ui.parentBox, ui.trainedBox, ui.networkBox, ui.variantBox):
            narrow(box)
        for name, text in zip(_TRAINED, (_("all of the network"), _("the decoder only")), strict=True):
            ui.trainedBox.addItem(text, name)
        for variant in VARIANTS:
            ui.variantBox.addItem(variant, variant)
        self._connect()

    def _connect(self) -> None:
        ui = self._ui
        ui.snapshotBox.connect("currentIndexChanged(int)", self.changed.emit)
        ui.parentBox.connect("currentIndexChanged(int)", self._on_start)
        ui.networkBox.connect("currentIndexChanged(int)", self._on_start)
        ui.trainedBox.connect("currentIndexChanged(int)", self._on_trained)
        ui.variantBox.connect("currentIndexChanged(int)", self._on_variant)
        for box, key, kind in _NUMBERS:
            getattr(ui, box).connect(f"valueChanged({kind})", partial(self._take, key))
        ui.patchEdit.connect("textChanged(QString)", partial(self._take, "patch_size"))
        self.table.changed.connect(self._show_settings)

    @property
    def task(self) -> SegmentationTask | None:
        """The task of the open data set; None: there is none."""
        dataset = self._curation.dataset
        return get_segmentation_task(dataset.info.task) if dataset is not None else None

    @property
    def parent(self) -> ModelEntry | None:
        """The model to start from; None: from scratch."""
        number = self._ui.parentBox.currentIndex - 1
        return self._parents[number] if 0 <= number < len(self._parents) else None

    @property
    def accepted(self) -> int:
        """How many cases a new snapshot would hold."""
        return len(self._accepted())

    def request(self) -> TrainRequest:
        """What is to be trained; an :class:`InputError` if the settings do not fit."""
        dataset, parent = self._curation.dataset, self.parent
        return TrainRequest(
            task=dataset.info.task,
            data=str(dataset.folder),
            snapshot=str(self._ui.snapshotBox.currentData or ""),
            parent=parent.key if parent else "",
            network="" if parent else str(self._ui.networkBox.currentData or ""),
            settings=self.settings.words(),
            synthesised=self.settings.recipe().with_synthesised,
        )

    def state(self) -> Any:
        """What a check of a new snapshot depends on besides the request: the accepted cases and the splits."""
        if self._ui.snapshotBox.currentData:
            return None
        rows = [(row.id, row.patient, row.current, row.time) for row in self._accepted()]
        return rows, dict(self._splits.patients) if self._splits else None

    def problems(self) -> list[str]:
        """Which settings do not fit."""
        return [sentences(problem) for problem in self.settings.problems]

    def reasons(self) -> list[str]:
        """Why nothing can be trained, whatever the settings; empty: it can."""
        if self._curation.dataset is None:
            return [_("Open a data set in the section Data set.")]
        reasons = [self._problem] if self._problem else []
        if not self._ui.snapshotBox.currentData and not self.accepted:
            reasons.append(_("No case is accepted: correct some, and accept them."))
        return reasons

    def dataset_opened(self) -> None:
        """Another data set: its task, models and snapshots."""
        self._snapshots, self._splits, self._problem = (), None, ""
        self.settings.reset()
        self._show_snapshots()
        self._show_parents()
        self._show_networks()
        self._on_start()
        self.read()

    def read(self) -> None:
        """Read snapshots and splits again."""
        self.stop()
        dataset = self._curation.dataset
        if dataset is not None:
            work = steps.in_thread(_read, dataset)
            self._reading = steps.run(work, done=self._on_read, failed=self._on_unreadable)

    def show_models(self) -> None:
        """List the installed models anew; the one that was chosen stays so."""
        self._installed = [entry for entry in model_list.entries() if not entry.problem]
        before = self.parent
        self._show_parents()
        if (self.parent.key if self.parent else "") != (before.key if before else ""):
            self._on_start()

    def refresh(self) -> None:
        """Show how many cases are accepted."""
        text = _("new snapshot: {count} cases").format(count=self.accepted)
        self._ui.snapshotBox.setItemText(0, text if self.accepted else _("new snapshot: no accepted case"))

    def stop(self) -> None:
        """Let go of what is being read."""
        if self._reading is not None:
            self._reading.cancel()

    def _accepted(self) -> list[Any]:
        made = self.settings.text("with_synthesised") == "true"
        rows = self._curation.cases
        return [row for row in rows if row.state == ACCEPTED and not row.problem and (made or not row.synthesised)]

    def _on_read(self, found: tuple[Sequence[Snapshot], Splits | None]) -> None:
        self._snapshots, self._splits = found
        self._problem = ""
        self._show_snapshots()
        self.changed.emit()

    def _on_unreadable(self, error: Exception) -> None:
        self._problem = told(error)
        self.changed.emit()

    def _show_snapshots(self) -> None:
        box = self._ui.snapshotBox
        before, was = box.currentData, box.blockSignals(True)
        box.clear()
        box.addItem("", "")
        for one in reversed(self._snapshots):
            text = _("{id}: {count} cases, {time} {comment}")
            told = text.format(id=one.id, count=len(one.cases), time=time_text(one.created), comment=one.comment)
            box.addItem(told.strip(), one.id)
        box.setCurrentIndex(max(0, box.findData(before)) if before else 0)
        box.blockSignals(was)

    def _show_parents(self) -> None:
        """Offer the models of the task."""
        box, task, before = self._ui.parentBox, self.task, self.parent
        self._parents = [entry for entry in self._installed if task is not None and entry.task == task.id]
        was = box.blockSignals(True)
        box.clear()
        box.addItem(_("nothing: from scratch"))
        for entry in self._parents:
            box.addItem(f"{entry.name} {entry.version}")
        keys = [entry.key for entry in self._parents]
        box.setCurrentIndex(keys.index(before.key) + 1 if before and before.key in keys else min(1, len(keys)))
        box.blockSignals(was)

    def _show_networks(self) -> None:
        box, task = self._ui.networkBox, self.task
        was = box.blockSignals(True)
        box.clear()
        for one in task.networks if task is not None else ():
            box.addItem(one.name, one.name)
        box.blockSignals(was)

    def _on_start(self, changed: object = None) -> None:
        """Another model to start from, or another network: its usual settings."""
        task, parent, ui = self.task, self.parent, self._ui
        if task is not None:
            self.settings.begin(task, str(ui.networkBox.currentData or ""), parent.bundle if parent else None)
            if parent is None:
                self.settings.reset("trained")  # a decoder alone learns nothing from an encoder that knows nothing
        self._show_settings()

    def _show_settings(self) -> None:
        """Show the settings in their widgets and in the table."""
        ui, settings, scratch = self._ui, self.settings, self.parent is None
        for name, key, kind in _NUMBERS:
            self._put(getattr(ui, name), key, int if kind == "int" else float)
        was = ui.patchEdit.blockSignals(True)
        if settings.patch(ui.patchEdit.text) != settings.text("patch_size"):  # else it may be just typed
            ui.patchEdit.text = settings.text("patch_size").strip("[]").replace(",", " × ")
        ui.patchEdit.toolTip = tip(texts.setting_tip("patch_size", settings.usual_text("patch_size")))
        ui.patchEdit.blockSignals(was)
        for box, key in ((ui.trainedBox, "trained"), (ui.variantBox, VARIANT)):
            was = box.blockSignals(True)
            box.setCurrentIndex(max(0, box.findData(settings.text(key) if key in settings.names else "")))
            box.blockSignals(was)
        for widget, shown in (
            (ui.trainedLabel, not scratch), (ui.trainedBox, not scratch),
            (ui.networkLabel, scratch), (ui.networkBox, scratch),
            (ui.variantLabel, VARIANT in settings.names), (ui.variantBox, VARIANT in settings.names),
        ):  # fmt: skip
            widget.visible = shown
        self.table.show()
        self.changed.emit()

    def _put(self, box: Any, key: str, kind: type[int] | type[float]) -> None:
        """Show a number, unless it is none: the table says so."""
        settings, was = self.settings, box.blockSignals(True)
        if not settings.problem(key):
            box.value = kind(settings.text(key))
        told = texts.setting_tip(key, settings.usual_text(key))
        if self.parent is not None and key in ("epochs", "learning_rate"):
            gentle = _("To go on with a model, {epochs} epochs at most and {part:.0%} of the task's rate are usual.")
            told = f"{told} {gentle.format(epochs=FINE_TUNING_EPOCHS, part=FINE_TUNING_RATE)}"
        box.toolTip = tip(told)
        box.blockSignals(was)

    def _take(self, key: str, value: Any) -> None:
        self.settings.set(key, str(value))
        self._show_settings()

    def _on_trained(self, index: int) -> None:
        self._take("trained", self._ui.trainedBox.itemData(index))

    def _on_variant(self, index: int) -> None:
        self._take(VARIANT, self._ui.variantBox.itemData(index))


def _read(dataset: Dataset) -> tuple[Sequence[Snapshot], Splits | None]:
    return list_snapshots(dataset), read_splits(dataset)
