"""The searchable list of models with a short card."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetPanel import model_list
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import tip

_ROWS = (2, 5)  # that are shown at least and at most
_PADDING = 6  # pixels between the lines of two rows


class ModelPicker:
    """Shows the models of one ``kind``; :attr:`chosen` is emitted with the entry when the user chooses another one.

    A search only narrows the list: the chosen model stays chosen, also where the list does not show it.
    """

    def __init__(self, ui, kind: str = "segmentation") -> None:
        self._ui, self._kind = ui, kind
        self.usable: list[model_list.ModelEntry] = []  # all that are listed, whatever the search finds
        self.others: list[model_list.ModelEntry] = []  # of other kinds
        self._shown: list[model_list.ModelEntry] = []
        self._missing = ""  # the scene's model, if it is not installed
        self.entry: Any = None  # the chosen ModelEntry, or None
        self.chosen = Signal()
        self._height = qt.QFontMetrics(ui.modelList.font).height() + _PADDING
        ui.modelList.setTextElideMode(qt.Qt.ElideMiddle)
        ui.modelList.setHorizontalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)
        ui.modelSearch.connect("textChanged(QString)", self._show_found)
        ui.modelList.connect("itemSelectionChanged()", self._on_selected)

    def show(self, wanted: str, usual: str = "") -> None:
        """List the installed models anew and choose one.

        Parameters
        ----------
        wanted : ``name@version`` of the scene's model. If it is not installed none is chosen, and that is told.
        usual : the one that is chosen where the scene wants none; the first one if it is empty or not installed.
        """
        installed = [entry for entry in model_list.entries() if not entry.problem]
        self.usable = [entry for entry in installed if entry.kind == self._kind]
        self.others = [entry for entry in installed if entry.kind != self._kind]
        known = {entry.key: entry for entry in self.usable}
        first = next(iter(self.usable), None)
        before = self.entry.key if self.entry else ""
        self.entry = known.get(wanted) if wanted else known.get(before) or known.get(usual) or first
        self._missing = "" if self.entry else wanted
        self._show_found(self._ui.modelSearch.text)
        self._show_summary()
        if (self.entry.key if self.entry else "") != before:
            self.chosen.emit(self.entry)

    def choose_task(self, task: str) -> None:
        """Choose the first model of a task, its default where that is installed; none is installed: nothing changes."""
        self.choose(lambda entry: entry.task == task)

    def choose(self, wanted: Callable[[model_list.ModelEntry], bool]) -> None:
        """Choose the first model that is ``wanted``, unless the chosen one is, or none."""
        entry = next(filter(wanted, self.usable), None)
        if entry is not None and (self.entry is None or not wanted(self.entry)):
            self.entry, self._missing = entry, ""
            self._show_found(self._ui.modelSearch.text)
            self._show_summary()
            self.chosen.emit(entry)

    def _show_found(self, text: str) -> None:
        self._shown = model_list.search(self.usable, text)
        shown = self._ui.modelList
        was = shown.blockSignals(True)
        shown.clear()
        for entry in self._shown:
            item = qt.QListWidgetItem(f"{entry.task_title}  ·  {entry.name} {entry.version}")
            item.setToolTip(tip(f"{entry.name} {entry.version}: {entry.description}"))
            item.setSizeHint(qt.QSize(1, self._height))  # as wide as the list: what is longer is elided
            shown.addItem(item)
        keys = [entry.key for entry in self._shown]
        shown.setCurrentRow(keys.index(self.entry.key) if self.entry and self.entry.key in keys else -1)
        shown.blockSignals(was)
        low, high = _ROWS
        shown.setFixedHeight(min(max(len(keys), low), high) * self._height + 2 * shown.frameWidth)

    def _on_selected(self) -> None:
        row = self._ui.modelList.currentRow
        if not self._ui.modelList.selectedItems() or self._shown[row] is self.entry:
            return
        self.entry, self._missing = self._shown[row], ""
        self._show_summary()
        self.chosen.emit(self.entry)

    def _show_summary(self) -> None:
        if self.entry is not None:
            self._ui.modelSummary.text = summary(self.entry)
        elif self._missing:
            text = _("The model {model} of this scene is not installed: import it in Models, or choose another one.")
            self._ui.modelSummary.text = escape(text.format(model=self._missing))
        elif self._kind == "synthesis":
            self._ui.modelSummary.text = _("No model that makes images is installed. Import one in Models.")
        else:
            self._ui.modelSummary.text = _("No model is installed. Import one in Models.")


def summary(entry: model_list.ModelEntry) -> str:
    """A few lines of the card and a link to all of it, as HTML; what the model says of itself is escaped."""
    lines = [
        escape(entry.description),
        escape(_marks(entry)),
        escape(_("Licence: {licence}.").format(licence=entry.licence.partition(":")[0])),
        _("Research only: <b>not for clinical use</b>.") + f' <a href="card">{_("Model card")}</a>',
    ]
    if entry.time_text:
        lines.insert(2, escape(_("Measured: {time}.").format(time=entry.time_text)))
    if entry.caution:
        lines.insert(1, f"<b>{escape(entry.caution)}</b>")
    return "<br>".join(lines)


def _marks(entry: model_list.ModelEntry) -> str:
    """What the model marks, or makes."""
    if entry.kind == "synthesis":
        titles = {channel.name: channel.title for channel in entry.bundle.channels}
        return _("Makes: {images}.").format(images=", ".join(titles[name] for name in entry.bundle.targets))
    return _("Labels: {labels}.").format(labels=", ".join(entry.labels))
