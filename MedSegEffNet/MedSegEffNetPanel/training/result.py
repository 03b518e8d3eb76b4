"""The box *Result*: the new model against the one before, promotion and versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.models.comparisons import BETTER, WORSE, sentence
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.comparing.tables import fill_table, prepare_table
from MedSegEffNetPanel.curating.looks import narrow
from MedSegEffNetPanel.jobs import JobQueue, PanelJob
from MedSegEffNetPanel.segmenting.progress import time_left
from MedSegEffNetPanel.training import verdicts
from MedSegEffNetPanel.training.again import AgainView, enable
from MedSegEffNetPanel.training.previews import Picture
from MedSegEffNetPanel.training.records import FINISHED
from MedSegEffNetPanel.training.verdicts import Facts, read_facts
from MedSegEffNetPanel.wording import sentences, tip, told

_COLORS = {BETTER: "#2e7d32", WORSE: "#c62828"}
_COMPARE, _PROMOTE, _ROLLBACK = "compare", "promote", "rollback"

Done = Callable[[Mapping[str, Any]], str]
"""Makes a sentence of a job's result."""


class ResultView:
    """Compares, promotes and rolls back the chosen run's model; commands run as jobs, one at a time."""

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._section, self._panel = ui, section, section.panel
        self._facts: Facts | None = None
        self._reading: steps.Steps | None = None
        self._queue = JobQueue(self._panel.environment.interpreter)  # they need not wait for a training
        self._job: PanelJob | None = None
        self._said: dict[Path, str] = {}  # what was said last of each run
        self._refused: set[Path] = set()  # runs whose comparison failed: there may be no held-out cases
        self._again = AgainView(ui, section.panel)
        self._picture = Picture(ui.worstPicture)
        self._prepare()
        self._connect()
        self.show(section.runs.selected)

    def _prepare(self) -> None:
        ui = self._ui
        narrow(ui.againstBox)
        prepare_table(ui.verdictTable, verdicts.titles(), [tip(text) for text in verdicts.tips()])
        line = qt.QFontMetrics(ui.verdictTable.font).lineSpacing()
        ui.verdictTable.verticalHeader().setDefaultSectionSize(2 * line + 6)
        prepare_table(ui.worstTable, [_("Case"), _("Label"), _("Before"), _("Now")])
        prepare_table(ui.versionsTable, [_("Version"), "", _("From"), _("Verdict")])

    def _connect(self) -> None:
        ui = self._ui
        for button, act in (
            (ui.compareButton, self._on_compare),
            (ui.comparisonPageButton, self._on_page),
            (ui.promoteButton, self._on_promote),
            (ui.rollbackButton, self._on_rollback),
        ):
            button.connect("clicked()", act)
        ui.worstTable.connect("itemSelectionChanged()", self._on_worst)
        ui.versionsTable.connect("itemSelectionChanged()", self.refresh)
        ui.promoteName.connect("editingFinished()", self._read)
        ui.overrideEdit.connect("textChanged(QString)", self.refresh)
        ui.overrideBox.connect("toggled(bool)", self.refresh)
        self._section.runs.chosen.connect(self.show)
        self._section.runs.changed.connect(self._on_run)
        self._panel.models_changed.connect(self._read)
        self._panel.environment.changed.connect(self.refresh)

    @property
    def busy(self) -> bool:
        """Whether a command is under way, or files are being read."""
        return self._working or (self._reading is not None and not self._reading.over)

    @property
    def _working(self) -> bool:
        return self._job is not None and (self._job.alive or not self._job.state.over)

    def show(self, folder: Path | None) -> None:
        """Tell of the run in ``folder``; None: none is chosen."""
        self._facts = Facts(folder) if folder is not None else None
        self._ui.promoteName.text = ""
        self._ui.overrideBox.checked = False
        self._ui.overrideEdit.text = ""
        self._ui.resultBox.visible = folder is not None
        self._show()
        self._read()

    def enter(self) -> None:
        """Others may have compared, promoted or predicted meanwhile."""
        self._read()

    def stop(self) -> None:
        """The module ends: a command ends with it; a comparison goes on where it was when it is asked for again."""
        self._section.runs.chosen.disconnect(self.show)
        self._section.runs.changed.disconnect(self._on_run)
        self._panel.models_changed.disconnect(self._read)
        self._panel.environment.changed.disconnect(self.refresh)
        self._again.stop()
        if self._reading is not None:
            self._reading.cancel()
        self._queue.cleanup()

    # reading

    def _read(self) -> None:
        """Look at the run's model, its comparison and the versions again, in a thread."""
        if self._reading is not None:
            self._reading.cancel()
        if self._facts is not None:
            work = steps.in_thread(read_facts, self._facts.folder, self._ui.promoteName.text.strip())
            self._reading = steps.run(work, done=self._on_read, failed=self._on_failed)

    def _on_read(self, facts: Facts) -> None:
        self._facts = facts
        self._show()

    def _on_failed(self, error: Exception) -> None:
        self._say(told(error))

    def _on_run(self, folder: Path) -> None:
        """Something is new of a run: it may have made its model."""
        facts, record = self._facts, self._section.runs.record(folder)
        if facts is not None and facts.folder == folder and record is not None and record.state == FINISHED:
            self._ui.resultBox.collapsed = False
            self._read()

    # showing

    def _show(self) -> None:
        facts, ui = self._facts, self._ui
        if facts is None:
            return
        ui.resultText.text = _standing(facts)
        ui.resultText.visible = bool(ui.resultText.text)
        box, chosen = ui.againstBox, str(ui.againstBox.currentData or "")
        was = box.blockSignals(True)
        box.clear()
        usual = _("{model} (its start)") if facts.rival == facts.parent else _("{model} (current)")
        box.addItem(usual.format(model=facts.rival) if "@" in facts.rival else _("the task's current model"), "")
        for key in facts.rivals:
            if key not in (facts.rival, facts.promoted):
                box.addItem(key, key)
        box.setCurrentIndex(max(0, box.findData(chosen)))
        box.blockSignals(was)
        self._show_comparison(facts)
        self._show_versions(facts)
        self.refresh()

    def _show_comparison(self, facts: Facts) -> None:
        ui, found = self._ui, facts.comparison
        ui.comparisonFrame.visible = found is not None
        regions = found["regions"] if found is not None else {}
        ui.verdictText.text = verdicts.summary(found) if found is not None else ""
        margin = found["margin"] if found is not None else 0.0
        texts = [tip(sentence(name, figures, margin)) for name, figures in regions.items()]
        fill_table(ui.verdictTable, [verdicts.cells(name, figures) for name, figures in regions.items()], texts)
        for row, figures in enumerate(regions.values()):
            color = _COLORS.get(figures["verdict"])
            brush = qt.QBrush(qt.QColor(color)) if color else qt.QBrush()
            ui.verdictTable.item(row, ui.verdictTable.columnCount - 1).setForeground(brush)
        worst = verdicts.losses(found) if found is not None else []
        ui.worstText.text = _("Where it lost most:")
        ui.worstText.visible = bool(worst)
        fill_table(ui.worstTable, worst)
        self._on_worst()

    def _show_versions(self, facts: Facts) -> None:
        ui = self._ui
        ui.versionsFrame.visible = len(facts.versions) > 1
        ui.versionsText.text = _("Versions of {name}:").format(name=facts.name)
        rows = [verdicts.version_cells(version) for version in facts.versions]
        fill_table(ui.versionsTable, rows, [tip(verdicts.version_tip(version)) for version in facts.versions])
        ui.versionsTable.clearSelection()

    def refresh(self, changed: object = None) -> None:
        """Enable what can be done now; everything else says why not."""
        facts, ui, job = self._facts, self._ui, self._job
        if facts is None:
            return
        comparing = self._working and job is not None and job.arguments[1] == _COMPARE
        ui.compareBar.visible = self._working
        ui.compareBar.maximum = job.total if job is not None and self._working else 0
        ui.compareBar.value = job.done if job is not None and self._working else 0
        stage = f"{job.title}: {job.stage}{time_left(job.seconds_left)}" if job is not None and self._working else ""
        ui.compareMessage.text = stage or self._said.get(facts.folder, "")
        ui.compareMessage.visible = bool(ui.compareMessage.text)
        ui.compareButton.text = _("Cancel the comparison") if comparing else _("Compare")
        enable(ui.compareButton, [] if comparing else self._compare_reasons(facts), _compare_tip())
        self._refresh_promotion(facts)
        self._refresh_rollback(facts)
        self._again.show(facts)

    def _refresh_promotion(self, facts: Facts) -> None:
        ui = self._ui
        ui.promoteFrame.visible = facts.made
        ui.promoteName.setPlaceholderText(facts.parent.partition("@")[0] or facts.name)
        asked = (
            bool(facts.against)
            and not facts.promoted
            and (facts.comparison is not None or facts.folder in self._refused)
        )
        ui.overrideBox.visible = ui.overrideEdit.visible = asked
        ui.overrideEdit.enabled = ui.overrideBox.checked
        new = f"{facts.name}@{facts.version}"
        ui.promoteButton.text = (
            _("Promote to {model}").format(model=new) if facts.version and not facts.promoted else _("Promote")
        )
        text = _("Make it {model}: whoever asks for {name} gets it from then on. Earlier versions stay.")
        enable(ui.promoteButton, self._promote_reasons(facts), text.format(model=new, name=facts.name))

    def _refresh_rollback(self, facts: Facts) -> None:
        ui, version = self._ui, self._target(facts)
        newer = [one.version for one in facts.versions][: _place(facts)]
        text = _("Make {version} current again") if version in newer else _("Roll back to {version}")
        ui.rollbackButton.text = text.format(version=version) if version else _("Roll back")
        reasons = self._work_reasons() + ([] if version else [_("There is no version before the current one.")])
        enable(ui.rollbackButton, reasons, _("Nothing is deleted: the same way leads forward again."))

    # reasons

    def _work_reasons(self) -> list[str]:
        reasons = [_("{title} is under way.").format(title=self._job.title)] if self._working and self._job else []
        status = self._panel.environment.status()
        return reasons if status.ready else [*reasons, sentences(status.text, status.hint_elsewhere)]

    def _compare_reasons(self, facts: Facts) -> list[str]:
        missing = _("The training has made no model yet: let it finish, or stop it and keep the best.")
        return [*([] if facts.made else [missing]), *self._work_reasons()]

    def _promote_reasons(self, facts: Facts) -> list[str]:
        if facts.promoted:
            return [_("It is {model} already.").format(model=facts.promoted)]
        if facts.problem:
            return [facts.problem]
        if facts.against and not (self._ui.overrideBox.checked and self._ui.overrideEdit.text.strip()):
            hint = _("To promote it all the same, say why.") if self._ui.overrideBox.visible else _("Press Compare.")
            return [sentences(facts.against, hint), *self._work_reasons()]
        return self._work_reasons()

    def _target(self, facts: Facts) -> str:
        """The version that the button makes current: the chosen one, or the one before; empty: there is none."""
        table = self._ui.versionsTable
        row = table.currentRow() if table.selectedItems() else -1
        chosen = facts.versions[row] if 0 <= row < len(facts.versions) else None
        return chosen.version if chosen is not None and not chosen.current else facts.previous

    # doing

    def _on_compare(self) -> None:
        if self._working and self._job is not None:
            self._job.cancel()
            return
        facts = self._facts
        if facts is not None:
            words = [_COMPARE, str(facts.folder)]
            against = str(self._ui.againstBox.currentData or "")
            words += ["--against", against] if against else []
            self._start(_("Comparing"), words, lambda result: "")

    def _on_promote(self) -> None:
        facts, ui = self._facts, self._ui
        if facts is None:
            return
        words = [_PROMOTE, str(facts.folder)]
        words += ["--name", ui.promoteName.text.strip()] if ui.promoteName.text.strip() else []
        words += ["--override", ui.overrideEdit.text.strip()] if facts.against else []
        text = _("{model} is the current version now; the one before is kept.")
        self._start(_("Promoting"), words, lambda result: text.format(**result))

    def _on_rollback(self) -> None:
        facts = self._facts
        if facts is not None:
            words = [_ROLLBACK, facts.name, "--to", self._target(facts)]
            text = _("{model} is the current version now.")
            self._start(_("Rolling back"), words, lambda result: text.format(**result))

    def _start(self, title: str, words: Sequence[str], done: Done) -> None:
        facts = self._facts
        if facts is None:
            return
        self._said.pop(facts.folder, None)
        try:
            folder = self._panel.new_run("models")
        except MedSegEffNetError as error:
            self._say(told(error))
            return
        self._job = self._queue.submit(title, ["models", *words], folder)
        self._job.changed.connect(partial(self._on_job, facts.folder, done))
        self.refresh()

    def _on_job(self, run: Path, done: Done, job: PanelJob) -> None:
        if job is self._job and job.state.over and not job.alive:
            self._job = None
            self._end(run, done, job)
        self.refresh()

    def _end(self, run: Path, done: Done, job: PanelJob) -> None:
        """Tell how a command ended, in the run that it was of."""
        action = job.arguments[1]
        if job.error is not None:
            self._said[run] = sentences(f"{job.title}: {job.error.found}", job.error.hint)
            self._refused |= {run} if action == _COMPARE else set()
        else:
            self._said[run] = done(job.result) if job.result else _("Canceled.")
        if action == _COMPARE or job.error is not None:
            self._read()
        else:
            self._panel.models_changed.emit()  # reads anew here, too

    def _say(self, text: str) -> None:
        if self._facts is not None:
            self._said[self._facts.folder] = text
            self.refresh()

    def _on_worst(self) -> None:
        table = self._ui.worstTable
        row = table.currentRow() if table.selectedItems() else -1
        self._picture.show(verdicts.loss_picture(self._facts, row) if self._facts is not None else None)

    def _on_page(self) -> None:
        path = verdicts.page_of(self._facts) if self._facts is not None else None
        if path is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path)))


def _standing(facts: Facts) -> str:
    """Where the run's model is on its way."""
    if not facts.made:
        return facts.problem or _("The training has made no model yet.")
    if facts.promoted:
        state = (
            _("in use")
            if facts.promoted == facts.current
            else _("not in use: {current} is").format(current=facts.current)
        )
        return _("This model is {model} ({state}).").format(model=facts.promoted, state=state)
    if facts.comparison is None:
        return _("The training has made a model. Compare it on held-out cases: only then can it be promoted.")
    return ""


def _compare_tip() -> str:
    return _(
        "Let both models segment the held-out cases of the split 'test', and measure them. It goes on where it was."
    )


def _place(facts: Facts) -> int:
    return next((place for place, one in enumerate(facts.versions) if one.current), 0)
