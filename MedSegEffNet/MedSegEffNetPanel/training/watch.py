"""The box *Progress*: the chosen run as it goes on, read from its events."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.job import EVENTS, read_events, running_process
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.plots import Plots
from MedSegEffNetPanel.curating.looks import narrow
from MedSegEffNetPanel.jobs import JobQueue, JobState, PanelJob
from MedSegEffNetPanel.segmenting.progress import time_left
from MedSegEffNetPanel.training.curves import LOG_LINES, History, Story, looks
from MedSegEffNetPanel.training.previews import PreviewView
from MedSegEffNetPanel.wording import sentences, told

_POLL = 1000  # ms between two looks at the events of the run
_BYTES = 1 << 15  # of events that are read at once: some milliseconds of work
_BOARD = "tensorboard"  # folder of the event files
_PAGE = "training.html"


class WatchView:
    """Curves in plot views, pictures, figures and log of the run that is chosen.

    Events are read by the view itself: a run may have been started by another Slicer, or on another machine.
    """

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._section, self._panel = ui, section, section.panel
        self._folder: Path | None = None
        self._offset = 0  # bytes of the events that are taken in
        self._alive = False  # whether a process works on the run
        self._story = Story()
        self._logged = 0  # sentences of the story that the log shows
        self._reading: steps.Steps | None = None
        self._plots = Plots("MedSegEffNet", _("Epoch"), looks())
        self._previews = PreviewView(ui)
        self._queue = JobQueue(self._panel.environment.interpreter)  # a page need not wait for a training
        self._page: PanelJob | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL)
        self._timer.connect("timeout()", self._look)
        narrow(ui.watchNetwork)
        ui.watchNetwork.connect("currentIndexChanged(int)", self._on_network)
        ui.curvesButton.connect("toggled(bool)", self._on_curves)
        ui.pageButton.connect("clicked()", self._on_page)
        ui.boardButton.connect("clicked()", self._on_board)
        section.runs.chosen.connect(self.show)
        self.show(section.runs.selected)

    @property
    def busy(self) -> bool:
        """Whether events are being read."""
        return self._reading is not None and not self._reading.over

    def show(self, folder: Path | None) -> None:
        """Follow the run in ``folder``; None: none is chosen."""
        self._cancel()
        self._folder = folder
        self._forget()
        self._ui.watchBox.visible = folder is not None
        if folder is None:
            self._ui.curvesButton.checked = False
        self._show()
        self._look()

    def enter(self) -> None:
        """Look at the events from now on."""
        self._timer.start()
        self._look()

    def leave(self) -> None:
        """Nobody looks: nothing is read, unless the curves are in view, beside another module."""
        if not self._ui.curvesButton.checked:
            self._timer.stop()

    def scene_closing(self) -> None:
        """The curves go with the scene, and their layout with them."""
        self._ui.curvesButton.checked = False

    def stop(self) -> None:
        """The module ends: nothing of it stays in the scene."""
        self._section.runs.chosen.disconnect(self.show)
        self._timer.stop()
        self._cancel()
        self._ui.curvesButton.checked = False
        self._queue.cleanup()

    # reading

    def _cancel(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _forget(self) -> None:
        self._offset, self._story, self._logged = 0, Story(), 0
        self._ui.watchLog.clear()

    def _look(self) -> None:
        """Read what is new, if nothing is being read."""
        if self._ui.curvesButton.checked and not self._plots.shown:  # the user has chosen another layout
            self._ui.curvesButton.checked = False
        if self._folder is not None and not self.busy:
            self._reading = steps.run(self._read(self._folder), done=self._on_read, failed=_raise)

    def _read(self, folder: Path) -> Generator[None, None, bool]:
        """Take in what is new; whether there was something."""
        if _size(folder / EVENTS) < self._offset:  # the folder was deleted and made again
            self._forget()
        alive = running_process(folder) is not None  # before the events: those of a process that has gone are all there
        new, self._alive = alive != self._alive, alive
        while True:
            events, offset = read_events(folder, self._offset, limit=_BYTES)
            if offset == self._offset:
                return new
            for event in events:
                self._story.take(event)
            self._offset, new = offset, True
            yield

    def _on_read(self, new: bool) -> None:
        if new:
            self._show()

    # showing

    def _show(self) -> None:
        self._show_networks()
        self._show_text()
        self._show_log()
        if self._folder is not None:
            self._previews.show(self._folder, self._story.previews)
        self._draw()

    def _show_networks(self) -> None:
        """Offer the networks, and go to the one that is trained now when it begins."""
        box, names = self._ui.watchNetwork, list(self._story.networks)
        box.visible = len(names) > 1
        if [box.itemText(place) for place in range(box.count)] != names:
            was = box.blockSignals(True)
            box.clear()
            box.addItems(names)
            box.setCurrentIndex(len(names) - 1)
            box.blockSignals(was)

    @property
    def _history(self) -> History:
        names, place = list(self._story.networks), self._ui.watchNetwork.currentIndex
        return self._story.networks[names[place]] if 0 <= place < len(names) else History()

    def _show_text(self) -> None:
        ui, story, folder = self._ui, self._story, self._folder
        ui.watchText.text = "\n".join(_figures(story, self._history, self._alive))
        ui.watchNotices.text = "\n".join(f"⚠ {text}" for text in story.notices)
        ui.watchNotices.visible = bool(story.notices)
        ui.curvesButton.enabled = bool(story.networks)
        hint = _("Show loss and Dice of every epoch in plot views above the slices.")
        ui.curvesButton.toolTip = hint if story.networks else _("No epoch is complete yet.")
        running = self._page is not None and not self._page.state.over
        ui.pageButton.enabled = not running and bool(story.request)
        there = folder is not None and (folder / _BOARD).is_dir()
        ui.boardButton.enabled = there
        text = _("Open the folder of the TensorBoard files. To look at them: tensorboard --logdir {folder}")
        ui.boardButton.toolTip = (
            text.format(folder=(folder or Path()) / _BOARD) if there else _("The run has no such files yet.")
        )

    def _show_log(self) -> None:
        story, view = self._story, self._ui.watchLog
        new = story.logged - self._logged
        self._logged = story.logged
        if new >= LOG_LINES:  # much at once, when a run is chosen
            view.setPlainText("\n".join(story.log))
        else:
            for line in list(story.log)[len(story.log) - new :] if new else ():
                view.appendPlainText(line)

    def _draw(self) -> None:
        if self._ui.curvesButton.checked:
            self._plots.draw(*self._history.lines())

    def _on_network(self, place: int) -> None:
        self._show_text()
        self._draw()

    def _on_curves(self, on: bool) -> None:
        if on:
            self._draw()
            self._plots.show()
        else:
            self._plots.leave()
            self._plots.remove()
        self._ui.curvesButton.text = _("Back to the views before") if on else _("Show curves")

    # the page and the files

    def _on_page(self) -> None:
        if self._folder is None:
            return
        try:
            run = self._panel.new_run("report")
        except MedSegEffNetError as error:
            self._section.say(told(error))
            return
        words = ["report", str(self._folder), "--output", str(self._folder / _PAGE)]
        self._page = self._queue.submit(_("The page of {run}").format(run=self._folder.name), words, run)
        self._page.changed.connect(self._on_page_job)
        self._show_text()

    def _on_page_job(self, job: PanelJob) -> None:
        if job is not self._page or not job.state.over:
            return
        self._page = None
        if job.state is JobState.FINISHED:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(job.result["output"])))
        elif job.error is not None:
            self._section.say(sentences(f"{job.title}: {job.error.found}", job.error.hint))
        self._show_text()

    def _on_board(self) -> None:
        if self._folder is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._folder / _BOARD)))


def _figures(story: Story, history: History, alive: bool) -> list[str]:
    """How far it is, and how good."""
    last, best, lines = history.last, history.best, []
    if story.over:
        lines.append({"finished": _("Finished."), "stopped": _("Stopped."), "failed": _("Failed.")}[story.over])
    elif story.request and not alive:
        lines.append(_("Its process has ended without a last word."))
    elif story.stage:
        lines.append(f"{story.stage}{time_left(story.seconds_left)}")
    if not last:
        return lines or [_("Nothing has been told yet.")]
    epochs = story.request.get("recipe", {}).get("epochs", "?")
    text = _("Epoch {epoch} of at most {epochs}").format(epoch=int(last["epoch"]), epochs=epochs)
    lines.append(f"{text}{'' if story.over or story.stage or not alive else time_left(story.seconds_left)}")
    if best is not None:
        text = _("Best mean Dice {dice:.3f}, in epoch {epoch}")
        lines.append(text.format(dice=best[1], epoch=best[0]))
    if last.get("rate") is not None:
        text = _("Learning rate {rate:.2g}, {seconds:.1f} s an epoch")
        lines.append(text.format(rate=last["rate"], seconds=last.get("seconds") or 0.0))
    return lines


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # not there yet, or no longer
        return 0


def _raise(error: Exception) -> None:
    raise error
