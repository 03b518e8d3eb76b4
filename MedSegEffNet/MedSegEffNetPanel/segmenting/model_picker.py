"""The searchable list of models with a short card."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetPanel import model_list
from MedSegEffNetPanel.signals import Signal


class ModelPicker:
    """Shows the models that segment; :attr:`chosen` is emitted with the entry (or None) when another one is chosen."""

    def __init__(self, ui) -> None:
        self._ui = ui
        self._shown: list[model_list.ModelEntry] = []
        self.entry: Any = None  # the chosen ModelEntry
        self.chosen = Signal()
        ui.modelSearch.connect("textChanged(QString)", self._show_found)
        ui.modelList.connect("currentRowChanged(int)", self._on_row)

    def show(self, wanted: str) -> None:
        """List the installed models anew and choose ``wanted`` (``name@version``), or the first one."""
        self._show_found(self._ui.modelSearch.text, wanted)

    def _show_found(self, text: str, wanted: str = "") -> None:
        wanted = wanted or (self.entry.key if self.entry else "")
        usable = [entry for entry in model_list.entries() if not entry.problem and entry.kind == "segmentation"]
        self._shown = model_list.search(usable, text)
        shown = self._ui.modelList
        was = shown.blockSignals(True)
        shown.clear()
        for entry in self._shown:
            item = qt.QListWidgetItem(f"{entry.task_title}  ·  {entry.name} {entry.version}")
            item.setToolTip(entry.description)
            shown.addItem(item)
        keys = [entry.key for entry in self._shown]
        row = keys.index(wanted) if wanted in keys else min(0, len(keys) - 1)
        shown.setCurrentRow(row)
        shown.blockSignals(was)
        if row >= 0 or not text:  # a search that finds nothing leaves the choice as it was
            self._on_row(row)

    def _on_row(self, row: int) -> None:
        entry = self._shown[row] if 0 <= row < len(self._shown) else None
        self._ui.modelSummary.text = summary(entry) if entry else _("No model is installed. Import one in Models.")
        if (entry and entry.key) != (self.entry and self.entry.key):
            self.entry = entry
            self.chosen.emit(entry)


def summary(entry: model_list.ModelEntry) -> str:
    """Three lines of the card and a link to all of it, as HTML."""
    lines = [
        entry.description,
        _("Labels: {labels}.").format(labels=", ".join(entry.labels)),
        _("Licence: {licence}.").format(licence=entry.licence.partition(":")[0]),
        _("Research only: <b>not for clinical use</b>.") + f' <a href="card">{_("Model card")}</a>',
    ]
    if entry.time_text:
        lines.insert(2, _("Measured: {time}.").format(time=entry.time_text))
    return "<br>".join(lines)
