"""Section Models: what is installed, its card, and how models come and go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel import model_list
from MedSegEffNetPanel.card_view import card_html
from MedSegEffNetPanel.drops import PathDrop
from MedSegEffNetPanel.jobs import JobQueue, PanelJob
from MedSegEffNetPanel.model_list import ModelEntry
from MedSegEffNetPanel.sections import Section
from MedSegEffNetPanel.wording import sentences, tip

_LAST_FOLDER = "models_folder"

Told = Callable[[Mapping[str, Any]], str]
"""Makes a sentence of a job's result."""


class PanelSection(Section):
    """A searchable table of models with the chosen one's card; checks, imports, exports and removals run as jobs.

    They have a queue of their own: a training in the panel's queue must not keep a model waiting.
    """

    order = 80
    layout_file = "Models.ui"

    @staticmethod
    def label() -> str:
        """The section's title."""
        return _("Models")

    def setup(self) -> None:
        """Connect the widgets and list the models."""
        self._queue = JobQueue(self.panel.environment.interpreter)
        self._shown: list[ModelEntry] = []
        self._endings: dict[Path, str] = {}  # of the jobs since the queue was last empty, by folder
        self._ended: set[Path] = set()  # the folders of all jobs whose end was told
        self._failed: PanelJob | None = None  # the last one that did
        table = self.ui.modelTable
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels([_("Model"), _("Version"), _("MB"), _("Task")])
        table.horizontalHeader().setStretchLastSection(True)
        table.verticalHeader().hide()
        self._drop = PathDrop(table.viewport(), _can_hold_model, self.import_model)
        self._connect()
        self._reload()

    def _connect(self) -> None:
        ui = self.ui
        ui.modelFilter.connect("textChanged(QString)", self._show_found)
        ui.modelTable.connect("itemSelectionChanged()", self._on_selected)
        for button, act in (
            (ui.verifyButton, self._on_verify),
            (ui.exportButton, self._on_export),
            (ui.removeButton, self._on_remove),
            (ui.openFolderButton, self._on_open_folder),
            (ui.importZipButton, self._on_import_zip),
            (ui.importFolderButton, self._on_import_folder),
            (ui.cancelButton, self._on_cancel),
            (ui.copyReportButton, self._on_report),
        ):
            button.connect("clicked()", act)
        self.panel.models_changed.connect(self._reload)

    def enter(self) -> None:
        """Models may have been added by hand meanwhile."""
        self._reload()

    def cleanup(self) -> None:
        """The module ends: an import that is under way ends and leaves nothing."""
        self.panel.models_changed.disconnect(self._reload)
        self._queue.cleanup()

    @property
    def entry(self) -> Any:
        """The model that is chosen in the table (a ModelEntry), or None."""
        row = self.ui.modelTable.currentRow()
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def select(self, key: str) -> None:
        """Choose the model ``name@version`` and show its card."""
        self.ui.modelFilter.text = ""
        self._show_found("", key)

    def import_model(self, source: Path) -> None:
        """Install the model in ``source``, a folder or a zip, in the background."""
        self.panel.settings.keep(_LAST_FOLDER, source.parent)
        title = _("Importing {name}").format(name=source.name)
        self._start(title, ["import", str(source)], lambda result: _("{model} is installed.").format(**result))

    def _reload(self) -> None:
        self._entries = model_list.entries()
        self._show_found(self.ui.modelFilter.text)

    def _show_found(self, text: str, wanted: str = "") -> None:
        wanted = wanted or (self.entry.key if self.entry else "")
        self._shown = model_list.search(self._entries, text)
        table = self.ui.modelTable
        was = table.blockSignals(True)
        table.setRowCount(len(self._shown))
        for row, entry in enumerate(self._shown):
            for column, shown in enumerate(_cells(entry)):
                table.setItem(row, column, shown)
        table.resizeColumnsToContents()
        keys = [entry.key for entry in self._shown]
        table.setCurrentCell(keys.index(wanted) if wanted in keys else min(0, len(keys) - 1), 0)
        table.blockSignals(was)
        self._on_selected()

    def _on_selected(self) -> None:
        entry, ui = self.entry, self.ui
        ui.cardBrowser.html = card_html(entry) if entry else _no_model(bool(self._entries))
        usable = entry is not None and not entry.problem
        ui.verifyButton.enabled = ui.exportButton.enabled = usable
        ui.openFolderButton.enabled = entry is not None
        ui.removeButton.enabled = entry is not None and entry.where == model_list.USER
        ui.removeButton.toolTip = (
            _("This model came with MedSegEffNet and stays.")
            if entry is not None and entry.where == model_list.SHIPPED
            else _("Delete this model from this computer.")
        )

    def _on_verify(self) -> None:
        title = _("Checking {model}").format(model=self.entry.key)
        text = _("{model} is as it was made: every file is whole, and its weights hold no code.")
        self._start(title, ["verify", str(self.entry.folder)], lambda result: text.format(model=result["models"][0]))

    def _on_export(self) -> None:
        entry = self.entry
        proposed = Path(self.panel.settings.text(_LAST_FOLDER, str(Path.home()))) / f"{entry.name}-{entry.version}.zip"
        chosen = qt.QFileDialog.getSaveFileName(self.widget, _("Export the model"), str(proposed), "Zip (*.zip)")
        if chosen:
            path = chosen if chosen.lower().endswith(".zip") else f"{chosen}.zip"
            title = _("Exporting {model}").format(model=entry.key)
            words = ["export", str(entry.folder), "--output", path]
            self._start(title, words, lambda result: _("{model} is written to {output}.").format(**result))

    def _on_remove(self) -> None:
        entry = self.entry
        name = entry.key if entry.version else entry.name
        question = _("Delete the model {model} from this computer? A zip made by Export can be imported again.")
        if slicer.util.confirmYesNoDisplay(question.format(model=name), windowTitle=_("Remove model")):
            words = ["remove", str(entry.folder)]
            removed = _("{model} is removed.").format(model=name)
            self._start(_("Removing {model}").format(model=name), words, lambda result: removed)

    def _on_open_folder(self) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.entry.folder)))

    def _on_import_zip(self) -> None:
        title = _("Import a model from a zip")
        start = self.panel.settings.text(_LAST_FOLDER)
        chosen = qt.QFileDialog.getOpenFileName(self.widget, title, start, "Zip (*.zip)")
        if chosen:
            self.import_model(Path(chosen))

    def _on_import_folder(self) -> None:
        title = _("Import a model from its folder")
        chosen = qt.QFileDialog.getExistingDirectory(self.widget, title, self.panel.settings.text(_LAST_FOLDER))
        if chosen:
            self.import_model(Path(chosen))

    def _on_cancel(self) -> None:
        for job in self._queue.jobs:
            if not job.state.over:
                job.cancel()

    def _on_report(self) -> None:
        if self._failed is not None:
            qt.QApplication.clipboard().setText(self._failed.report())

    def _start(self, title: str, words: Sequence[str], told: Told) -> None:
        if all(job.state.over for job in self._queue.jobs):
            self._endings, self._failed = {}, None
        try:
            folder = self.panel.new_run("models")
        except MedSegEffNetError as error:
            self.ui.modelMessage.text = sentences(error.found, error.hint)
            return
        job = self._queue.submit(title, ["models", *words], folder)
        job.changed.connect(partial(self._on_job, told))
        self._on_job(told, job)

    def _on_job(self, told: Told, job: PanelJob) -> None:
        ended = job.state.over and job.folder not in self._ended  # its process may still say something afterwards
        if ended:
            self._ended.add(job.folder)
            self._endings[job.folder] = _ending(job, told)
            self._failed = job if job.error is not None else self._failed
        self._show_progress(job)
        if ended and job.arguments[1] in ("import", "remove"):
            self.panel.models_changed.emit()
            if "model" in job.result:  # imported
                self.select(job.result["model"])

    def _show_progress(self, job: PanelJob) -> None:
        ui = self.ui
        waiting = [job for job in self._queue.jobs if not job.state.over]
        ui.progressFrame.visible = bool(waiting)
        ui.progressBar.maximum = job.total if waiting else 1  # 0 of 0: busy, for how long is not known
        ui.progressBar.value = job.done
        ui.modelMessage.text = "\n".join([*self._endings.values(), *(f"{job.title} …" for job in waiting)])
        ui.copyReportButton.visible = self._failed is not None


def _ending(job: PanelJob, told: Told) -> str:
    """How a job ended, in a sentence or two."""
    if job.error is not None:
        return sentences(f"{job.title}: {job.error.found}", job.error.hint)
    return told(job.result) if job.result else _("{title}: canceled, nothing was changed.").format(title=job.title)


def _cells(entry: ModelEntry) -> list[Any]:
    """The row of a model; its tooltip is what it does, or why it cannot be used."""
    task = _("cannot be used") if entry.problem else entry.task_title
    size = f"{entry.megabytes:.0f}" if entry.megabytes else ""
    cells = [qt.QTableWidgetItem(text) for text in (entry.name, entry.version, size, task)]
    for cell in cells:
        cell.setToolTip(tip(entry.problem or entry.description))
    return cells


def _no_model(searched: bool) -> str:
    found_none = _("No installed model has these words.")
    none_there = _("No model is installed. Import one from a zip or a folder, or drop it on the table.")
    return f"<p>{found_none if searched else none_there}</p>"


def _can_hold_model(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() == ".zip"
