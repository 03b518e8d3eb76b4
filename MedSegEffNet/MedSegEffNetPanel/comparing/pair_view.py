"""Two segmentations of the scene, one of them the reference: table, copy, file, slices, differences."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.copied_masks import copied_masks, has_masks
from MedSegEffNetPanel.comparing import texts
from MedSegEffNetPanel.comparing.difference_view import DifferenceView, Widgets
from MedSegEffNetPanel.comparing.evaluation import Evaluation, evaluate
from MedSegEffNetPanel.comparing.others import NO_LABELS
from MedSegEffNetPanel.comparing.slices_view import SlicesView
from MedSegEffNetPanel.comparing.tables import fill_table, prepare_table
from MedSegEffNetPanel.segmenting.request import join_reasons
from MedSegEffNetPanel.wording import told

_LAST_FOLDER = "compare_folder"


class PairView:
    """Evaluates one segmentation against another.

    Attributes
    ----------
    found : the Evaluation that is shown, or None.
    """

    def __init__(self, ui: Any, settings: Any) -> None:
        self._ui, self._settings = ui, settings
        self._work: Any = None
        self.found: Evaluation | None = None
        self._slices = SlicesView(ui)
        widgets = Widgets(ui.pairDifferenceBox, ui.pairPreviousButton, ui.pairNextButton, ui.pairDifferenceText)
        self.differences = DifferenceView(widgets, _("only compared"), _("only reference"))
        self._tips = [button.toolTip for button in self._outputs]
        heads = [_("Label"), _("Dice"), _("HD95"), _("Mean"), _("mL"), _("Ref."), _("Diff.")]
        prepare_table(ui.pairTable, heads, _head_tips())
        self._connect()
        self._forget()

    def _connect(self) -> None:
        ui = self._ui
        for selector in (ui.comparedSelector, ui.referenceSelector):
            selector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_chosen)
        ui.evaluateButton.connect("clicked()", self._on_evaluate)
        ui.copyTableButton.connect("clicked()", self._on_copy)
        ui.saveTableButton.connect("clicked()", self._on_save)

    @property
    def busy(self) -> bool:
        """Whether an evaluation is under way."""
        return self._work is not None and not self._work.over

    @property
    def _outputs(self) -> tuple[Any, ...]:
        return self._ui.copyTableButton, self._ui.saveTableButton

    def clear(self) -> None:
        """The scene or the module is closed."""
        self._forget()

    def refresh(self) -> None:
        """Enable what can be pressed, and tell why the rest cannot."""
        reasons, none = self._reasons(), _("Press Evaluate first.")
        self._ui.evaluateButton.enabled = not reasons
        self._ui.evaluateButton.toolTip = join_reasons(reasons) or _(
            "Measure how far the first agrees with the second."
        )
        for button, tip in zip(self._outputs, self._tips, strict=True):
            button.enabled = self.found is not None
            button.toolTip = tip if self.found is not None else none
        self._ui.slicesBox.enabled = self.found is not None
        self._ui.slicesBox.toolTip = "" if self.found is not None else none

    def _nodes(self) -> tuple[Any, Any]:
        return self._ui.comparedSelector.currentNode(), self._ui.referenceSelector.currentNode()

    def _reasons(self) -> list[str]:
        if self.busy:
            return [_("An evaluation is under way.")]
        compared, reference = self._nodes()
        reasons = []
        if compared is None:
            reasons.append(_("Choose the segmentation that is to be measured."))
        if reference is None:
            reasons.append(_("Choose the reference."))
        if compared is not None and compared is reference:
            reasons.append(_("Choose two different segmentations."))
        for node in dict.fromkeys(node for node in (compared, reference) if node is not None):
            if not has_masks(node):
                text = _("{name} holds no masks of voxels, or is bent by a transform: convert it in Segmentations.")
                reasons.append(text.format(name=node.GetName()))
        return reasons

    def _forget(self) -> None:
        if self._work is not None:
            self._work.cancel()
        self._show(None)
        self._say("")

    def _on_chosen(self, node: Any) -> None:
        self._forget()

    def _on_evaluate(self) -> None:
        self._forget()
        self._say(_("Comparing …"))
        self._work = steps.run(_evaluated(*self._nodes()), done=self._on_done, failed=self._on_failed)
        self.refresh()

    def _on_done(self, found: Evaluation) -> None:
        self._show(found)
        text = _("{compared} against {reference}, measured at {time}.")
        now = time.strftime("%H:%M:%S")
        first = text.format(compared=found.compared, reference=found.reference, time=now)
        self._say("\n".join([first, *found.notices]))

    def _on_failed(self, error: Exception) -> None:
        self._say(told(error))
        self.refresh()

    def _say(self, text: str) -> None:
        self._ui.pairMessage.text = text
        self._ui.pairMessage.visible = bool(text)

    def _show(self, found: Evaluation | None) -> None:
        self.found = found
        rows = found.rows if found is not None else ()
        fill_table(self._ui.pairTable, [texts.cells(row) for row in rows], [texts.explained(row) for row in rows])
        self._slices.show(found)
        if found is None:
            self.differences.close(_("Press Evaluate first."))
        else:
            self.differences.open(lambda: (found.here, found.there), found.grid)
        self.refresh()

    def _on_copy(self) -> None:
        if self.found is not None:
            qt.QApplication.clipboard().setText(texts.as_text(texts.table_rows(self.found)))

    def _on_save(self) -> None:
        if self.found is None:
            return
        start = Path(self._settings.text(_LAST_FOLDER, str(Path.home()))) / "comparison.csv"
        title = _("Save the table")
        chosen = qt.QFileDialog.getSaveFileName(self._ui.saveTableButton, title, str(start), "CSV (*.csv)")
        if chosen:
            self.save(Path(chosen if chosen.lower().endswith(".csv") else f"{chosen}.csv"))

    def save(self, path: Path) -> None:
        """Write the table to ``path``; that of all slices, where it is open, beside it."""
        if self.found is None:
            return
        self._settings.keep(_LAST_FOLDER, path.parent)
        written = {path: texts.table_rows(self.found)}
        if not self._ui.slicesBox.collapsed and self.found.slices:
            written[path.with_name(f"{path.stem}-slices.csv")] = texts.slice_rows(self.found)
        try:
            for file, rows in written.items():
                texts.save(file, rows)
        except MedSegEffNetError as error:
            self._say(told(error))
        else:
            names = _(" and ").join(file.name for file in written)
            self._say(_("Saved as {names} in {folder}.").format(names=names, folder=path.parent))


def _head_tips() -> list[str]:
    return [
        _("Labels of one name in both; then regions of the task, or all labels together."),
        _("Overlap: 1 is the same, 0 nothing in common."),
        _("95 % Hausdorff distance of the surfaces in mm."),
        _("Mean distance of the surfaces in mm."),
        _("Volume in the segmentation that is measured, in mL."),
        _("Volume in the reference, in mL."),
        _("Volume minus that of the reference, in mL."),
    ]


def _evaluated(compared: Any, reference: Any) -> Generator[None, None, Evaluation]:
    first = yield from copied_masks(compared, NO_LABELS)
    second = yield from copied_masks(reference, NO_LABELS)
    return (yield from steps.in_thread(evaluate, first, second))
