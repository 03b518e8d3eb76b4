"""Section Data set: the curated data set, its cases, and what is done to them."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from MedSegEffNetPanel.curating.case_actions import CaseActions
from MedSegEffNetPanel.curating.case_table import CaseTable
from MedSegEffNetPanel.curating.dividing import Dividing
from MedSegEffNetPanel.curating.imports import ImportView
from MedSegEffNetPanel.curating.opening import Opening
from MedSegEffNetPanel.curating.predicting import PredictView
from MedSegEffNetPanel.curating.releasing import Releasing
from MedSegEffNetPanel.curating.scene_case import SceneCase
from MedSegEffNetPanel.curating.work import Work
from MedSegEffNetPanel.sections import Section


class PanelSection(Section):
    """Open or make a data set; a table of its cases; boxes to fill, predict, check, split and export it."""

    order = 30
    layout_file = "Dataset.ui"

    @staticmethod
    def label() -> str:
        """The section's title."""
        return _("Data set")

    def setup(self) -> None:
        """Make the parts and let them know of each other."""
        ui, panel = self.ui, self.panel
        self._ready = False
        self.work = Work(ui, panel)
        self.table = CaseTable(ui)
        self.opening = Opening(ui, self)
        self.actions = CaseActions(ui, self)
        self.imports = ImportView(ui, self)
        self.scene_case = SceneCase(ui, self)
        self.predict = PredictView(ui, self)
        self.dividing = Dividing(ui, self)
        self.releasing = Releasing(ui, self)
        self._boxes = (ui.caseBox, ui.importBox, ui.sceneBox, ui.predictBox, ui.checkBox, ui.releaseBox)
        self._ready = True
        self.work.changed.connect(self.refresh)
        self.table.selected.connect(self._on_selected)
        self.table.wanted.connect(self.correct)
        panel.curation.opened.connect(self._on_opened)
        panel.curation.changed.connect(self._on_cases)
        self._on_opened()

    def enter(self) -> None:
        """Others may have worked on the data set meanwhile; follow what still runs."""
        self.predict.attach()
        self.predict.show_models()
        self.scene_case.enter()
        self.panel.curation.refresh()

    def leave(self) -> None:
        """Leave the scene alone while nobody looks."""
        self.scene_case.inputs.leave()

    def scene_closed(self) -> None:
        """The volumes are gone."""
        self.scene_case.inputs.scene_changed()

    def cleanup(self) -> None:
        """The module ends: let go of everything; a prediction goes on."""
        curation = self.panel.curation
        curation.opened.disconnect(self._on_opened)
        curation.changed.disconnect(self._on_cases)
        self.scene_case.inputs.leave()
        self.scene_case.inputs.stop()
        for part in (self.table, self.actions, self.imports, self.dividing, self.releasing):
            part.stop()
        self.opening.cleanup()
        self.predict.cleanup()
        self.work.cleanup()

    def open_folder(self, folder: Path) -> None:
        """Open the data set in ``folder``, or tell why not."""
        self.opening.open(folder)

    def correct(self, case_id: str) -> None:
        """Open a case in the section Correct."""
        self.panel.show("correct")
        self.panel.section("correct").open(case_id)

    def reasons(self, *, of_author: bool = True, of_work: bool = True) -> list[str]:
        """Why nothing can be changed now; empty: it can."""
        reasons = []
        if self.panel.curation.dataset is None:
            reasons.append(_("Open a data set, or make one."))
        if of_author and not self.ui.authorEdit.text.strip():
            reasons.append(_("Enter your name above: it stands with everything that is saved."))
        return [*reasons, *(self.work.reasons() if of_work else [])]

    def refresh(self, changed: object = None) -> None:
        """Enable what can be done now; everything else says why not."""
        if self._ready:
            for part in (
                self.opening, self.actions, self.imports, self.scene_case, self.predict, self.dividing, self.releasing,
            ):  # fmt: skip
                part.refresh()

    def _on_opened(self) -> None:
        for box in self._boxes:
            box.visible = self.panel.curation.dataset is not None
        self.table.show(())
        self.predict.cases_changed()
        for part in (self.imports, self.scene_case, self.predict, self.dividing, self.releasing):
            part.dataset_opened()
        self.work.say("")
        self.refresh()

    def _on_cases(self) -> None:
        cases = self.panel.curation.cases
        self.table.show(cases)
        self.actions.show_flags(cases)
        self.predict.cases_changed()
        self.dividing.cases_changed()
        self.actions.show_history()
        self.refresh()

    def _on_selected(self) -> None:
        self.actions.show_history()
        self.actions.refresh()
