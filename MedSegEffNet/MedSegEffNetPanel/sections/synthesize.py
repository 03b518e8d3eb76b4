"""Section Synthesize: choose what is missing, look at the images that it is made from, Make image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetPanel import bridge
from MedSegEffNetPanel.computing_section import ComputingSection
from MedSegEffNetPanel.segmenting.model_picker import ModelPicker
from MedSegEffNetPanel.segmenting.progress import ProgressView
from MedSegEffNetPanel.segmenting.request import join_reasons
from MedSegEffNetPanel.synthesizing.choices import Choices
from MedSegEffNetPanel.synthesizing.request import Request, case_of
from MedSegEffNetPanel.synthesizing.results import Result, ResultView
from MedSegEffNetPanel.synthesizing.run import SynthesisRun

_MODEL, _TARGET, _MARK = "synthesis_model", "synthesis_target", "synthesis_mark"
_CONTRAST = "t1ce"  # the channel that shows contrast agent, and is missing where none was given


class PanelSection(ComputingSection):
    """Model, image to make, inputs, Make image; below them the result and the log."""

    order = 15
    layout_file = "Synthesize.ui"

    @staticmethod
    def label() -> str:
        """The section's title."""
        return _("Synthesize")

    def setup(self) -> None:
        """Make the parts and let them know of each other."""
        ui, panel = self.ui, self.panel
        self._targets: tuple[str, ...] = ()
        self.models = ModelPicker(ui, "synthesis")
        self.inputs = Choices(ui, panel)
        self.progress = ProgressView(ui)
        self.results = ResultView(ui)
        self._wait_for_scene(self.inputs.scene_changed)
        ui.markBox.checked = panel.settings.flag(_MARK)
        self._connect()
        self._on_models_changed()

    def _connect(self) -> None:
        ui, panel = self.ui, self.panel
        self.models.chosen.connect(self._on_model)
        self.inputs.changed.connect(self.refresh)
        self.inputs.problem.connect(self.progress.show_message)
        self.inputs.leaving.connect(self.results.node_leaves)
        self.results.use_wanted.connect(self._on_use)
        panel.models_changed.connect(self._on_models_changed)
        panel.environment.changed.connect(self.refresh)
        ui.targetBox.connect("currentIndexChanged(int)", self._on_target)
        ui.markBox.connect("toggled(bool)", self._on_mark)
        ui.fillButton.connect("clicked()", self._on_fill)
        ui.makeButton.connect("clicked()", self._on_start)
        for label in (ui.modelSummary, ui.messageLabel):
            label.connect("linkActivated(QString)", self._on_link)

    def enter(self) -> None:
        """Fill in what the scene offers."""
        self._on_models_changed()
        self.inputs.enter()
        self.refresh()

    def scene_closing(self) -> None:
        """A result for volumes that vanish is not wanted any more."""
        self._stop(_("The scene was closed."))
        self.results.clear()

    def open_for(self, target: str, nodes: Mapping[str, Any]) -> None:
        """Come into view, ready to make ``target`` from ``nodes`` (None: no volume) by channel."""
        self.panel.show("synthesize")
        if self.running:
            return
        self.models.choose(lambda entry: target in entry.bundle.targets)
        if target in self._targets:
            self.ui.targetBox.setCurrentIndex(self._targets.index(target))
        given = {name: node for name, node in nodes.items() if node is not None and not bridge.made_by(node)}
        self.inputs.take({channel.name: given.get(channel.name) for channel in self.inputs.channels})

    def refresh(self, changed: object = None) -> None:
        """Enable Make image, or say why not; while a run is on it is Cancel."""
        running, ui, ready = self.running, self.ui, self.panel.environment.status().ready
        reasons = [] if running else [*self.common_reasons(), *self.inputs.reasons()]
        ui.makeButton.text = _("Cancel") if running else _("Make image")
        ui.makeButton.enabled = not reasons
        usual = (
            _("Stop; the scene stays as it is.") if running else _("Device and threads are those of Segment, Advanced.")
        )
        ui.makeButton.toolTip = join_reasons(reasons) or usual
        self.inputs.enable(not running)
        for widget in (ui.fillButton, ui.targetBox, ui.markBox, ui.modelList, ui.modelSearch):
            widget.enabled = not running
        self._show_notes()
        if not running:
            self.progress.show_reasons(reasons, self.inputs.remarks(), ready)

    def _show_notes(self) -> None:
        """What the image that is to be made is worth, and whether it will be compared."""
        notes = [_("It will be what a network takes to be likely, no measurement.")]
        told = self.run is not None and self.run.result is not None and self.run.result.target == _CONTRAST
        if self.inputs.target == _CONTRAST and not told:  # a warning of the result says so, too
            notes.append(_("Contrast enhancement cannot be known from images without contrast agent: it is a guess."))
        self.ui.targetNote.text = " ".join(notes)
        real = self.inputs.table.nodes().get(self.inputs.target)
        self.ui.realNote.visible = real is not None
        if real is not None:
            text = _("{name} is there: the model does not see it, and what is made is compared with it.")
            self.ui.realNote.text = text.format(name=real.GetName())

    def _on_models_changed(self) -> None:
        self.models.show("", self.panel.settings.text(_MODEL))
        self._on_model(self.models.entry)

    def _on_model(self, entry: Any) -> None:
        if entry is not None:
            self.panel.settings.keep(_MODEL, entry.key)
        self._show_targets(entry)
        self.inputs.show_model(entry.bundle.channels if entry else ())
        self._on_target(self.ui.targetBox.currentIndex)

    def _show_targets(self, entry: Any) -> None:
        box, wanted = self.ui.targetBox, self.inputs.target or self.panel.settings.text(_TARGET, _CONTRAST)
        self._targets = entry.bundle.targets if entry else ()
        titles = {channel.name: channel.title for channel in entry.bundle.channels} if entry else {}
        was = box.blockSignals(True)
        box.clear()
        for name in self._targets:
            box.addItem(titles[name])
        box.setCurrentIndex(self._targets.index(wanted) if wanted in self._targets else 0)
        box.blockSignals(was)

    def _on_target(self, number: int) -> None:
        self.inputs.show_target(self._targets[number] if 0 <= number < len(self._targets) else "")
        if self.inputs.target:
            self.panel.settings.keep(_TARGET, self.inputs.target)

    def _on_mark(self, on: bool) -> None:
        self.panel.settings.keep(_MARK, on)

    def _new_run(self) -> SynthesisRun:
        return SynthesisRun(self.panel, self._request())

    def _request(self) -> Request:
        entry, inputs = self.models.entry, self.inputs
        channels = {channel.name: channel for channel in entry.bundle.channels}
        reference, sources = inputs.reference(), inputs.seen()
        of = next(name for name, source in sources.items() if source.node_id == reference.GetID())
        return Request(
            model=entry.folder,
            model_name=entry.key,
            target=inputs.target,
            title=channels[inputs.target].title,
            sources=sources,
            reference_id=reference.GetID(),
            case_name=case_of(reference.GetName(), channels[of]),
            real=inputs.real(),
            mark=bool(self.ui.markBox.checked),
            options=self.panel.section("segment").advanced.options(),
        )

    def _show_result(self, result: Result) -> None:
        bridge.show_volume(slicer.mrmlScene.GetNodeByID(result.made_id), fit=False)
        self.results.show(result)

    def _on_use(self, target: str, node: Any, inputs: Mapping[str, Any]) -> None:
        if not self.panel.section("segment").take(target, node, inputs):
            self.progress.show_message(_("No model that segments takes this image: import one in Models."))
