"""What is done to the cases that are chosen in the table: state, flag, comment, version; and what is known of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.index import CaseSummary
from MedSegEffNetLib.dataset.labels import choose
from MedSegEffNetLib.dataset.records import ACCEPTED, IN_REVIEW, REJECTED, CaseRecord
from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.curating import rows as texts
from MedSegEffNetPanel.curating.history import history_html
from MedSegEffNetPanel.curating.looks import narrow
from MedSegEffNetPanel.segmenting.request import join_reasons
from MedSegEffNetPanel.wording import told

_FLAGS = ("hard", "artifact", "ask")  # that are offered before any is in use
_MOST_REASONS = 5  # in a tooltip


class CaseActions:
    """The buttons below the table and the box with one case's history."""

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._section = ui, section
        self._reading: Any = None
        self._record: CaseRecord | None = None  # the case whose history is shown
        self._states = (
            (ui.acceptButton, ACCEPTED, _("The label is right: it counts for trainings and exports.")),
            (ui.rejectButton, REJECTED, _("The case is of no use; it is left out everywhere and not deleted.")),
            (ui.reviewButton, IN_REVIEW, _("Take it up again: also a case that was accepted or rejected.")),
        )
        for button, state, _text in self._states:
            button.connect("clicked()", partial(self._on_state, state))
        ui.correctButton.connect("clicked()", self._on_correct)
        ui.chooseButton.connect("clicked()", self._on_choose)
        ui.flagButton.connect("clicked()", self._on_flag)
        ui.commentButton.connect("clicked()", self._on_comment)
        for box in (ui.versionBox, ui.flagBox):
            narrow(box)
        ui.flagBox.connect("editTextChanged(QString)", self.refresh)
        ui.versionBox.connect("currentIndexChanged(int)", self.refresh)
        ui.commentEdit.connect("textChanged(QString)", self.refresh)
        ui.caseBox.connect("toggled(bool)", self.show_history)

    def show_flags(self, cases: Sequence[CaseSummary]) -> None:
        """Offer the flags that are in use; what is typed stays."""
        box = self._ui.flagBox
        typed, was = box.currentText, box.blockSignals(True)
        box.clear()
        for flag in sorted({*_FLAGS, *(flag for row in cases for flag in row.flags)}):
            box.addItem(flag)
        box.setEditText(typed)
        box.blockSignals(was)

    def refresh(self, changed: object = None) -> None:
        """Enable what can be done to the chosen cases; the others say why not."""
        ui, chosen = self._ui, self._section.table.chosen()
        reasons = self._section.reasons()
        if not chosen:
            reasons = [*reasons, _("Choose a case in the table (several with Shift or Ctrl).")]
        for button, state, text in self._states:
            told = [why for row in chosen if (why := texts.hindrance(row, state))]
            self._enable(button, [*reasons, *(told if len(told) == len(chosen) else [])], text)
        one = reasons if len(chosen) == 1 else [*reasons, _("Choose one case only.")] if chosen else reasons
        self._enable(ui.correctButton, one, _("Open the case in the section Correct (or double-click it)."))
        self._enable(ui.chooseButton, [*one, *self._version_reasons()], _("Make this version the case's label."))
        flag, remove = ui.flagBox.currentText.strip(), self._removes(chosen)
        ui.flagButton.text = _("Remove flag") if remove else _("Flag")
        no_flag = [] if flag else [_("Type a flag or choose one.")]
        self._enable(ui.flagButton, [*reasons, *no_flag], _("Put the flag on the chosen cases, or take it off."))
        same = [_("The comment is not changed.")] if chosen and self._comment() == chosen[0].comment else []
        self._enable(ui.commentButton, [*one, *same], _("Keep the comment with the case."))

    def show_history(self, changed: object = None) -> None:
        """Read the chosen case again and show its history, where the box is open."""
        if self._reading is not None:
            self._reading.cancel()
        chosen, dataset = self._section.table.chosen(), self._section.panel.curation.dataset
        if self._ui.caseBox.collapsed or dataset is None:
            return
        if len(chosen) != 1 or chosen[0].problem:
            self._show_record(None, chosen[0].problem if len(chosen) == 1 else _("Choose one case in the table."))
            return
        work = steps.in_thread(dataset.read, chosen[0].id)
        self._reading = steps.run(
            work, done=self._show_record, failed=lambda error: self._show_record(None, str(error))
        )

    def stop(self) -> None:
        """Let go of a case that is being read."""
        if self._reading is not None:
            self._reading.cancel()

    def _show_record(self, record: CaseRecord | None, problem: str = "") -> None:
        ui, before = self._ui, self._record.id if self._record else ""
        self._record = record
        ui.historyText.html = history_html(record) if record else f"<p>{texts.escaped(problem)}</p>"
        was = ui.versionBox.blockSignals(True)
        ui.versionBox.clear()
        for label in reversed(record.labels if record else ()):
            text = _("version {number}: {label}, {author}")
            names = {"number": label.number, "label": texts.origin_text(label.origin, label.model)}
            ui.versionBox.addItem(text.format(author=label.author, **names), label.number)
        ui.versionBox.blockSignals(was)
        if record is not None and record.id != before:
            ui.commentEdit.text = record.comment
        self.refresh()

    def _version_reasons(self) -> list[str]:
        record, number = self._record, self._ui.versionBox.currentData
        if record is None or not record.labels:
            return [_("The case has no saved label.")]
        if number == record.current and not record.conflicts:
            return [_("This version is the case's label.")]
        return [_("Its file was moved to the trash.")] if record.version(int(number)).pruned else []

    def _comment(self) -> str:
        return str(self._ui.commentEdit.text).strip()

    def _removes(self, chosen: Sequence[CaseSummary]) -> bool:
        flag = self._ui.flagBox.currentText.strip()
        return bool(chosen) and bool(flag) and all(flag in row.flags for row in chosen)

    def _enable(self, button: Any, reasons: Sequence[str], text: str) -> None:
        more = [_("… and {count} more").format(count=len(reasons) - _MOST_REASONS)]
        told = [*reasons[:_MOST_REASONS], *(more if len(reasons) > _MOST_REASONS else [])]
        button.enabled = not reasons
        button.toolTip = join_reasons(told) or text

    def _on_correct(self) -> None:
        self._section.correct(self._section.table.chosen()[0].id)

    def _on_state(self, state: str) -> None:
        wanted = [row.id for row in self._section.table.chosen() if not texts.hindrance(row, state)]
        text = _("{count} cases are {state} now.") if len(wanted) > 1 else _("{case} is {state} now.")
        told = text.format(count=len(wanted), case=wanted[0], state=texts.state_text(state))
        dataset, author = self._section.panel.curation.dataset, self._section.panel.curation.author
        self._change(wanted, lambda case_id: dataset.set_state(case_id, state, author), told)

    def _on_flag(self) -> None:
        chosen, flag = self._section.table.chosen(), self._ui.flagBox.currentText.strip()
        on = not self._removes(chosen)
        dataset, author = self._section.panel.curation.dataset, self._section.panel.curation.author
        told = (_("The flag {flag} is set.") if on else _("The flag {flag} is removed.")).format(flag=flag)
        self._change([row.id for row in chosen], lambda case_id: dataset.flag(case_id, flag, author, on=on), told)

    def _on_comment(self) -> None:
        text = self._comment()
        dataset, author = self._section.panel.curation.dataset, self._section.panel.curation.author
        chosen = [row.id for row in self._section.table.chosen()]
        self._change(chosen, lambda case_id: dataset.comment(case_id, text, author), _("The comment is kept."))

    def _on_choose(self) -> None:
        number = int(self._ui.versionBox.currentData)
        dataset, author = self._section.panel.curation.dataset, self._section.panel.curation.author
        told = _("Version {number} is the case's label now.").format(number=number)
        chosen = [row.id for row in self._section.table.chosen()]
        self._change(chosen, lambda case_id: choose(dataset, case_id, number, author), told)

    def _change(self, case_ids: Sequence[str], change: Callable[[str], object], told: str) -> None:
        """Change cases one by one in a thread; one that cannot be changed does not hinder the others."""
        curation, work = self._section.panel.curation, self._section.work

        def done(problems: list[str]) -> None:
            work.say(" ".join([*([told] if len(problems) < len(case_ids) else []), *problems[:_MOST_REASONS]]))
            curation.refresh()

        work.in_thread(_("Changing {count} cases").format(count=len(case_ids)), lambda: _each(case_ids, change), done)


def _each(case_ids: Sequence[str], change: Callable[[str], object]) -> list[str]:
    problems = []
    for case_id in case_ids:
        try:
            change(case_id)
        except MedSegEffNetError as error:
            problems.append(told(error))
    return problems
