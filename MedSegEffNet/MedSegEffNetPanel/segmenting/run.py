"""One press on Apply: volumes to files, the job, its label map to segments."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetPanel import bridge
from MedSegEffNetPanel.jobs import PanelJob
from MedSegEffNetPanel.node_run import NodeRun, existing, node_of
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

if TYPE_CHECKING:
    from MedSegEffNetPanel.model_list import ModelEntry
    from MedSegEffNetPanel.panel import Panel


class SegmentRun(NodeRun):
    """A segmentation from nodes to segments; its result is a :class:`Result`."""

    def __init__(self, panel: Panel, request: Request, entry: ModelEntry) -> None:
        super().__init__(panel, "segment", _("Segmenting {volume}").format(volume=request.case_name))
        self._request, self._entry = request, entry
        self._frame = ""
        self._mark = ""  # the models that made any of the volumes

    def _export(self) -> Iterator[None]:
        """Write every volume; of a sequence, all of its time points."""
        request = self._request
        frames: list[int | None] = [*range(request.frames)] or [None]
        parts = [(frame, channel) for frame in frames for channel in request.sources]
        for number, (frame, channel) in enumerate(parts):
            self.fraction = number / len(parts)
            self.changed.emit(self)
            source = request.sources[channel]
            node = node_of(source.node_id)
            item = frame if bridge.sequence_length(node) > 1 else None
            path = input_path(self.folder, channel, frame)
            notices = yield from bridge.export_volume(node, path, source.component, item=item)
            self._remark(notices)
        self._mark = bridge.joined(node_of(source.node_id) for source in request.sources.values())

    def _command(self) -> list[str]:
        return segment_words(self._request, self.folder)

    def _on_event(self, job: PanelJob, event: dict[str, Any]) -> None:
        if event["event"] == "case":
            numbers = {"number": event["index"] + 1, "total": event["total"]}
            self._frame = _("Time point {number} of {total}: ").format(**numbers)

    def _stage(self) -> str:
        return self._frame + super()._stage()

    def _importing(self) -> str:
        return _("Making the segments …")

    def _import(self) -> Generator[None, None, Result]:
        request = self._request
        labels = self._entry.bundle.labels
        maps = []
        for path in label_maps(request, self.folder):
            maps.append((yield from bridge.load_label_map(path)))
        reference = node_of(request.reference_id)
        output = slicer.mrmlScene.GetNodeByID(request.output_id) if request.output_id else None
        previous = {}
        if output is not None and bridge.reference_of(output) is reference:
            previous = yield from bridge.segment_volumes(output)
        notices: list[str] = []
        if request.frames:
            sequence = yield from bridge.put_segment_sequence(node_of(request.sequence_id), maps, labels)
            bridge.mark_made_from(sequence, self._mark)
            segmentation = bridge.shown_item(sequence)
            volumes = yield from bridge.segment_volumes(segmentation)
        else:
            segmentation, notices = yield from bridge.put_segments(output, maps[0], reference, labels)
            volumes = self._job.result["volumes_ml"]
        alone = segmentation.GetSegmentation().GetNumberOfSegments() == len(labels)
        self._remark([*bridge.mark_made_from(segmentation, self._mark, alone=alone), *notices])
        return Result(
            segmentation_id=segmentation.GetID(),
            reference_id=reference.GetID(),
            labels=labels,
            volumes_ml=volumes,
            previous_ml=previous,
            is_new=output is None,
            uncertainty=existing(self.folder / UNCERTAINTY),
            report=existing(self.folder / REPORT),
        )

    def _told(self) -> str:
        if self._request.options.probabilities and not self._request.frames:
            folder = self.folder / PROBABILITIES
            self._remark([_("The probability maps are in {folder}.").format(folder=folder)])
        if self._request.frames:
            text = _("Done: {count} time points; the table is of the one that is shown.")
            return text.format(count=self._job.result["total"])
        return super()._told()
