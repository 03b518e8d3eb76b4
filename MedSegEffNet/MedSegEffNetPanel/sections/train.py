"""Section Train: a training is set up, checked, started, followed, and its model compared and promoted."""

from __future__ import annotations

from functools import partial
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.snapshots import take_snapshot
from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.curating import rows
from MedSegEffNetPanel.sections import Section
from MedSegEffNetPanel.segmenting.request import join_reasons
from MedSegEffNetPanel.training import texts
from MedSegEffNetPanel.training.check import CHECK, OVERFIT, CheckView
from MedSegEffNetPanel.training.records import TRAIN
from MedSegEffNetPanel.training.request import TrainRequest
from MedSegEffNetPanel.training.result import ResultView
from MedSegEffNetPanel.training.runs import Runs
from MedSegEffNetPanel.training.setup import Setup
from MedSegEffNetPanel.training.watch import WatchView
from MedSegEffNetPanel.wording import sentences, told


class PanelSection(Section):
    """What is trained; a check before the start; the runs, of which one is watched, compared and promoted."""

    order = 40
    layout_file = "Train.ui"

    @staticmethod
    def label() -> str:
        """The section's title."""
        return _("Train")

    def setup(self) -> None:
        """Make the parts and let them know of each other."""
        ui, panel = self.ui, self.panel
        self._ready = False
        self._starting: Any = None  # the snapshot that is being made
        self.setup_view = Setup(ui, self)
        self.check = CheckView(ui, self)
        self.runs = Runs(ui, self)
        self.watch = WatchView(ui, self)
        self.result = ResultView(ui, self)
        self._ready = True
        self.setup_view.changed.connect(self.refresh)
        for button, act in (
            (ui.checkTrainButton, self._on_check),
            (ui.tryButton, self._on_try),
            (ui.startButton, self.start),
        ):
            button.connect("clicked()", act)
        ui.settingsMessage.connect("linkActivated(QString)", panel.show)
        panel.curation.opened.connect(self._on_opened)
        panel.curation.changed.connect(self._on_cases)
        panel.environment.changed.connect(self.refresh)
        panel.models_changed.connect(self.setup_view.show_models)
        self._on_opened()

    def enter(self) -> None:
        """Trainings may have gone on, models and snapshots may have come."""
        self.setup_view.show_models()
        self.setup_view.read()
        self.runs.read()
        self.watch.enter()
        self.result.enter()
        self.refresh()

    def leave(self) -> None:
        """Nobody looks: nothing is read."""
        self.watch.leave()

    def scene_closing(self) -> None:
        """The curves go with the scene."""
        self.watch.scene_closing()

    def cleanup(self) -> None:
        """The module ends: let go of everything; trainings go on."""
        panel = self.panel
        panel.curation.opened.disconnect(self._on_opened)
        panel.curation.changed.disconnect(self._on_cases)
        panel.environment.changed.disconnect(self.refresh)
        panel.models_changed.disconnect(self.setup_view.show_models)
        if self._starting is not None:
            self._starting.cancel()
        for part in (self.setup_view, self.check, self.watch, self.result, self.runs):
            part.stop()

    def say(self, text: str) -> None:
        """Show a sentence under the runs, until there is another one."""
        self.ui.runMessage.text = text
        self.ui.runMessage.visible = bool(text)

    def environment_reasons(self) -> list[str]:
        """Why no training can run on this computer; empty: it can."""
        environment = self.panel.environment
        if environment.place([TRAIN]) is not None:  # another machine, which was asked when it was named
            return []
        status, engines = environment.status(), environment.engines()
        if not status.ready:
            return [sentences(status.text, status.hint_elsewhere)]
        if engines is not None and "torch" not in engines:
            return [_("The packages for training are not installed: section Environment, size Training.")]
        return []

    def start(self) -> None:
        """Check, unless these settings were checked; then start, unless there is an error."""
        request, what = self._wanted()
        if self.check.knows(what):
            self._start_checked(request)
        else:
            self.check.run(CHECK, request, what, partial(self._start_checked, request))

    def refresh(self, changed: object = None) -> None:
        """Enable what can be done now; everything else says why not."""
        if not self._ready:
            return
        ui, problems, busy = self.ui, self.setup_view.problems(), self._work_reasons()
        self._show_summary()
        self.setup_view.refresh()
        missing = self.environment_reasons()
        reasons = [*self.setup_view.reasons(), *missing]
        known = not problems and not reasons and self.check.knows(self._wanted()[1])
        self.check.mark(known)
        author = self._author_reasons()
        found = [_("The check has found errors: see below.")] if known and self.check.errors else []
        for button, why, text in (
            (ui.checkTrainButton, [], _("Look at splits and labels, and do two real steps: nothing is trained.")),
            (ui.tryButton, [], _("Learn one case by heart: what cannot learn one case will not learn many.")),
            (ui.startButton, [*author, *found], _("Train in the background, even when Slicer ends.")),
        ):
            all_reasons = [*problems, *reasons, *busy, *why]
            button.enabled = not all_reasons
            button.toolTip = join_reasons(all_reasons) or text
        ui.settingsMessage.text = texts.reasons_html(problems, [*reasons, *author], not missing)
        ui.settingsMessage.visible = bool(ui.settingsMessage.text)
        self.runs.refresh()
        self.result.refresh()

    def _show_summary(self) -> None:
        dataset = self.panel.curation.dataset
        if dataset is None:
            text = _("No data set is open. Open one in the section Data set.")
        else:
            title, task = rows.escaped(dataset.info.title), rows.escaped(dataset.info.task)
            accepted = _("{count} cases accepted").format(count=self.setup_view.accepted)
            text = f"<b>{title}</b> · {task} · {accepted}"
        self.ui.trainSummary.text = text
        for box in (self.ui.setupBox, self.ui.preflightBox):
            box.visible = dataset is not None

    def _work_reasons(self) -> list[str]:
        if self.check.busy:
            return [_("A check is under way.")]
        return [_("A snapshot is being made.")] if self._making() else []

    def _author_reasons(self) -> list[str]:
        if self.ui.snapshotBox.currentData or self.panel.curation.author:
            return []
        return [_("Enter your name in the section Data set: it stands with the new snapshot.")]

    def _making(self) -> bool:
        return self._starting is not None and not self._starting.over

    def _wanted(self) -> tuple[TrainRequest, Any]:
        """What is to be trained, and what a check of it depends on."""
        request = self.setup_view.request()
        return request, (request, self.setup_view.state())

    def _start_checked(self, request: TrainRequest) -> None:
        if self.check.errors:
            return
        dataset, author = self.panel.curation.dataset, self.panel.curation.author
        if request.snapshot or dataset is None:
            self._submit(request, request.snapshot)
            return
        work = steps.in_thread(take_snapshot, dataset, author, _("for a training"), synthesised=request.synthesised)
        self._starting = steps.run(work, done=lambda taken: self._submit(request, taken.id), failed=self._on_failed)
        self.refresh()

    def _submit(self, request: TrainRequest, snapshot: str) -> None:
        self._starting = None
        self.say("")
        try:
            folder = self.panel.new_run("train")
        except MedSegEffNetError as error:
            self._on_failed(error)
            return
        title = _("Training {name}").format(name=folder.name)
        self.runs.start(title, request.words(snapshot), folder)
        self.setup_view.read()
        self.refresh()

    def _on_failed(self, error: Exception) -> None:
        self._starting = None
        self.say(told(error))
        self.refresh()

    def _on_check(self) -> None:
        request, what = self._wanted()
        self.check.run(CHECK, request, what, self.refresh)

    def _on_try(self) -> None:
        request, what = self._wanted()
        self.check.run(OVERFIT, request, what, self.refresh)

    def _on_opened(self) -> None:
        self.check.forget()
        self.setup_view.dataset_opened()
        self.runs.show()
        self.say("")
        self.refresh()

    def _on_cases(self) -> None:
        self.setup_view.read()
        self.refresh()
