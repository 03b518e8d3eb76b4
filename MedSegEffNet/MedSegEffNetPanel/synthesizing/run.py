"""One press on Make image: volumes to files, the job, and the image that it made to a volume."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from MedSegEffNetLib import image as images
from MedSegEffNetPanel import bridge, steps
from MedSegEffNetPanel.node_run import NodeRun, existing, node_of
from MedSegEffNetPanel.segmenting.request import REPORT, input_path
from MedSegEffNetPanel.synthesizing.request import Request, synthesize_words
from MedSegEffNetPanel.synthesizing.results import Result

if TYPE_CHECKING:
    from MedSegEffNetPanel.panel import Panel


class SynthesisRun(NodeRun):
    """An image made from nodes; its result is a :class:`Result`."""

    def __init__(self, panel: Panel, request: Request) -> None:
        super().__init__(panel, "synthesize", _("Making {image}").format(image=request.title))
        self._request = request

    def _export(self) -> Iterator[None]:
        """Write the inputs and the real image."""
        volumes = self._request.volumes
        for number, (channel, source) in enumerate(volumes.items()):
            self.fraction = number / len(volumes)
            self.changed.emit(self)
            path = input_path(self.folder, channel)
            notices = yield from bridge.export_volume(node_of(source.node_id), path, source.component)
            self._remark(notices)

    def _command(self) -> list[str]:
        return synthesize_words(self._request, self.folder)

    def _importing(self) -> str:
        return _("Making the volume …")

    def _import(self) -> Generator[None, None, Result]:
        request, told = self._request, self._job.result
        made = yield from steps.in_thread(images.read, Path(told["output"]))
        compared = told.get("difference")
        difference = (yield from steps.in_thread(images.read, Path(compared))) if compared else None
        reference = node_of(request.reference_id)
        what = " ".join(filter(None, (request.case_name, request.target.upper())))
        names = _("{image} (synthesised)").format(image=what), _("{image} difference (synthesised)").format(image=what)
        nodes = yield from bridge.put_made(made, difference, reference, names)
        return Result(
            target=request.target,
            title=request.title,
            made_id=nodes[0].GetID(),
            input_ids={channel: source.node_id for channel, source in request.sources.items()},
            reference_id=request.reference_id,
            real_id=request.real.node_id if request.real is not None else "",
            difference_id=nodes[1].GetID() if nodes[1] is not None else "",
            figures=(told.get("compared") or {}).get("head") or {},
            report=existing(self.folder / REPORT),
            mark=request.mark,
        )
