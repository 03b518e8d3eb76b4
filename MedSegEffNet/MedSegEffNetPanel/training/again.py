"""After a promotion: the new version predicts cases again, and the queue of Correct begins with the least sure ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.records import IN_REVIEW, NEW, PREDICTED
from MedSegEffNetPanel.curating.rows import state_text
from MedSegEffNetPanel.jobs import PanelJob
from MedSegEffNetPanel.segmenting.request import join_reasons
from MedSegEffNetPanel.training.verdicts import Facts


class AgainView:
    """Which cases are predicted again, by their state; the prediction itself is that of the section Data set."""

    def __init__(self, ui: Any, panel: Any) -> None:
        self._ui, self._panel = ui, panel
        self._facts: Facts | None = None
        self._text = ""  # how far a prediction is that was begun here
        self._states = {NEW: ui.againNew, PREDICTED: ui.againPredicted, IN_REVIEW: ui.againReview}
        for box in self._states.values():
            box.checked = True
            box.connect("toggled(bool)", self._on_changed)
        ui.againButton.connect("clicked()", self._on_button)
        panel.curation.changed.connect(self._on_changed)
        panel.curation.opened.connect(self._on_changed)

    def show(self, facts: Facts) -> None:
        """Offer it, if the run's model is the current version and the open data set is of its task."""
        if self._facts is None or facts.folder != self._facts.folder:
            self._text = ""
        self._facts = facts
        self._on_changed()

    def stop(self) -> None:
        """The module ends; a prediction goes on."""
        self._panel.curation.changed.disconnect(self._on_changed)
        self._panel.curation.opened.disconnect(self._on_changed)

    def _on_changed(self, changed: object = None) -> None:
        facts, ui, dataset = self._facts, self._ui, self._panel.curation.dataset
        if facts is None:
            return
        fits = dataset is not None and dataset.info.task == facts.task
        ui.againFrame.visible = fits and bool(facts.promoted) and facts.promoted == facts.current
        text = _("Let {model} predict the cases again; afterwards Correct shows first what it is least sure of.")
        ui.againText.text = self._text or text.format(model=facts.current)
        counts = Counter(row.state for row in self._panel.curation.cases)
        for state, box in self._states.items():
            box.text = f"{state_text(state)} ({counts[state]})"
            box.enabled = counts[state] > 0
        count = sum(counts[state] for state in self._wanted())
        ui.againButton.text = _("Predict {count} cases again").format(count=count)
        self._enable_button(count)

    def _enable_button(self, count: int) -> None:
        predict = self._panel.section("dataset").predict
        reasons = [] if count else [_("Choose cases in a state that there are.")]
        kept = _("What was corrected or accepted stays the label of its case.")
        enable(self._ui.againButton, [*reasons, *predict.reasons()], kept)

    def _wanted(self) -> list[str]:
        return [state for state, box in self._states.items() if box.checked and box.enabled]

    def _on_button(self) -> None:
        facts, predict = self._facts, self._panel.section("dataset").predict
        job = predict.start(facts.current, self._wanted()) if facts is not None else None
        if job is not None:
            self._text = _("The cases are predicted in the background: see Predict in the section Data set.")
            job.changed.connect(self._on_job)
            self._on_changed()

    def _on_job(self, job: PanelJob) -> None:
        if job.state.over and not job.alive:
            job.changed.disconnect(self._on_job)
            self._panel.section("correct").queue.least_sure_first()
            self._text = _("The prediction has ended: Correct shows first what the model is least sure of.")
            self._on_changed()


def enable(button: Any, reasons: Sequence[str], text: str) -> None:
    """Enable a button and say what it does, or disable it and say why."""
    button.enabled = not reasons
    button.toolTip = join_reasons(reasons) or text
