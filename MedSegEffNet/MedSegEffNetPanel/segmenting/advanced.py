"""The advanced options, kept in the machine's settings."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedSegEffNetPanel.model_list import ModelEntry
from MedSegEffNetPanel.segmenting.request import Options
from MedSegEffNetPanel.settings import Settings

_DEVICES = ("auto", "cpu", "cuda", "mps")
_ENGINES = ("auto", "openvino", "torch")


class AdvancedOptions:
    """Widgets to :class:`Options`; every change is kept for the next time."""

    def __init__(self, ui, settings: Settings) -> None:
        self._ui, self._settings = ui, settings
        for box, names in ((ui.deviceBox, _DEVICES), (ui.engineBox, _ENGINES)):
            for name in names:
                box.addItem(_("automatic") if name == "auto" else name)
        self._restore()
        for box in (ui.deviceBox, ui.engineBox):
            box.connect("currentIndexChanged(int)", self._keep_number)
        ui.threadsBox.connect("valueChanged(int)", self._keep_number)
        for box in (ui.flipsBox, ui.probabilitiesBox):
            box.connect("toggled(bool)", self._keep_number)

    def options(self) -> Options:
        """What is chosen now."""
        ui = self._ui
        return Options(
            device=_DEVICES[ui.deviceBox.currentIndex],
            engine=_ENGINES[ui.engineBox.currentIndex],
            ensemble=str(ui.ensembleBox.currentText) if ui.ensembleBox.currentIndex > 0 else "",
            flips=bool(ui.flipsBox.checked),
            threads=int(ui.threadsBox.value),
            probabilities=bool(ui.probabilitiesBox.checked),
        )

    def show_model(self, entry: ModelEntry | None) -> None:
        """Offer the ensembles of a model; one with a single network leaves no choice."""
        box = self._ui.ensembleBox
        box.clear()
        names = list(entry.ensembles) if entry else []
        box.addItem(_("as the model says") if names else _("the model has one network"))
        for name in names:
            box.addItem(name)
        box.enabled = bool(names)

    def _restore(self) -> None:
        ui, settings = self._ui, self._settings
        for box, names, key in ((ui.deviceBox, _DEVICES, "device"), (ui.engineBox, _ENGINES, "engine")):
            kept = settings.text(key, "auto")
            box.setCurrentIndex(names.index(kept) if kept in names else 0)
        threads = settings.text("threads", "0")
        ui.threadsBox.value = int(threads) if threads.isdigit() else 0
        ui.flipsBox.checked = settings.flag("flips")
        ui.probabilitiesBox.checked = settings.flag("probabilities")

    def _keep_number(self, changed: object = None) -> None:
        options = self.options()
        for name in ("device", "engine", "flips", "probabilities"):
            self._settings.keep(name, getattr(options, name))
        self._settings.keep("threads", str(options.threads))
