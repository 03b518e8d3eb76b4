"""What is edited in the labels of a segmentation: looked at every moment, counted, and written to a journal."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import numpy as np
import qt
import slicer

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.labelops import Box, counts
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.bridge.images import planes_a_step
from MedSegEffNetPanel.bridge.selections import placed_mask
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import told

PAUSE = 700  # ms from an edit to the look at it; with the look itself less than 2 s
_AGAIN = 5000  # ms until a journal that could not be written is tried again
Recorder = Callable[[Box, np.ndarray], None]


class Edits:
    """The label map that the segments of a segmentation make up, kept up to date while they are edited.

    Attributes
    ----------
    labels : (K, J, I) the label map at the last look. counts : its voxels by label value.
    revision : grows with each look that found changes.
    began : emitted at the first edit after a look. changed : when a look found changes. recorded : when it has ended,
        with a sentence where the journal cannot be written (empty: it has every edit).
    """

    def __init__(
        self,
        segmentation: Any,
        volume: Any,
        values: Mapping[str, int],
        labels: np.ndarray,
        record: Recorder,
        known: Mapping[int, int] | None = None,
    ) -> None:
        """``values``: label value by segment id; ``labels`` are the segments' voxels now, and ``known`` what
        :func:`counts` says of them, if it was asked before; ``record`` works in a thread.
        """
        self._segmentation, self._volume, self._values = segmentation, volume, dict(values)
        self._record = record
        self.labels = labels
        self.counts = dict(counts(labels) if known is None else known)
        self.revision = 0
        self.began, self.changed, self.recorded = Signal(), Signal(), Signal()
        self._dirty = False
        self._problem = ""  # of the journal
        self._look: _Look | None = None
        self._following: Any = None
        self._owed: Box | None = None  # changed, but not in the journal yet
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._start)
        segments, kind = segmentation.GetSegmentation(), slicer.vtkSegmentation
        events = (
            kind.SourceRepresentationModified,
            kind.RepresentationModified,
            kind.SegmentAdded,
            kind.SegmentRemoved,
            kind.SegmentModified,
        )
        self._tags = [segments.AddObserver(event, self._on_edited) for event in events]
        self._observed = segments

    @property
    def pending(self) -> bool:
        """Whether there may be edits that are not recorded yet."""
        return self._dirty or self._looking

    @property
    def _looking(self) -> bool:
        return self._look is not None and not self._look.over

    @property
    def owed(self) -> bool:
        """Whether edits were found that the journal could not take."""
        return self._owed is not None

    def close(self) -> None:
        """Look no more."""
        self._timer.stop()
        if self._following is not None:
            self._following.cancel()
        for tag in self._tags:
            self._observed.RemoveObserver(tag)
        self._tags = []

    def settle(self) -> Generator[None, None, np.ndarray]:
        """Work that ends when every edit so far is in :attr:`labels`; gives these.

        It goes on with a look that has begun, so it needs no event loop to come to its end.
        """
        while self.pending:
            self._timer.stop()
            self._begin().step()
            yield
        self._on_taken(None)
        return self.labels

    def _on_edited(self, *event: Any) -> None:
        first, self._dirty = not self._dirty and not self._looking, True
        if first:  # not again, or the look would wait for the end of a long stroke
            self._timer.start(PAUSE)
            self.began.emit()

    def _begin(self) -> _Look:
        """The look that is under way, or a new one."""
        if self._look is None or self._look.over:
            self._look = _Look(self._take())
        return self._look

    def _start(self) -> None:
        self._following = steps.run(self._begin().follow(), done=self._on_taken, failed=self._on_failed)

    def _on_taken(self, nothing: object) -> None:
        if self._dirty:
            self._timer.start(PAUSE)
        elif self._owed is not None:
            self._timer.start(_AGAIN)
        self.recorded.emit(self._problem)

    def _on_failed(self, error: Exception) -> None:
        self.recorded.emit(told(error))

    def _take(self) -> Generator[None, None, None]:
        """One look: the box that differs from the last one is counted and recorded."""
        self._dirty = False
        box = yield from self._compare()
        if box is not None:
            self._owed = box if self._owed is None else _around(self._owed, box)
            self.revision += 1
            self.changed.emit()
        if self._owed is None:
            return
        try:
            yield from steps.in_thread(self._record, self._owed, self.labels[self._owed])
        except MedSegEffNetError as error:
            self._problem = told(error)
        else:
            self._owed, self._problem = None, ""

    def _compare(self) -> Generator[None, None, Box | None]:
        masks = [(value, self._mask(segment_id)) for segment_id, value in self._values.items()]
        found: list[tuple[int, int]] = []
        across = np.zeros(self.labels.shape[1:], dtype=bool)
        for planes in planes_a_step(self.labels):
            known = self.labels[planes]
            now = np.zeros_like(known)
            for value, placed in masks:
                if placed is not None:
                    _draw(now, planes.start, *placed, value)
            differs = now != known
            hits = np.flatnonzero(differs.reshape(len(differs), -1).any(axis=1))
            if len(hits):
                found.append((planes.start + int(hits[0]), planes.start + int(hits[-1]) + 1))
                across |= differs.any(axis=0)
                yield
                self._count(known[differs], now[differs])
                known[:] = now
            yield
        if not found:
            return None
        rows, columns = np.flatnonzero(across.any(axis=1)), np.flatnonzero(across.any(axis=0))
        return (
            slice(found[0][0], found[-1][1]),
            slice(int(rows[0]), int(rows[-1]) + 1),
            slice(int(columns[0]), int(columns[-1]) + 1),
        )

    def _mask(self, segment_id: str) -> tuple[np.ndarray, int, Box] | None:
        segment = self._segmentation.GetSegmentation().GetSegment(segment_id)
        return None if segment is None else placed_mask(segment, self._segmentation, self._volume)

    def _count(self, known: np.ndarray, now: np.ndarray) -> None:
        before, after = counts(known), counts(now)
        for value in before.keys() | after.keys():
            total = self.counts.get(value, 0) + after.get(value, 0) - before.get(value, 0)
            self.counts[value] = total


class _Look:
    """A look that whoever needs its end can drive, one step at a time.

    Attributes
    ----------
    over : whether it has ended.
    """

    def __init__(self, work: Generator[None, None, None]) -> None:
        self._work = work
        self.over = False

    def step(self) -> None:
        """One step."""
        try:
            next(self._work)
        except StopIteration:
            self.over = True
        except BaseException:
            self.over = True
            raise

    def follow(self) -> Generator[None, None, None]:
        """All steps that nobody else does."""
        while not self.over:
            self.step()
            yield


def _around(first: Box, second: Box) -> Box:
    """The smallest box that holds both."""
    k, j, i = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second, strict=True))
    return k, j, i


def _draw(target: np.ndarray, start: int, layer: np.ndarray, layer_value: int, box: Box, value: int) -> None:
    """Write ``value`` where the layer in ``box`` has its value, into planes from ``start`` on."""
    k, j, i = box
    first, last = max(k.start, start), min(k.stop, start + len(target))
    if first < last:
        part = layer[first - k.start : last - k.start]
        target[first - start : last - start, j, i][part == layer_value] = value
