"""Section Segment: choose a model, look at its channels, Apply."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel import bridge, sample_data, steps
from MedSegEffNetPanel.computing_section import ComputingSection
from MedSegEffNetPanel.drops import PathDrop
from MedSegEffNetPanel.segmenting.advanced import AdvancedOptions
from MedSegEffNetPanel.segmenting.batch import BatchView
from MedSegEffNetPanel.segmenting.folders import holds_cases, load_case, load_result
from MedSegEffNetPanel.segmenting.inputs import Inputs
from MedSegEffNetPanel.segmenting.model_picker import ModelPicker
from MedSegEffNetPanel.segmenting.progress import ProgressView
from MedSegEffNetPanel.segmenting.request import Request, join_reasons
from MedSegEffNetPanel.segmenting.results import Result, ResultView
from MedSegEffNetPanel.segmenting.run import SegmentRun
from MedSegEffNetPanel.wording import sentences


class PanelSection(ComputingSection):
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
        self.models = ModelPicker(ui)
        self.inputs = Inputs(ui, panel)
        self._chosen: dict[str, Any] = {}  # sources that the output was chosen for
        self._loading: Any = None  # a folder that is being loaded
        self._wait_for_scene(self._take_scene)
        self.advanced = AdvancedOptions(ui, panel.settings, panel.environment)
        self.progress = ProgressView(ui)
        self.results = ResultView(ui)
        self.batch = BatchView(ui, self)
        self._drop = PathDrop(self.widget, Path.is_dir, self.open_folder)
        self._connect()
        self._on_models_changed()

    def _connect(self) -> None:
        ui, panel = self.ui, self.panel
        self.models.chosen.connect(self._on_model)
        self.inputs.changed.connect(self._on_inputs)
        self.inputs.problem.connect(self.progress.show_message)
        self.inputs.leaving.connect(self._on_node_leaving)
        self.inputs.make_wanted.connect(self._on_make)
        self.batch.case_wanted.connect(self._on_case_wanted)
        panel.models_changed.connect(self._on_models_changed)
        panel.environment.changed.connect(self.refresh)
        ui.applyButton.connect("clicked()", self._on_start)
        ui.framesBox.connect("toggled(bool)", self.refresh)
        ui.sampleDataButton.connect("clicked()", self._on_sample_data)
        ui.fillButton.connect("clicked()", self._on_fill)
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

    def scene_closing(self) -> None:
        """A result for volumes that vanish is not wanted any more."""
        self._stop(_("The scene was closed."))
        self.results.forget()

    def open_folder(self, folder: Path) -> None:
        """Load the case in ``folder``; a folder of cases is proposed as a batch."""
        if holds_cases(folder):
            self.batch.open(folder)
            return
        self._load(load_case(folder), folder)

    def _load(self, work: Any, folder: Path) -> None:
        self.ui.folderButton.enabled = False
        self.progress.show_message(_("Loading {folder} …").format(folder=folder.name))
        self._loading = steps.run(work, done=self._on_loaded, failed=self._on_load_failed)

    def _sequence_reasons(self) -> list[str]:
        lengths = sorted(set(self.inputs.sequences().values())) if self.ui.framesBox.checked else []
        if len(lengths) < 2:
            return []
        text = _("The sequences have {numbers} time points: choose volumes of one length, or untick All time points.")
        return [text.format(numbers=_(" and ").join(map(str, lengths)))]

    def new_run(self, name: str) -> Path:
        """A new folder for a run called ``name``."""
        return self.panel.new_run(name)

    def refresh(self, changed: object = None) -> None:
        """Enable Apply, or say why not; while a run is on it is Cancel."""
        running = self.running
        reasons = [] if running else [*self.common_reasons(), *self.inputs.reasons(), *self._sequence_reasons()]
        button = self.ui.applyButton
        button.text = _("Cancel") if running else _("Apply")
        button.enabled = not reasons
        button.toolTip = join_reasons(reasons) or (_("Stop; the scene stays as it is.") if running else _("Segment."))
        self.inputs.enable(not running)
        ui = self.ui
        for widget in (ui.fillButton, ui.folderButton, ui.outputSelector, ui.modelList, ui.modelSearch, ui.framesBox):
            widget.enabled = not running
        ui.framesBox.visible = bool(self.inputs.sequences())
        if not running:
            self.progress.show_reasons(reasons, self.inputs.remarks(), self.panel.environment.status().ready)
        self.batch.refresh()

    def _on_models_changed(self) -> None:
        self.models.show(self.panel.parameters.model, self.panel.settings.text("model"))
        makers = [entry.bundle for entry in self.models.others if entry.kind == "synthesis"]
        self.inputs.makeable = frozenset(name for bundle in makers for name in bundle.targets)
        self._on_model(self.models.entry)

    def _on_model(self, entry: Any) -> None:
        if entry is not None:
            self.panel.parameters.model = entry.key
            self.panel.settings.keep("model", entry.key)
        self.advanced.show_model(entry)
        self.inputs.show_model(entry.bundle.channels if entry else ())
        self.refresh()

    def _take_scene(self) -> None:
        self._show_output(self.panel.parameters.output)
        self.inputs.scene_changed()
        self._on_models_changed()

    def _stop(self, why: str) -> None:
        if self._loading is not None:
            self._loading.cancel()
            self.ui.folderButton.enabled = True
        super()._stop(why)

    def _on_inputs(self) -> None:
        """The segmentation of another volume does not take this one's result, unless the user chooses it afterwards."""
        chosen = self.inputs.sources()
        output = self.ui.outputSelector.currentNode()
        if chosen != self._chosen and output is not None:
            owner = bridge.reference_of(output)
            if owner is not None and owner.GetID() not in {source.node_id for source in chosen.values()}:
                self._show_output(None)
        self._chosen = chosen
        self.refresh()

    def _on_node_leaving(self, node: Any) -> None:
        if self.ui.outputSelector.currentNode() is node:
            self._show_output(None)
        self.results.node_leaves(node)

    def _on_output(self, node: Any) -> None:
        self.panel.parameters.output = node

    def _show_output(self, node: Any) -> None:
        self.ui.outputSelector.setCurrentNode(node)
        self.panel.parameters.output = node

    def _new_run(self) -> SegmentRun:
        return SegmentRun(self.panel, self._request(), self.models.entry)

    def _request(self) -> Request:
        output, reference = self.ui.outputSelector.currentNode(), self.inputs.reference()
        sequences = self.inputs.sequences() if self.ui.framesBox.checked else {}
        sequence_id, frames = next(iter(sequences.items()), ("", 0))
        return Request(
            model=self.models.entry.folder,
            model_name=self.models.entry.key,
            sources=self.inputs.sources(),
            reference_id=reference.GetID(),
            case_name=reference.GetName(),
            output_id=output.GetID() if output else "",
            options=self.advanced.options(),
            frames=frames,
            sequence_id=sequence_id,
        )

    def _show_result(self, result: Result) -> None:
        self._show_output(slicer.mrmlScene.GetNodeByID(result.segmentation_id))
        self.results.show(result)

    def _on_make(self, channel: str) -> None:
        self.panel.section("synthesize").open_for(channel, self.inputs.table.nodes())

    def take(self, channel: str, node: Any, others: Mapping[str, Any]) -> bool:
        """Choose ``node`` as the channel, with a model that takes it, and ``others`` by channel for rows that are empty.

        False: no model takes the channel.
        """
        self.models.choose(lambda entry: channel in {one.name for one in entry.bundle.channels})
        rows = self.inputs.table.nodes()
        if channel not in rows:
            return False
        empty = {name: other for name, other in others.items() if name in rows and rows[name] is None}
        self.inputs.take({**empty, channel: node})
        self.panel.show("segment")
        return True

    def _on_sample_data(self) -> None:
        self.ui.sampleDataButton.enabled = False
        sample_data.load(self.panel, self._on_sample_loaded)

    def _on_sample_loaded(self, problem: str, nodes: list[Any]) -> None:
        self.ui.sampleDataButton.enabled = True
        self.progress.show_message(problem)
        if not problem:
            self.models.choose_task(sample_data.TASK)
            self.inputs.fill(nodes)
            bridge.show_volume(self.inputs.reference() or nodes[0])

    def _on_loaded(self, nodes: list[Any]) -> None:
        self.ui.folderButton.enabled = True
        self.progress.show_message("")
        if not self.inputs.fill(nodes):
            self.progress.show_message(_("The names of the volumes do not tell which is which: choose them."))

    def _on_load_failed(self, error: Exception) -> None:
        self.ui.folderButton.enabled = True
        told = (error.found, error.hint) if isinstance(error, MedSegEffNetError) else (str(error),)
        self.progress.show_message(sentences(*told))

    def _on_folder(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.widget, _("Folder of a case or of cases"))
        if folder:
            self.open_folder(Path(folder))

    def _on_case_wanted(self, case: Path, label_map: Path) -> None:
        self._load(load_result(case, label_map), case)
