"""Open, make and close a data set, and who works on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.store import INFO, Dataset
from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.task import list_tasks
from MedSegEffNetPanel.curating import rows as texts
from MedSegEffNetPanel.curating.looks import narrow
from MedSegEffNetPanel.drops import PathDrop
from MedSegEffNetPanel.segmenting.request import join_reasons


class Opening:
    """The lines above the table."""

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._section = ui, section
        self._curation = section.panel.curation
        for task in list_tasks().values():
            if task.kind == "segmentation":
                ui.taskBox.addItem(task.title, task.id)
        narrow(ui.taskBox)
        ui.newFolder.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Drives
        ui.authorEdit.text = self._curation.author
        self._drop = PathDrop(section.widget, _is_dataset, self.open)
        for button, act in (
            (ui.openButton, self._on_open),
            (ui.lastButton, self._on_last),
            (ui.closeButton, self._curation.close),
            (ui.createButton, self._on_create),
        ):
            button.connect("clicked()", act)
        self._curation.author_changed.connect(self._show_author)
        ui.authorEdit.connect("editingFinished()", self._on_author)
        ui.authorEdit.connect("textChanged(QString)", section.refresh)
        ui.newFolder.connect("currentPathChanged(QString)", section.refresh)

    def open(self, folder: Path) -> None:
        """Open the data set in ``folder``, or tell why not."""
        try:
            self._curation.open(folder)
        except MedSegEffNetError as error:
            self._section.work.say_error(error)

    def refresh(self) -> None:
        """Show which data set is open, and which could be."""
        ui, dataset = self._ui, self._curation.dataset
        if dataset is None:
            ui.datasetSummary.text = _("No data set is open. Open one, or make a new one.")
        else:
            cases = texts.counted(self._curation.cases) or _("no cases yet")
            title, task = texts.escaped(dataset.info.title), texts.escaped(dataset.info.task)
            ui.datasetSummary.text = f"<b>{title}</b> · {task}<br>{cases}"
        ui.datasetSummary.toolTip = str(dataset.folder) if dataset is not None else ""
        last = self._curation.last_folder
        ui.lastButton.visible = dataset is None and last is not None
        ui.lastButton.text = _("Open {name}").format(name=last.name if last else "")
        ui.lastButton.toolTip = str(last or "")
        ui.closeButton.visible = dataset is not None
        ui.casesFrame.visible = dataset is not None
        reasons = [*self._section.work.reasons()]
        if not ui.newFolder.currentPath:
            reasons.append(_("Choose a folder for it."))
        ui.createButton.enabled = not reasons
        ui.createButton.toolTip = join_reasons(reasons) or _("Make an empty data set in this folder and open it.")
        for button in (ui.openButton, ui.lastButton, ui.closeButton):
            button.enabled = not self._section.work.busy

    def _on_open(self) -> None:
        start = str(self._curation.last_folder or "")
        chosen = qt.QFileDialog.getExistingDirectory(self._section.widget, _("Open a data set"), start)
        if chosen:
            self.open(Path(chosen))

    def _on_last(self) -> None:
        if self._curation.last_folder is not None:
            self.open(self._curation.last_folder)

    def _on_create(self) -> None:
        ui = self._ui
        folder, task, title = Path(ui.newFolder.currentPath), str(ui.taskBox.currentData), ui.titleEdit.text.strip()
        self._section.work.in_thread(
            _("Making the data set"), lambda: Dataset.create(folder, task, title=title), self._on_created
        )

    def _on_created(self, dataset: Dataset) -> None:
        self._ui.newBox.collapsed = True
        self._ui.newFolder.currentPath = ""
        self._ui.titleEdit.text = ""
        self.open(dataset.folder)

    def cleanup(self) -> None:
        """The module ends."""
        self._curation.author_changed.disconnect(self._show_author)

    def _show_author(self) -> None:
        self._ui.authorEdit.text = self._curation.author

    def _on_author(self) -> None:
        name = self._ui.authorEdit.text.strip()
        if name and name != self._curation.author:
            try:
                self._curation.author = name
            except MedSegEffNetError as error:
                self._section.work.say_error(error)
        self._section.refresh()


def _is_dataset(path: Path) -> bool:
    return (path / INFO).is_file()
