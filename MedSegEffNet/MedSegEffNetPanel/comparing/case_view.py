"""The labels of the case that is open in Correct against others: outline, agreement, differences, what is taken over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel import bridge, steps
from MedSegEffNetPanel.bridge import undo
from MedSegEffNetPanel.bridge.underlays import hide_underlay, remove_underlay, underlay
from MedSegEffNetPanel.comparing.agreement import Agreement, agreement
from MedSegEffNetPanel.comparing.difference_view import DifferenceView, Widgets
from MedSegEffNetPanel.comparing.others import Other, OtherPicker
from MedSegEffNetPanel.comparing.proposal import Proposal, reasons_against, suited
from MedSegEffNetPanel.comparing.tables import fill_table, prepare_table
from MedSegEffNetPanel.comparing.taking import take_label
from MedSegEffNetPanel.segmenting.request import join_reasons
from MedSegEffNetPanel.wording import told

OUTLINE = (255, 64, 255)  # unlike the labels of the tasks, and seen on gray


class CaseView:
    """Follows the case that is open in Correct, and its edits.

    Attributes
    ----------
    other : what it is compared with; None: nothing yet. rows : how far both agree.
    """

    def __init__(self, ui: Any, panel: Any) -> None:
        self._ui, self._panel = ui, panel
        self._correct = panel.section("correct")
        self._desk = self._correct.desk
        self._session: Any = None  # a CaseSession
        self._reading: Any = None
        self._counting: Any = None
        self._drawing: Any = None
        self._proposal: Proposal | None = None
        self._node: Any = None  # the outlines
        self._recount = False
        self._message = ""
        self.other: Other | None = None
        self.rows: list[Agreement] = []
        widgets = Widgets(ui.caseDifferenceBox, ui.casePreviousButton, ui.caseNextButton, ui.caseDifferenceText)
        self.differences = DifferenceView(widgets, _("only here"), _("only there"))
        self.picker = OtherPicker(ui.otherBox, ui.otherSelector)
        self._tips = {
            widget: widget.toolTip for widget in (ui.otherBox, ui.outlineBox, ui.takeButton, ui.proposeButton)
        }
        prepare_table(ui.caseTable, [_("Label"), _("Dice"), _("mL here"), _("mL there")])
        self._connect()
        self.picker.open(None)

    def _connect(self) -> None:
        ui, desk = self._ui, self._desk
        desk.opened.connect(self._on_opened)
        desk.leaving.connect(self.close)
        desk.changed.connect(self._on_desk)
        self.picker.chosen.connect(self._on_other)
        ui.outlineBox.connect("toggled(bool)", self._draw)
        ui.caseTable.connect("itemSelectionChanged()", self.refresh)
        ui.takeButton.connect("clicked()", self._on_take)
        ui.proposeButton.connect("clicked()", self._on_propose)

    @property
    def busy(self) -> bool:
        """Whether something is read, counted or drawn."""
        works = (self._reading, self._counting, self._drawing)
        return any(work is not None and not work.over for work in works) or self.differences.busy

    def close(self) -> None:
        """The case is put away, or the scene or the module is closed."""
        if self._proposal is not None:
            self._proposal.cancel()
        if self._session is not None:
            self._session.edits.changed.disconnect(self._on_edited)
        self._session, self._proposal = None, None
        self.picker.open(None)
        node, self._node = self._node, None
        remove_underlay(node)

    def refresh(self, changed: object = None) -> None:
        """Enable what can be pressed, and tell why the rest cannot."""
        ui, opened = self._ui, self._session is not None
        none = [] if opened else [self.picker.problem()]
        for widget, reasons in (
            (ui.otherBox, none),
            (ui.outlineBox, none),
            (ui.takeButton, self._reasons_to_take()),
            (ui.proposeButton, self._reasons_to_propose()),
        ):
            widget.enabled = not reasons
            widget.toolTip = join_reasons(reasons) or self._tips[widget]
        proposing = self._proposal.text if self._proposal is not None else ""
        ui.caseMessage.text = "\n".join(filter(None, (proposing, self._message)))
        ui.caseMessage.visible = bool(ui.caseMessage.text)

    def _on_opened(self) -> None:
        self.close()
        self._session = self._desk.session
        self._session.edits.changed.connect(self._on_edited)
        self._correct.bench.locks.changed.connect(self.refresh)
        self.picker.open(self._session)

    def _on_desk(self) -> None:
        """A version may have been saved, or work has begun or ended."""
        if self._session is not None:
            self.picker.refresh()
        self.refresh()

    def _on_other(self) -> None:
        self._forget()
        self._message = self.picker.problem()
        if not self._message:
            self._message = _("Reading …")
            self._reading = steps.run(self.picker.read(), done=self._on_read, failed=self._on_failed)
        self.refresh()

    def _forget(self) -> None:
        for work in (self._reading, self._counting, self._drawing):
            if work is not None:
                work.cancel()
        self.other, self._recount = None, False
        self._show([])
        self._draw()
        self.differences.close(self.picker.problem() or _("The labels are being read."))

    def _on_read(self, other: Other) -> None:
        self.other, self._message = other, "\n".join(other.notices)
        edits = self._session.edits
        self.differences.open(lambda: (edits.labels.copy(), other.labels), other.cut.grid)
        self._draw()
        self._count()
        self.refresh()

    def _on_failed(self, error: Exception) -> None:
        self._message = told(error)
        self.refresh()

    # how far they agree

    def _on_edited(self) -> None:
        if self.other is not None:
            self._count()
            self.differences.edited()

    def _count(self) -> None:
        """Count anew, and once more when that has ended if there were edits meanwhile."""
        self._recount = self._counting is not None and not self._counting.over
        if self._recount or self.other is None:
            return
        work = steps.in_thread(_agreement, self._session.edits, self.other.labels, self._session.dataset.task)
        self._counting = steps.run(work, done=self._on_counted, failed=self._on_failed)

    def _on_counted(self, rows: list[Agreement]) -> None:
        self._show(rows)
        if self._recount:
            self._count()
        self.refresh()

    def _show(self, rows: list[Agreement]) -> None:
        self.rows = rows
        size = 0.0 if self.other is None else abs(np.linalg.det(self.other.cut.grid.affine[:3, :3])) / 1000
        texts = [[row.title, f"{row.dice:.3f}", f"{row.here * size:.2f}", f"{row.there * size:.2f}"] for row in rows]
        fill_table(self._ui.caseTable, texts)

    # what is shown

    def _draw(self, on: object = None) -> None:
        if self._drawing is not None:
            self._drawing.cancel()
        if self.other is None or not self._ui.outlineBox.checked:
            hide_underlay(self._node)
            return
        labels = [replace(label, color=OUTLINE) for label in self._session.dataset.task.labels]
        work = underlay(self._node, _("Outline"), self.other.cut, labels, outline=True)
        self._drawing = steps.run(work, done=self._on_drawn, failed=self._on_failed)

    def _on_drawn(self, node: Any) -> None:
        self._node = node

    # what is taken over

    def _row(self) -> Agreement | None:
        place = self._ui.caseTable.currentRow()
        chosen = bool(self._ui.caseTable.selectedItems())
        return self.rows[place] if chosen and 0 <= place < len(self.rows) else None

    def _segment_id(self, row: Agreement) -> str:
        values = self._session.values.items()
        return next((segment_id for segment_id, value in values if value == row.value), "")

    def _reasons_to_take(self) -> list[str]:
        if self.other is None:
            return [self.picker.problem() or _("The labels are being read.")]
        row, reasons = self._row(), []
        if row is None or not row.value:
            reasons.append(_("Choose a label in the table."))
        elif not self._segment_id(row):
            reasons.append(_("The case has no segment {name} any more: undo its removal.").format(name=row.title))
        elif bridge.is_locked(self._session.segmentation.GetSegmentation().GetSegment(self._segment_id(row))):
            reasons.append(_("{name} is locked: unlock it in Correct.").format(name=row.title))
        if self._desk.busy or self._desk.tools_busy():
            reasons.append(_("The case is being worked on: wait a moment."))
        return reasons

    def _on_take(self) -> None:
        row, reasons = self._row(), self._reasons_to_take()
        editor = next((one for one in undo.editors if one.segmentationNode() is self._session.segmentation), None)
        if row is None or reasons or self.other is None or editor is None:
            return
        work = take_label(editor, self._segment_id(row), self.other.labels, row.value)
        self._desk.run(work, _("{name} is taken over; undo brings the former one back.").format(name=row.title))

    # what is proposed

    def _reasons_to_propose(self) -> list[str]:
        if self._session is None:
            return [self.picker.problem()]
        if self._proposal is not None:
            return [_("A proposal is under way.")]
        entry = self._model()
        common = self._panel.section("segment").common_reasons()
        return common + (reasons_against(self._session, entry) if entry is not None else [])

    def _model(self) -> Any:
        models = self._panel.section("segment").models
        return suited(self._session, models.entry, models.usable)

    def _on_propose(self) -> None:
        self._message = ""
        self._proposal = Proposal(self._panel, self._session, self._model())
        self._proposal.changed.connect(self._on_proposal)
        try:
            self._proposal.start()
        except MedSegEffNetError as error:
            self._proposal = None
            self._on_failed(error)

    def _on_proposal(self) -> None:
        proposal = self._proposal
        if proposal is not None and proposal.over:
            self._proposal, self._message = None, proposal.text
            if proposal.labels is not None:
                self.picker.add(proposal.labels, proposal.title)
        self.refresh()


def _agreement(edits: Any, other: np.ndarray, task: Any) -> list[Agreement]:
    return agreement(edits.labels.copy(), other, task)
