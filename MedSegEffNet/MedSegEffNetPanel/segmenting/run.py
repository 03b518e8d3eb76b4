"""One press on Apply: volumes to files, the job, its label map to segments. Nothing in the scene changes before the end."""

from __future__ import annotations

import shutil
import traceback
from collections import deque
from collections.abc import Generator, Iterator
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetPanel import bridge, steps
from MedSegEffNetPanel.job_report import make_report
from MedSegEffNetPanel.jobs import LOG_LINES, JobState, PanelJob
from MedSegEffNetPanel.run_folders import INPUTS
from MedSegEffNetPanel.segmenting.request import (
    PROBABILITIES,
    REPORT,
    UNCERTAINTY,
    Request,
    input_path,
    label_maps,
    segment_words,
)
from MedSegEffNetPanel.segmenting.results import Result
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import sentences

if TYPE_CHECKING:
    from MedSegEffNetPanel.model_list import ModelEntry
    from MedSegEffNetPanel.panel import Panel


class Phase(Enum):
    """Where a run is."""

    EXPORT = auto()
    COMPUTE = auto()
    IMPORT = auto()
    OVER = auto()


class SegmentRun:
    """A segmentation from nodes to segments, in short steps; :attr:`changed` is emitted with the run.

    Attributes
    ----------
    text : what happens now, or how it ended. remarks : what the user should know beside it.
    failed : it ended, and not because the user wanted it. result : of a run that succeeded, else None.
    fraction : 0 to 1, None: not known. seconds_left : None: not known. report : for "Copy report".
    log : sentences, capped. logged : how many there were in all.

    Raises
    ------
    MedSegEffNetError
        No folder could be made for it.
    """

    def __init__(self, panel: Panel, request: Request, entry: ModelEntry) -> None:
        self._panel, self._request, self._entry = panel, request, entry
        self._phase = Phase.EXPORT
        self._steps: Any = None
        self._job: Any = None  # a PanelJob, from the end of the export on
        self._frame = ""
        self.folder: Path = panel.new_run("segment")
        self.changed = Signal()
        self.text = _("Writing the volumes …")
        self.remarks: list[str] = []
        self.failed = False
        self.fraction: float | None = 0.0
        self.seconds_left: float | None = None
        self.report = ""
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.logged = 0
        self._taken = 0  # sentences of the job's log
        self.result: Result | None = None

    @property
    def over(self) -> bool:
        """Whether the run has ended, in whatever way."""
        return self._phase is Phase.OVER

    def start(self) -> None:
        """Begin; returns at once."""
        self.changed.emit(self)
        self._steps = steps.run(self._export(), done=self._submit, failed=self._fail)

    def cancel(self, why: str) -> None:
        """End the run in whatever phase it is; the scene stays as it was, ``why`` is shown."""
        if self.over:
            return
        if self._phase is not Phase.COMPUTE and self._steps is not None:
            self._steps.cancel()
        job = self._job
        self._end(why)
        if job is not None:
            job.cancel()

    def _export(self) -> Iterator[None]:
        """Write every volume; of a sequence, all of its time points."""
        request = self._request
        frames: list[int | None] = [*range(request.frames)] or [None]
        parts = [(frame, channel) for frame in frames for channel in request.sources]
        for number, (frame, channel) in enumerate(parts):
            self.fraction = number / len(parts)
            self.changed.emit(self)
            source = request.sources[channel]
            node = _node(source.node_id)
            item = frame if bridge.sequence_length(node) > 1 else None
            path = input_path(self.folder, channel, frame)
            notices = yield from bridge.export_volume(node, path, source.component, item=item)
            self._remark(notices)

    def _submit(self, nothing: Any) -> None:
        self._phase = Phase.COMPUTE
        title = _("Segmenting {volume}").format(volume=self._request.case_name)
        words = segment_words(self._request, self.folder)
        self._job = self._panel.jobs.submit(title, words, self.folder)
        self._job.changed.connect(self._on_job)
        self._job.event.connect(self._on_event)
        self._on_job(self._job)

    def _on_event(self, job: PanelJob, event: dict[str, Any]) -> None:
        if event["event"] == "case":
            numbers = {"number": event["index"] + 1, "total": event["total"]}
            self._frame = _("Time point {number} of {total}: ").format(**numbers)

    def _on_job(self, job: PanelJob) -> None:
        new = min(job.logged - self._taken, len(job.log))
        self._note(job.log[len(job.log) - new :])
        self._taken = job.logged
        if self._phase is not Phase.COMPUTE:
            return
        if job.state is JobState.FINISHED:
            self._begin_import()
        elif job.error is not None:
            self.failed = True
            self._end(sentences(job.error.found, job.error.hint))
        elif job.state.over:
            self._end(_("Stopped; the scene is as it was."))
        else:
            self.text = self._frame + (job.stage or job.title)
            self.fraction = job.done / job.total if job.total else None
            self.seconds_left = job.seconds_left
            self.changed.emit(self)

    def _begin_import(self) -> None:
        self._phase = Phase.IMPORT
        self.text, self.fraction, self.seconds_left = _("Making the segments …"), None, None
        self.changed.emit(self)
        self._steps = steps.run(self._import(), done=self._succeed, failed=self._fail)

    def _import(self) -> Generator[None, None, Result]:
        request = self._request
        labels = self._entry.bundle.labels
        maps = []
        for path in label_maps(request, self.folder):
            maps.append((yield from bridge.load_label_map(path)))
        reference = _node(request.reference_id)
        output = slicer.mrmlScene.GetNodeByID(request.output_id) if request.output_id else None
        previous = {}
        if output is not None and bridge.reference_of(output) is reference:
            previous = yield from bridge.segment_volumes(output)
        notices: list[str] = []
        if request.frames:
            sequence = yield from bridge.put_segment_sequence(_node(request.sequence_id), maps, labels)
            segmentation = bridge.shown_item(sequence)
            volumes = yield from bridge.segment_volumes(segmentation)
        else:
            segmentation, notices = yield from bridge.put_segments(output, maps[0], reference, labels)
            volumes = self._job.result["volumes_ml"]
        self._remark(notices)
        return Result(
            segmentation_id=segmentation.GetID(),
            reference_id=reference.GetID(),
            labels=labels,
            volumes_ml=volumes,
            previous_ml=previous,
            is_new=output is None,
            uncertainty=_existing(self.folder / UNCERTAINTY),
            report=_existing(self.folder / REPORT),
        )

    def _succeed(self, result: Result) -> None:
        self.result = result
        told = self._job.result
        self._remark(told.get("warnings", ()))
        if self._request.options.probabilities and not self._request.frames:
            folder = self.folder / PROBABILITIES
            self._remark([_("The probability maps are in {folder}.").format(folder=folder)])
        if self._request.frames:
            text = _("Done: {count} time points; the table is of the one that is shown.").format(count=told["total"])
        else:
            text = _("Done in {seconds:.1f} s.").format(seconds=told["measured"]["seconds"])
        self._end(text)

    def _remark(self, texts: Any) -> None:
        new = [text for text in map(sentences, texts) if text not in self.remarks]
        self.remarks += new
        self._note(new)

    def _note(self, lines: list[str]) -> None:
        self.log.extend(lines)
        self.logged += len(lines)

    def _fail(self, error: Exception) -> None:
        self.failed = True
        if isinstance(error, MedSegEffNetError):
            self._end(sentences(error.found, error.hint))
        else:
            self.report = "".join(traceback.format_exception(error))
            self._end(
                _("This is a fault of the program ({error}). Please send what Copy report gives.").format(error=error)
            )

    def _end(self, text: str) -> None:
        self._phase = Phase.OVER
        self.text, self.fraction, self.seconds_left = text, None, None
        head = self._job.report() if self._job else make_report(self.folder, self._request.case_name, list(self.log))
        self.report = "\n".join(filter(None, (head, self.report)))
        self.changed.emit(self)
        if self._job is None or not self._job.alive:
            self._discard_inputs()
        else:  # its process still reads them
            self._job.changed.connect(self._discard_inputs)

    def _discard_inputs(self, job: PanelJob | None = None) -> None:
        """Leave no copies of the patient's images about."""
        if job is None or not job.alive:
            shutil.rmtree(self.folder / INPUTS, ignore_errors=True)


def _node(node_id: str) -> Any:
    node = slicer.mrmlScene.GetNodeByID(node_id)
    if node is None:
        raise InputError(_("a volume of this case is no longer in the scene"), hint=_("load it again and press Apply"))
    return node


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
