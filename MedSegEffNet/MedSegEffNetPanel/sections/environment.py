"""Section Environment: what is installed and whether it works; install, repair, remove, another Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel.environment import GPU, LIGHT, SIZES, TRAINING
from MedSegEffNetPanel.installing import texts
from MedSegEffNetPanel.installing.kit import Kit
from MedSegEffNetPanel.remote import Place
from MedSegEffNetPanel.sections import Section
from MedSegEffNetPanel.wording import sentences, tip

_STEPS = 1000  # of the bar


class PanelSection(Section):
    """Status, sizes, buttons, progress; below them the check's table, another Python, the log."""

    order = 90
    layout_file = "Environment.ui"

    @staticmethod
    def label() -> str:
        """The section's title."""
        return _("Environment")

    def setup(self) -> None:
        """Connect the widgets and show what is there."""
        ui = self.ui
        self.environment = self.panel.environment
        self.job: Any = None
        self.buttons = {LIGHT: ui.lightButton, GPU: ui.gpuButton, TRAINING: ui.trainingButton}
        self._logged = 0
        self.environment.changed.connect(self.refresh)
        self.panel.jobs.changed.connect(self._on_other_job)
        handlers = {
            ui.installButton: self._on_install,
            ui.kitButton: self._on_kit,
            ui.removeButton: self._on_remove,
            ui.checkButton: self._on_check,
            ui.cancelButton: self._on_cancel,
            ui.browseButton: self._on_browse,
            ui.usePythonButton: self._on_use_python,
            ui.slicerPythonButton: self._on_slicer_python,
            ui.useRemoteButton: self._on_use_remote,
            ui.trainHereButton: self._on_train_here,
            ui.copyReportButton: self._on_copy,
        }
        for button, handler in handlers.items():
            button.connect("clicked()", handler)
        self.buttons[self.environment.status().size or LIGHT].checked = True
        for button in self.buttons.values():
            button.connect("toggled(bool)", self._on_size)
        ui.pythonPath.text = str(self.environment.python or "")
        ui.checkTable.visible = False
        for field, text in zip(self._remote_fields(), self.environment.place_texts(), strict=True):
            field.text = text
        self._show_place()
        self._show_job()
        self.refresh()

    def enter(self) -> None:
        """Follow an installation that goes on; delete what a killed one left; learn which GPU there is."""
        if self.environment.graphics is None:
            self.environment.look_for_graphics(self.refresh)
        if self.job is None or self.job.state.over:
            running = self.environment.running_setup()
            if running is not None:
                self._follow(running)
            else:
                self.environment.tidy()
        self.refresh()

    def cleanup(self) -> None:
        """The module ends: an installation is stopped, what was there before stays."""
        self.environment.changed.disconnect(self.refresh)
        self.panel.jobs.changed.disconnect(self._on_other_job)
        self.environment.cleanup()

    @property
    def size(self) -> str:
        """The size that is chosen."""
        return next((size for size in SIZES if self.buttons[size].checked), LIGHT)

    def refresh(self) -> None:
        """Show the status, the prices, and which buttons can be pressed."""
        ui, status = self.ui, self.environment.status()
        working = self.job is not None and not self.job.state.over
        blocked = _("Wait until the jobs are done, or cancel them.") if self.panel.jobs.running() else ""
        ui.statusLabel.text = sentences(status.text, status.hint)
        ui.folderLabel.text = str(self.environment.python or self.environment.folder)
        for size, button in self.buttons.items():
            button.text = texts.choice(size, self.environment.cost(size))
            button.toolTip = sentences(button.text, texts.purpose(size, self.environment.lacks_gpu))
            button.enabled = not working
        ui.purposeLabel.text = texts.purpose(self.size, self.environment.lacks_gpu)
        ui.installButton.text = _("Repair") if status.repair or status.size else _("Install")
        for button in (ui.installButton, ui.kitButton, ui.removeButton):
            button.enabled = not working and not blocked
            button.toolTip = blocked
        ui.removeButton.enabled = ui.removeButton.enabled and self.environment.folder.exists()
        ui.checkButton.enabled = not working
        ui.usePythonButton.enabled = not working
        ui.slicerPythonButton.enabled = self.environment.python is not None

    def install(self, kit: Kit | None = None) -> None:
        """Ask, then install the chosen size."""
        size, folder = self.size, self.environment.folder
        question = (
            texts.kit_consent(size, kit, folder) if kit else texts.consent(size, self.environment.cost(size), folder)
        )
        if not slicer.util.confirmOkCancelDisplay(question, windowTitle=_("MedSegEffNet"), parent=self.widget):
            return
        try:
            self._follow(self.environment.install(size, kit.folder if kit else None))
        except MedSegEffNetError as error:
            self._say(sentences(error.found, error.hint))

    def open_kit(self, folder: Path) -> None:
        """Install from the offline kit in ``folder``."""
        try:
            kit = Kit.open(folder)
        except MedSegEffNetError as error:
            self._say(sentences(error.found, error.hint))
            return
        if kit.size in self.buttons:
            self.buttons[kit.size].checked = True
        self.install(kit)

    def _on_size(self, chosen: bool) -> None:
        self.refresh()

    def _on_install(self) -> None:
        self.install()

    def _on_kit(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.widget, _("Folder of the offline kit"))
        if folder:
            self.open_kit(Path(folder))

    def _on_remove(self) -> None:
        question = _("Delete the installed packages in {folder}?").format(folder=self.environment.folder)
        if slicer.util.confirmOkCancelDisplay(question, windowTitle=_("MedSegEffNet"), parent=self.widget):
            self._follow(self.environment.remove())

    def _on_check(self) -> None:
        self._follow(self.environment.check())

    def _on_cancel(self) -> None:
        if self.job is not None:
            self.job.cancel()

    def _on_browse(self) -> None:
        path = qt.QFileDialog.getOpenFileName(self.widget, _("A Python program"))
        path = path[0] if isinstance(path, tuple) else path
        if path:
            self.ui.pythonPath.text = path

    def _on_use_python(self) -> None:
        text = self.ui.pythonPath.text.strip().strip('"')
        if text:
            self.ui.pythonLabel.text = _("Asking it …")
            self.environment.use_python(Path(text), self._on_python_known)

    def _on_python_known(self, found: Any) -> None:
        self.ui.pythonLabel.text = (
            sentences(found.problem, found.hint)
            if found.problem
            else _("Used from now on: {text}.").format(text=found.text)
        )

    def _on_slicer_python(self) -> None:
        self.ui.pythonPath.text = ""
        self.ui.pythonLabel.text = ""
        self.environment.use_python(None, self._on_python_known)

    def _on_use_remote(self) -> None:
        try:
            place = Place.from_texts(*(field.text for field in self._remote_fields()))
        except MedSegEffNetError as error:
            self.ui.remoteLabel.text = str(error)
            return
        self.ui.remoteLabel.text = _("Asking it …")
        self.environment.use_place(place, self._on_place_known)

    def _on_train_here(self) -> None:
        self.environment.use_place(None, self._on_place_known)
        self._show_place()

    def _on_place_known(self, problem: str, hint: str) -> None:
        self._show_place()
        if problem:
            self.ui.remoteLabel.text = sentences(problem, hint)

    def _remote_fields(self) -> tuple[Any, Any, Any]:
        return self.ui.remoteCommand, self.ui.remotePaths, self.ui.remoteFolder

    def _show_place(self) -> None:
        place = self.environment.place(["train"])
        self.ui.trainHereButton.enabled = place is not None
        self.ui.remoteLabel.text = (
            _("Trainings run here.")
            if place is None
            else _("Trainings run with: {command}").format(command=place.command)
        )

    def _on_copy(self) -> None:
        qt.QApplication.clipboard().setText(self.job.report())

    def _on_other_job(self, job: Any) -> None:
        self.refresh()

    def _follow(self, job: Any) -> None:
        """Show ``job`` from now on."""
        if self.job is not None:
            self.job.changed.disconnect(self._on_job)
        self.job = job
        self._logged = 0
        self.ui.logText.clear()
        job.changed.connect(self._on_job)
        self._on_job(job)

    def _on_job(self, job: Any) -> None:
        self._show_job()
        self.refresh()
        if job.state.over and "diagnosis" in job.result:
            self._show_diagnosis(job.result["diagnosis"])
        elif job.state.over and job.result.get("size"):
            self._follow(self.environment.check())  # an installation is tried at once

    def _show_job(self) -> None:
        ui, job = self.ui, self.job
        working = job is not None and not job.state.over
        for widget in (ui.progressBar, ui.cancelButton):
            widget.visible = working
        ui.copyReportButton.enabled = job is not None
        if job is None:
            ui.messageLabel.visible = False
            return
        ui.progressBar.maximum = _STEPS if job.total > 1 else 0  # 0: the bar only says that something moves
        ui.progressBar.value = round(_STEPS * job.done / job.total) if job.total > 1 else 0
        self._say(self._sentence(job))
        new = min(job.logged - self._logged, len(job.log))
        for line in job.log[len(job.log) - new :]:
            ui.logText.appendPlainText(line)
        self._logged = job.logged

    def _sentence(self, job: Any) -> str:
        if not job.state.over:
            amount = _(" {done} of {total} MB").format(done=job.done, total=job.total) if job.total > 1 else ""
            return f"{job.title}: {job.stage.rstrip(' …') or _('starting')}{amount} …"
        if job.state.name == "FAILED":
            return texts.failure(job.error)
        if job.state.name == "STOPPED":
            return _("Canceled; everything is as it was.")
        return _("{title}: done.").format(title=job.title)

    def _show_diagnosis(self, diagnosis: dict) -> None:
        table, found = self.ui.checkTable, texts.rows(diagnosis)
        table.setRowCount(len(found))
        for number, row in enumerate(found):
            for column, text in enumerate(row):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(tip(text))
                table.setItem(number, column, item)
        table.resizeColumnToContents(0)
        table.visible = True
        self._say(texts.verdict(diagnosis))

    def _say(self, text: str) -> None:
        self.ui.messageLabel.text = text
        self.ui.messageLabel.visible = bool(text)
