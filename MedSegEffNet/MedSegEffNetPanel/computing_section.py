"""What the sections have in common that compute something of the scene's volumes with a model."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel.node_run import NodeRun
from MedSegEffNetPanel.sections import Section
from MedSegEffNetPanel.segmenting.model_picker import ModelPicker
from MedSegEffNetPanel.segmenting.progress import ProgressView
from MedSegEffNetPanel.wording import sentences


class ComputingSection(Section):
    """A model, rows of inputs, a button that starts a run and cancels it, its progress and its result.

    Attributes
    ----------
    models, inputs, progress, results : the parts, made in ``setup``. run : the last one; None: there was none yet.
    """

    models: ModelPicker
    inputs: Any
    progress: ProgressView
    results: Any
    run: Any = None  # a NodeRun

    def _wait_for_scene(self, taken: Any) -> None:
        """Have ``taken`` called when another scene is there and the selectors know its nodes."""
        self._scene_timer = qt.QTimer()
        self._scene_timer.setSingleShot(True)
        self._scene_timer.connect("timeout()", taken)

    def leave(self) -> None:
        """Leave the scene alone while nobody looks."""
        self.inputs.leave()

    def scene_closed(self) -> None:
        """Take what the new scene says, when its selectors know its nodes."""
        self._scene_timer.start(0)

    def cleanup(self) -> None:
        """The module ends."""
        self._scene_timer.stop()
        self.inputs.leave()
        self._stop(_("The module was closed."))
        self.results.clear()

    @property
    def running(self) -> bool:
        """Whether a run is on."""
        return self.run is not None and not self.run.over

    def common_reasons(self) -> list[str]:
        """Why nothing at all can be computed now; empty: it can."""
        reasons = []
        if self.models.entry is None:
            reasons.append(_("No model is chosen: choose one in the list, or import one in Models."))
        status = self.panel.environment.status()
        if not status.ready:
            reasons.append(sentences(status.text, status.hint_elsewhere))
        return reasons

    def refresh(self, changed: object = None) -> None:
        """Enable the button, or say why not."""
        raise NotImplementedError

    def _new_run(self) -> NodeRun:
        """The run that the choices ask for; a :class:`MedSegEffNetError` if no folder can be made for it."""
        raise NotImplementedError

    def _show_result(self, result: Any) -> None:
        """Show what a run has made."""
        raise NotImplementedError

    def _stop(self, why: str) -> None:
        self.inputs.stop()
        if self.run is not None:
            self.run.cancel(why)

    def _on_start(self) -> None:
        if self.running:
            self.run.cancel(_("Canceled; the scene is as it was."))
            return
        try:
            self.run = self._new_run()
        except MedSegEffNetError as error:  # no folder for it
            self.progress.show_message(sentences(error.found, error.hint))
            return
        self.run.changed.connect(self._on_run_changed)
        self.run.start()
        self.refresh()

    def _on_run_changed(self, run: NodeRun) -> None:
        if run is not self.run:
            return
        self.progress.show(run)
        if run.over:
            self.refresh()
            self.progress.show(run)
            if run.result is not None:
                self._show_result(run.result)

    def _on_fill(self) -> None:
        told = self.inputs.fill()
        self.progress.show_message(
            "" if told else _("The names of the volumes do not tell which is which (or of which patient): choose them.")
        )

    def _on_link(self, link: str) -> None:
        if link == "card" and self.models.entry is not None:
            self.panel.section("models").select(self.models.entry.key)
            self.panel.show("models")
        elif link == "environment":
            self.panel.show("environment")
