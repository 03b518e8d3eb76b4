"""A model labels the cases of the data set, in a process that goes on when Slicer ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.records import NEW, PREDICTED, REJECTED
from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel import model_list
from MedSegEffNetPanel.curating import rows as texts
from MedSegEffNetPanel.curating.looks import narrow, prepare
from MedSegEffNetPanel.jobs import PanelJob
from MedSegEffNetPanel.segmenting import batch
from MedSegEffNetPanel.segmenting.progress import time_left
from MedSegEffNetPanel.segmenting.request import join_reasons
from MedSegEffNetPanel.wording import sentences, tip

_LAST_RUN = "predict_run"
_REFRESH = 2000  # ms from a case that is done to a new look at all of them
_WIDTHS = (92, 64)  # pixels; the result takes what is left
_OVER = ("done", "skipped", "failed")


class PredictView:
    """The box *Predict*: model, cases, a button that starts and cancels, a row a case."""

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._section, self._panel = ui, section, section.panel
        self._job: PanelJob | None = None
        self._rows: dict[str, int] = {}
        self._cases: dict[int, dict[str, Any]] = {}  # the last event of the case in each row
        self._folder = ""  # of the data set that the job works on; another one may be open by now
        self._installed: list[model_list.ModelEntry] = []  # all models, read when the section is entered or one comes
        self._entries: list[model_list.ModelEntry] = []  # those of the data set's task, as the box lists them
        self._counts: Counter[str] = Counter()  # cases by state
        self._later = qt.QTimer()
        self._later.setSingleShot(True)
        self._later.setInterval(_REFRESH)
        self._later.connect("timeout()", self._look_again)
        for state in (NEW, PREDICTED, REJECTED):
            ui.predictState.addItem(texts.state_text(state), state)
        for box in (ui.predictModel, ui.predictState):
            narrow(box)
            box.connect("currentIndexChanged(int)", section.refresh)
        self._prepare_table()
        ui.predictButton.connect("clicked()", self._on_button)
        ui.predictReport.connect("clicked()", self._on_report)
        self._panel.models_changed.connect(self.show_models)
        self._panel.environment.changed.connect(section.refresh)

    def _prepare_table(self) -> None:
        table = self._ui.predictTable
        prepare(table, [_("Case"), _("State"), _("Result")])
        for column, width in enumerate(_WIDTHS):
            table.setColumnWidth(column, width)
        table.connect("itemSelectionChanged()", self._show_message)
        table.connect("cellDoubleClicked(int,int)", self._on_row)

    def show_models(self) -> None:
        """List the installed models anew."""
        self._installed = [entry for entry in model_list.entries() if not entry.problem]
        self.dataset_opened()

    def dataset_opened(self) -> None:
        """Offer the models of the data set's task."""
        dataset, box = self._panel.curation.dataset, self._ui.predictModel
        task, before, was = dataset.info.task if dataset else "", box.currentText, box.blockSignals(True)
        self._entries = [entry for entry in self._installed if entry.task == task]
        box.clear()
        for entry in self._entries:
            box.addItem(f"{entry.name} {entry.version}")
        box.setCurrentIndex(max(0, box.findText(before)))
        box.blockSignals(was)
        self._section.refresh()

    def cases_changed(self) -> None:
        """Count the cases by state."""
        self._counts = Counter(row.state for row in self._panel.curation.cases)

    def refresh(self) -> None:
        """Enable the button, or say why not."""
        ui, running = self._ui, self._running()
        reasons = [] if running else self._reasons()
        ui.predictButton.text = _("Cancel prediction") if running else _("Predict")
        ui.predictButton.enabled = not reasons
        done = _("Stop after this case; labels that are saved stay.") if running else _("Label these cases one by one.")
        ui.predictButton.toolTip = join_reasons(reasons) or done
        for place, state in enumerate((NEW, PREDICTED, REJECTED)):
            ui.predictState.setItemText(place, f"{texts.state_text(state)} ({self._counts[state]})")
        ui.predictReport.visible = self._job is not None and self._job.error is not None
        ui.predictTable.visible = bool(self._rows)
        ui.predictBar.visible = running
        ui.predictMessage.visible = self._job is not None

    def attach(self) -> None:
        """Follow the last prediction again, after a restart of Slicer say, until its end was shown."""
        folder = self._panel.settings.path(_LAST_RUN)
        job = self._panel.jobs.attach(folder) if self._job is None and folder is not None else None
        if job is not None:
            self._follow(job)

    def cleanup(self) -> None:
        """The module ends; the prediction goes on."""
        self._later.stop()
        self._panel.models_changed.disconnect(self.show_models)
        self._panel.environment.changed.disconnect(self._section.refresh)

    def start(self, key: str, states: Sequence[str]) -> PanelJob | None:
        """Let the model ``key`` (``name@version``) label the cases in these states; None: it could not begin, as is told."""
        keys = [entry.key for entry in self._entries]
        if key not in keys:
            self._section.work.say(_("The model {key} is not installed.").format(key=key))
            return None
        self._ui.predictModel.setCurrentIndex(keys.index(key))
        return self._submit(self._entries[keys.index(key)], states)

    def reasons(self) -> list[str]:
        """Why no prediction can begin now, whatever it is of; empty: one can."""
        reasons = self._section.reasons(of_work=False)
        if self._running():
            reasons.append(_("A prediction is under way."))
        if self._panel.curation.dataset is not None and not self._entries:
            reasons.append(_("No model of this task is installed: import one in Models."))
        status = self._panel.environment.status()
        if not status.ready:
            reasons.append(sentences(status.text, status.hint_elsewhere))
        return reasons

    def _reasons(self) -> list[str]:
        reasons = self.reasons()
        state = str(self._ui.predictState.currentData)
        if self._panel.curation.dataset is not None and not self._counts[state]:
            reasons.append(_("No case is {state}.").format(state=texts.state_text(state)))
        return reasons

    def _running(self) -> bool:
        return self._job is not None and not self._job.state.over

    def _on_button(self) -> None:
        if self._job is not None and self._running():
            self._job.cancel()
            return
        self._submit(self._entries[self._ui.predictModel.currentIndex], [str(self._ui.predictState.currentData)])

    def _submit(self, entry: model_list.ModelEntry, states: Sequence[str]) -> PanelJob | None:
        try:
            folder = self._panel.new_run("predict")
        except MedSegEffNetError as error:
            self._section.work.say_error(error)
            return None
        dataset = self._panel.curation.dataset
        options = replace(self._panel.section("segment").advanced.options(), ensemble="")
        words = ["dataset", "predict", str(dataset.folder), "--model", str(entry.folder), *options.words()]
        words += ["--state", ",".join(states), "--author", self._panel.curation.author]
        self._panel.settings.keep(_LAST_RUN, folder)
        self._section.work.forget()
        title = _("Predicting {title}").format(title=dataset.info.title)
        job = self._panel.jobs.submit(title, words, folder, detached=True)
        self._follow(job)
        return job

    def _follow(self, job: PanelJob) -> None:
        if self._job is not None:
            self._job.event.disconnect(self._on_event)
            self._job.changed.disconnect(self._on_changed)
        self._job, self._rows, self._cases = job, {}, {}
        self._ui.predictTable.setRowCount(0)
        job.event.connect(self._on_event)
        job.changed.connect(self._on_changed)
        self._on_changed(job)

    def _on_changed(self, job: PanelJob) -> None:
        if job.state.over:
            self._panel.settings.keep(_LAST_RUN, "")  # its end has been shown
            self._look_again()
        self._show_message()
        self.refresh()

    def _on_event(self, job: PanelJob, event: dict[str, Any]) -> None:
        if event["event"] == "started":
            self._folder = str(event["request"]["dataset"])
        if event["event"] != "case":
            return
        row = self._rows.setdefault(event["case"], len(self._rows))
        self._cases[row] = event
        self._ui.predictTable.setRowCount(len(self._rows))
        for column, text in enumerate((event["case"], batch.state_text(event["state"]), _result(event))):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(tip(text))
            self._ui.predictTable.setItem(row, column, item)
        self._ui.predictBar.maximum = event["total"]
        self._ui.predictBar.value = event["index"] + (event["state"] in _OVER)
        if event["state"] == "done" and not self._later.active:
            self._later.start()

    def _look_again(self) -> None:
        dataset = self._panel.curation.dataset
        if dataset is not None and dataset.folder == Path(self._folder):
            self._panel.curation.refresh()

    def _show_message(self) -> None:
        """How far it is, and all that is known of the row that is chosen."""
        if self._job is not None:
            row = self._ui.predictTable.currentRow() if self._ui.predictTable.selectedItems() else -1
            event = self._cases.get(row)
            told = f"{event['case']}: {_result(event) or batch.state_text(event['state'])}" if event else ""
            self._ui.predictMessage.text = "\n".join(filter(None, (self._summary(self._job), told)))

    def _summary(self, job: PanelJob) -> str:
        ends = Counter(event["state"] for event in self._cases.values())
        total = next((event["total"] for event in self._cases.values()), 0)
        text = _("{done} of {total} cases predicted, {failed} failed.")
        text = text.format(done=ends["done"] + ends["skipped"], total=total, failed=ends["failed"]) if total else ""
        if job.error is not None:
            return f"{text} {sentences(job.error.found, job.error.hint)}"
        return text if job.state.over else f"{text} {job.stage}{time_left(job.seconds_left)}"

    def _on_row(self, row: int, column: int) -> None:
        dataset = self._panel.curation.dataset
        if dataset is not None and dataset.folder == Path(self._folder) and self._cases[row]["state"] in _OVER[:2]:
            self._section.correct(self._cases[row]["case"])

    def _on_report(self) -> None:
        if self._job is not None:
            qt.QApplication.clipboard().setText(self._job.report())


def _result(event: Mapping[str, Any]) -> str:
    """Volumes and how unsure the model is, then the warnings; or why the case failed."""
    figures = batch.result_text({**event, "warnings": ()})
    doubt = texts.unsure_text(event["figures"])
    told = _("{figures}, unsure {percent}").format(figures=figures, percent=doubt) if doubt else figures
    return " ".join(filter(None, (told, batch.result_text({**event, "volumes_ml": {}}) if event["warnings"] else "")))
