"""Section Segment: choose a model, look at its channels, Apply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel import sample_data
from MedSegEffNetPanel.drops import PathDrop
from MedSegEffNetPanel.sections import Section
from MedSegEffNetPanel.segmenting.advanced import AdvancedOptions
from MedSegEffNetPanel.segmenting.batch import BatchView
from MedSegEffNetPanel.segmenting.folders import holds_cases, load_case
from MedSegEffNetPanel.segmenting.inputs import Inputs
from MedSegEffNetPanel.segmenting.model_picker import ModelPicker
from MedSegEffNetPanel.segmenting.progress import ProgressView
from MedSegEffNetPanel.segmenting.request import Request, join_reasons
from MedSegEffNetPanel.segmenting.results import ResultView
from MedSegEffNetPanel.segmenting.run import SegmentRun


class PanelSection(Section):
    """Model, channels, result, Apply; below them the result, the log, the batch and the advanced options."""

    order = 10
    layout_file = "Segment.ui"
    opened = True

    @staticmethod
    def label() -> str:
        """The section's title."""
        return _("Segment")

    def setup(self) -> None:
        """Make the parts and let them know of each other."""
        ui, panel = self.ui, self.panel
        self.run: SegmentRun | None = None
        self.models = ModelPicker(ui)
        self.inputs = Inputs(ui, panel)
        self.advanced = AdvancedOptions(ui, panel.settings)
        self.progress = ProgressView(ui)
        self.results = ResultView(ui)
        self.batch = BatchView(ui, self)
        self._drop = PathDrop(self.widget, Path.is_dir, self.open_folder)
        self._connect()
        self._on_models_changed()

    def _connect(self) -> None:
        ui, panel = self.ui, self.panel
        self.models.chosen.connect(self._on_model)
        self.inputs.changed.connect(self.refresh)
        self.batch.case_wanted.connect(self._on_case_wanted)
        panel.models_changed.connect(self._on_models_changed)
        panel.environment.changed.connect(self.refresh)
        ui.applyButton.connect("clicked()", self._on_apply)
        ui.sampleDataButton.connect("clicked()", self._on_sample_data)
        ui.folderButton.connect("clicked()", self._on_folder)
        ui.outputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_output)
        for label in (ui.modelSummary, ui.messageLabel, ui.batchMessage):
            label.connect("linkActivated(QString)", self._on_link)

    def enter(self) -> None:
        """Fill in what the scene offers; follow what still runs."""
        self._on_models_changed()
        self.inputs.enter()
        self.batch.attach()
        self.refresh()

    def leave(self) -> None:
        """Leave the scene alone while nobody looks."""
        self.inputs.leave()

    def scene_closing(self) -> None:
        """A result for volumes that vanish is not wanted any more."""
        if self.run is not None:
            self.run.cancel(_("The scene was closed."))
        self.results.forget()

    def scene_closed(self) -> None:
        """Take what the new scene says."""
        self._show_output(self.panel.parameters.output)
        self._on_models_changed()
        self.inputs.scene_changed()

    def cleanup(self) -> None:
        """The module ends."""
        self.inputs.leave()
        if self.run is not None:
            self.run.cancel(_("The module was closed."))

    def open_folder(self, folder: Path) -> None:
        """Load the case in ``folder``; a folder of cases is proposed as a batch."""
        try:
            if holds_cases(folder):
                self.batch.open(folder)
                return
            load_case(folder)
        except (MedSegEffNetError, RuntimeError) as error:
            self.progress.show_message(str(error))
            return
        self.inputs.fill()

    def common_reasons(self) -> list[str]:
        """Why nothing at all can be segmented now; empty: it can."""
        reasons = []
        if self.models.entry is None:
            reasons.append(_("No model is chosen: choose one in the list, or import one in Models."))
        status = self.panel.environment.status()
        if not status.ready:
            reasons.append(f"{status.text} {status.hint}")
        return reasons

    def new_run(self, name: str) -> Path:
        """A new folder for a run called ``name``."""
        return self.panel.new_run(name)

    def refresh(self, changed: object = None) -> None:
        """Enable Apply, or say why not; while a run is on it is Cancel."""
        running = self.run is not None and not self.run.over
        reasons = [] if running else [*self.common_reasons(), *self.inputs.reasons()]
        button = self.ui.applyButton
        button.text = _("Cancel") if running else _("Apply")
        button.enabled = not reasons
        button.toolTip = join_reasons(reasons) or (_("Stop; the scene stays as it is.") if running else _("Segment."))
        self.inputs.enable(not running)
        for widget in (self.ui.fillButton, self.ui.folderButton, self.ui.outputSelector, self.ui.modelList):
            widget.enabled = not running
        self.ui.framesBox.visible = self.inputs.frames() > 1
        if not running:
            self.progress.show_reasons(reasons, self.panel.environment.status().ready)
        self.batch.refresh()

    def _on_models_changed(self) -> None:
        self.models.show(self.panel.parameters.model or self.panel.settings.text("model"))
        self._on_model(self.models.entry)

    def _on_model(self, entry: Any) -> None:
        if entry is not None:
            self.panel.parameters.model = entry.key
            self.panel.settings.keep("model", entry.key)
        self.advanced.show_model(entry)
        self.inputs.show_model(entry)
        self.refresh()

    def _on_output(self, node: Any) -> None:
        self.panel.parameters.output = node

    def _show_output(self, node: Any) -> None:
        self.ui.outputSelector.setCurrentNode(node)

    def _on_link(self, link: str) -> None:
        if link == "card" and self.models.entry is not None:
            self.panel.section("models").select(self.models.entry.key)
            self.panel.show("models")
        elif link == "environment":
            self.panel.show("environment")

    def _on_apply(self) -> None:
        if self.run is not None and not self.run.over:
            self.run.cancel(_("Canceled; the scene is as it was."))
            return
        self.run = SegmentRun(self.panel, self._request(), self.models.entry)
        self.run.changed.connect(self._on_run_changed)
        self.run.start()
        self.refresh()

    def _request(self) -> Request:
        sources = self.inputs.sources()
        output = self.panel.parameters.output
        entry = self.models.entry
        frames = self.inputs.frames()
        return Request(
            model=entry.folder,
            model_name=entry.key,
            sources=sources,
            reference_id=next(iter(sources.values())).node_id,
            output_id=output.GetID() if output else "",
            options=self.advanced.options(),
            frames=frames if frames > 1 and self.ui.framesBox.checked else 0,
        )

    def _on_run_changed(self, run: SegmentRun) -> None:
        if run is not self.run:
            return
        self.progress.show(run)
        if run.over:
            self.refresh()
            self.progress.show(run)
            if run.result is not None:
                self._show_output(slicer.mrmlScene.GetNodeByID(run.result.segmentation_id))
                self.results.show(run.result)

    def _on_sample_data(self) -> None:
        self.ui.sampleDataButton.enabled = False
        sample_data.load(self.panel, self._on_sample_loaded)

    def _on_sample_loaded(self, problem: str) -> None:
        self.ui.sampleDataButton.enabled = True
        if problem:
            self.progress.show_message(problem)
        else:
            self.inputs.fill()

    def _on_folder(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.widget, _("Folder of a case or of cases"))
        if folder:
            self.open_folder(Path(folder))

    def _on_case_wanted(self, case: Path, label_map: Path) -> None:
        self.open_folder(case)
        slicer.util.loadSegmentation(str(label_map))
