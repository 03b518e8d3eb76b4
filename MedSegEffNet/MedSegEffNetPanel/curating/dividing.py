"""Look for what is wrong, and divide the patients into splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.leaks import Leak, find_leaks
from MedSegEffNetLib.dataset.splits import Splits, add_patients, make_splits, read_splits
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.segmenting.request import join_reasons

_REPORT = "findings"  # folder of the check's page, in its run
_MOST = 5  # leaks that are told


class Dividing:
    """The box *Check and split*."""

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._section = ui, section
        self._curation = section.panel.curation
        self._splits: Splits | None = None
        self._problem = ""  # why the splits cannot be read
        self._page: Path | None = None
        self._reading: Any = None
        ui.checkButton.connect("clicked()", self._on_check)
        ui.checkReport.connect("clicked()", self._on_report)
        ui.splitButton.connect("clicked()", self._on_split)
        for box in (ui.trainBox, ui.valBox, ui.testBox):
            box.connect("valueChanged(int)", section.refresh)

    def dataset_opened(self) -> None:
        """Nothing is known of another data set."""
        self._splits, self._page, self._problem = None, None, ""
        self._ui.checkText.text = ""

    def cases_changed(self) -> None:
        """Read the splits again."""
        self.stop()
        dataset = self._curation.dataset
        if dataset is not None:
            work = steps.in_thread(read_splits, dataset)
            self._reading = steps.run(work, done=self._show_splits, failed=self._on_unreadable)

    def stop(self) -> None:
        """Let go of what is being read."""
        if self._reading is not None:
            self._reading.cancel()

    def refresh(self) -> None:
        """Enable the buttons, or say why not."""
        ui = self._ui
        reasons = self._section.reasons(of_author=False)
        none = [] if self._curation.cases else [_("There is no case yet.")]
        self._enable(ui.checkButton, [*reasons, *none], _("Look at every image and label; nothing is changed."))
        page = [] if self._page is not None else [_("Check first.")]
        self._enable(ui.checkReport, page, _("Open the table of findings with pictures in the browser."))
        for box in (ui.trainBox, ui.valBox, ui.testBox, ui.seedBox):
            box.enabled = self._splits is None
        ui.splitButton.text = _("Split by patient") if self._splits is None else _("Add new patients")
        told = _("Alike in label volumes and sites. It is kept in splits.json and never drawn anew by itself.")
        self._enable(ui.splitButton, [*reasons, *none, *self._split_reasons()], told)

    def _split_reasons(self) -> list[str]:
        if self._problem:
            return [self._problem]
        if self._splits is not None:
            return [] if self._without() else [_("Every patient has a split.")]
        total = sum(self._fractions().values())
        return (
            []
            if abs(total - 1) < 1e-6
            else [_("The parts sum to {total:.0%} and must sum to 100 %.").format(total=total)]
        )

    def _enable(self, button: Any, reasons: list[str], text: str) -> None:
        button.enabled = not reasons
        button.toolTip = join_reasons(reasons) or text

    def _fractions(self) -> dict[str, float]:
        ui = self._ui
        parts = {"train": ui.trainBox.value, "val": ui.valBox.value, "test": ui.testBox.value}
        return {name: part / 100 for name, part in parts.items() if part}

    def _without(self) -> set[str]:
        splits = self._splits
        return {
            row.patient for row in self._curation.cases if not row.problem and splits and not splits.of(row.patient)
        }

    def _show_splits(self, splits: Splits | None) -> None:
        self._splits, self._problem = splits, ""
        self._ui.splitText.text = _("No splits yet.") if splits is None else self._table(splits)
        self._section.refresh()

    def _on_unreadable(self, error: Exception) -> None:
        self._splits, self._problem = None, str(error)
        self._ui.splitText.text = self._problem
        self._section.refresh()

    def _table(self, splits: Splits) -> str:
        """Patients, cases and mean labelled volume of each split, as HTML."""
        patients = Counter(splits.patients.values())
        rows = [row for row in self._curation.cases if not row.problem]
        cells = ""
        for name in splits.fractions:
            mine = [sum(row.volumes_ml.values()) for row in rows if splits.of(row.patient) == name]
            mean = sum(mine) / len(mine) if mine else 0.0
            numbers = (patients[name], len(mine), f"{mean:.1f}")
            cells += (
                f"<tr><td>{name}</td>" + "".join(f"<td align='right'>{number}</td>" for number in numbers) + "</tr>"
            )
        titles = (_("Split"), _("Patients"), _("Cases"), _("Mean mL"))
        head = "".join(f"<th align='left'>{title}</th>" for title in titles)
        missing = len(self._without())
        more = _("{count} patients have no split yet.").format(count=missing) if missing else ""
        return f"<table cellspacing='6'><tr>{head}</tr>{cells}</table>{more}"

    def _on_check(self) -> None:
        folder, work = self._section.work.new_folder(), self._section.work
        if folder is not None:
            words = ["check", str(self._curation.dataset.folder), "--output", str(folder / _REPORT)]
            work.command(_("Checking the cases"), folder, words, self._on_checked)

    def _on_checked(self, result: Mapping[str, Any]) -> None:
        self._page = Path(result["output"]) / "findings.html"
        counts = Counter((finding["check"], finding["severity"]) for finding in result["findings"])
        text = _("{errors} errors, {warnings} warnings").format(**result)
        told = [f"{check} ({severity}): {count}" for (check, severity), count in counts.items()]
        nothing = _("Nothing looks wrong.")
        self._ui.checkText.text = f"{text}. {'; '.join(told)}" if told else nothing
        self._section.work.say(_("The check has found {text}.").format(text=text) if told else nothing)
        self._section.refresh()

    def _on_report(self) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._page)))

    def _on_split(self) -> None:
        dataset, fractions, seed = self._curation.dataset, self._fractions(), int(self._ui.seedBox.value)
        new = self._splits is None
        self._section.work.in_thread(
            _("Splitting"), lambda: _divide(dataset, fractions, seed, new=new), self._on_divided
        )

    def _on_divided(self, leaks: list[Leak]) -> None:
        errors = [leak.text for leak in leaks if leak.severity == "error"]
        text = _("{count} leaks between splits: {leaks}. Put these patients into one split, or reject a case.")
        if errors:
            told = "; ".join(errors[:_MOST])
            self._section.work.say(f"⚠ {text.format(count=len(errors), leaks=told)}")
        else:
            self._section.work.say(_("The patients are split; no image is in two splits."))
        self._curation.refresh()


def _divide(dataset: Dataset, fractions: Mapping[str, float], seed: int, *, new: bool) -> list[Leak]:
    """Draw the splits, or give those without one a split; then look for leaks."""
    if new:
        make_splits(dataset, fractions, seed)
    else:
        add_patients(dataset)
    return find_leaks(dataset, read_splits(dataset))
