"""The selection of the open case, on disk within moments, and there again when the case is opened the next time."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import qt
import slicer

from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.selections import read_selection, shape_of
from MedSegEffNetPanel.correcting.edits import PAUSE
from MedSegEffNetPanel.correcting.sandbox import SELECTION, Sandbox
from MedSegEffNetPanel.correcting.session import CaseSession


class KeptSelection:
    """Brings the last selection of a case back and writes the new one whenever it was changed.

    Parameters
    ----------
    sandbox : with the selection's segment made.
    """

    def __init__(self, session: CaseSession, sandbox: Sandbox) -> None:
        self._session, self._sandbox = session, sandbox
        self._looking: Any = None
        self._seen = self._time()
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._look)
        segments = session.segmentation.GetSegmentation()
        self._observed = segments
        self._tag = segments.AddObserver(slicer.vtkSegmentation.SourceRepresentationModified, self._on_edited)
        sandbox.put(steps.in_thread(session.kept_selection, shape_of(session.reference)))

    @property
    def pending(self) -> bool:
        """Whether there may be changes that are not on disk yet."""
        return bool(self._timer.isActive()) or self._busy

    @property
    def _busy(self) -> bool:
        return self._looking is not None and not self._looking.over

    def close(self) -> None:
        """Write what is not written yet, and look no more."""
        self._observed.RemoveObserver(self._tag)
        if self.pending:
            self._timer.stop()
            if self._looking is not None:
                self._looking.cancel()
            steps.finish(self._keep())

    def _on_edited(self, *event: Any) -> None:
        if not self._timer.isActive() and self._time() != self._seen:
            self._timer.start(PAUSE)

    def _look(self) -> None:
        if self._busy:
            self._timer.start(PAUSE)
        else:
            self._looking = steps.run(self._keep(), done=self._on_edited, failed=self._sandbox.failed)

    def _keep(self) -> Generator[None, None, None]:
        self._seen = self._time()
        selection = yield from read_selection(self._session.segmentation, SELECTION, self._session.reference)
        yield from steps.in_thread(self._session.keep_selection, selection)

    def _time(self) -> int:
        """When the selection's voxels were changed last; labels in layers of their own do not matter."""
        segment = self._session.segmentation.GetSegmentation().GetSegment(SELECTION)
        image = segment and segment.GetRepresentation("Binary labelmap")
        return image.GetMTime() if image else 0
