"""The advanced options, kept in the machine's settings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from MedSegEffNetPanel.model_list import ModelEntry
from MedSegEffNetPanel.segmenting.request import Options
from MedSegEffNetPanel.settings import Settings

if TYPE_CHECKING:
    from MedSegEffNetPanel.environment import Environment

_DEVICES = ("auto", "cpu", "mps" if sys.platform == "darwin" else "cuda")
_ENGINES = ("auto", "openvino", "torch")
_LETTERS = 10  # that a box shows at least, where the panel is narrow


class AdvancedOptions:
    """Widgets to :class:`Options`; every change is kept for the next time.

    What is not installed is offered too, and says so.
    """

    def __init__(self, ui, settings: Settings, environment: Environment) -> None:
        self._ui, self._settings, self._environment = ui, settings, environment
        self._choices = ((ui.deviceBox, _DEVICES, "device"), (ui.engineBox, _ENGINES, "engine"))
        for box in (ui.deviceBox, ui.engineBox, ui.ensembleBox):
            box.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(_LETTERS)
        for box, names, _key in self._choices:
            for name in names:
                box.addItem(name)
        self._show_installed()
        self._restore()
        for box, _names, _key in self._choices:
            box.connect("currentIndexChanged(int)", self._keep_number)
        ui.threadsBox.connect("valueChanged(int)", self._keep_number)
        for box in (ui.flipsBox, ui.probabilitiesBox):
            box.connect("toggled(bool)", self._keep_number)
        environment.changed.connect(self._show_installed)

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
        self._show_installed()

    def _show_installed(self) -> None:
        """Say of each device and engine what keeps it from being used, as far as it is known."""
        engines = self._environment.engines()
        for box, names, _key in self._choices:
            for place, name in enumerate(names):
                needed = "torch" if name in ("cuda", "mps") else name
                if name == "auto":
                    text = _("automatic")
                elif engines is not None and needed in _ENGINES and needed not in engines:
                    text = _("{name} (torch is not installed)") if needed != name else _("{name} (not installed)")
                elif name == "cuda" and self._environment.lacks_gpu:
                    text = _("{name} (no NVIDIA GPU was found)")
                else:
                    text = "{name}"
                box.setItemText(place, text.format(name=name))

    def _restore(self) -> None:
        ui, settings = self._ui, self._settings
        for box, names, key in self._choices:
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
