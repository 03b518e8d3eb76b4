"""A case of a data set, open in the scene: its images, its labels as segments, its journal, its lock."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.journal import Journal, Start, recover
from MedSegEffNetLib.dataset.labels import save_label
from MedSegEffNetLib.dataset.locks import REFRESH_EVERY, Lock
from MedSegEffNetLib.dataset.records import CaseRecord
from MedSegEffNetLib.dataset.selections import load_selection, save_selection
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.labelops import Box, Selection, counts
from MedSegEffNetLib.task import reference_channel
from MedSegEffNetPanel import bridge, steps
from MedSegEffNetPanel.bridge.label_maps import label_map_of
from MedSegEffNetPanel.bridge.made import forget_made
from MedSegEffNetPanel.bridge.masks import segments_of
from MedSegEffNetPanel.correcting.edits import Edits
from MedSegEffNetPanel.signals import Signal

JOURNAL = "journal"
SELECTION = "selection"  # file of what is drawn but given to no label
_LONGEST_PAUSE = 60.0  # s without an edit that still count as work on the case


@dataclass(frozen=True)
class Loaded:
    """A case's files, read.

    Attributes
    ----------
    label : (K, J, I) uint8, with the edits of a journal done again (``recovered``). counts : its voxels by label value.
    aside : the name that a journal got which starts from another label. synthesised : the mark of the label.
    """

    record: CaseRecord
    images: Mapping[str, Image]
    label: np.ndarray
    counts: Mapping[int, int]
    recovered: bool = False
    aside: str = ""
    synthesised: str = ""


def read_case(dataset: Dataset, case_id: str) -> Loaded:
    """Read a case's images and its current label. Touches no node and no journal: runs in a thread, ahead of need."""
    record = dataset.read(case_id)
    images, saved = dataset.load_images(record), dataset.load_label(record)
    shape = next(iter(images.values())).shape[::-1]
    label = np.zeros(shape, dtype=np.uint8) if saved is None else np.ascontiguousarray(saved.array.T, dtype=np.uint8)
    return Loaded(record, images, label, counts(label), synthesised=saved.synthesised if saved is not None else "")


def _recovered(dataset: Dataset, loaded: Loaded) -> Loaded:
    """The case with what its journal kept of a session that ended without saving; only for who holds the case's lock.

    A journal that starts from another label than the case's current one is put aside as ``journal-<time>-…``, never
    deleted.
    """
    path = dataset.case_folder(loaded.record.id) / JOURNAL
    found = recover(path)
    if found is None:
        return loaded
    if found.start != Start(base_of(loaded.record), loaded.label.shape):
        aside = path.with_name(aside_name())
        path.replace(aside)
        return replace(loaded, aside=aside.name)
    found.replay(loaded.label)
    return replace(loaded, counts=counts(loaded.label), recovered=True)


def _begin_journal(dataset: Dataset, loaded: Loaded) -> Journal:
    """The case's journal; a second crash must not lose what the first one left."""
    path = dataset.case_folder(loaded.record.id) / JOURNAL
    start = Start(base_of(loaded.record), loaded.label.shape)
    return Journal(path, start, loaded.label if loaded.recovered else None)


def aside_name() -> str:
    """What a journal is called that is not the case's own."""
    return f"{JOURNAL}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"


def base_of(record: CaseRecord) -> str:
    """What a journal calls the case's current label."""
    return record.label.sha256 if record.label else ""


class CaseSession:
    """An open case. :func:`open_case` makes it; it is closed by :meth:`close`, with or without saving before.

    Attributes
    ----------
    record : the case as it was when it was opened or saved last. volumes : nodes by channel. segmentation : its node.
    edits : what is edited. unsaved : whether there are edits that no saved label has.
    changed : emitted when edits began, were found or were recorded, with a sentence where the journal cannot be written.
    """

    def __init__(self, dataset: Dataset, author: str, lock: Lock, loaded: Loaded, journal: Journal) -> None:
        self.dataset, self.author, self.record = dataset, author, loaded.record
        self.changed = Signal()
        self.unsaved = loaded.recovered
        self.recovered, self.aside = loaded.recovered, loaded.aside
        self.volumes: dict[str, Any] = {}
        self.segmentation: Any = None
        self._lock, self._loaded = lock, loaded
        self._minutes, self._last = 0.0, time.monotonic()
        self._writing = threading.Lock()  # of the journal; only threads of work wait for it
        self._journal: Journal | None = journal
        self._path = journal.path
        self._refreshing = qt.QTimer()
        self._refreshing.setInterval(int(1000 * REFRESH_EVERY))
        self._refreshing.connect("timeout()", self._refresh)
        self._refreshing.start()

    @property
    def reference(self) -> Any:
        """The volume node on whose voxels the labels lie."""
        return self.volumes[reference_channel(self.dataset.task.channels, self.volumes)]

    @property
    def values(self) -> dict[str, int]:
        """Label value by segment id, of the segments that are called like a label of the task."""
        named = {label.name: label.value for label in self.dataset.task.labels}
        found = ((segment_id, segment.GetName()) for segment_id, segment in segments_of(self.segmentation))
        return {segment_id: named[name] for segment_id, name in found if name in named}

    def label_map(self, labels: np.ndarray) -> Image:
        """``labels`` (K, J, I) as an image on the grid of the case's images; with the mark of the label that is corrected."""
        image = next(iter(self._loaded.images.values()))
        return Image(labels.T, image.affine, (), image.spacing_known, synthesised=self._loaded.synthesised)

    def put_in_scene(self) -> Generator[None, None, None]:
        """Make the nodes, in short steps."""
        labels = self.dataset.task.labels
        for name, image in self._loaded.images.items():
            self.volumes[name] = yield from bridge.volume_of(image, f"{self.record.id} {name}")
        place: Any = bridge.grid(self.reference)
        label_map = yield from steps.in_thread(label_map_of, self._loaded.label, place)
        self.segmentation, _told = yield from bridge.put_segments(None, label_map, self.reference, labels)
        self.segmentation.SetName(_("{case} labels").format(case=self.record.id))
        bridge.mark_made_from(self.segmentation, self._loaded.synthesised)
        bridge.hide_other_segmentations(self.segmentation)
        if self.record.label is None or self.record.label.origin != "model" or self.recovered:
            forget_made(self.segmentation)
        loaded = self._loaded
        self.edits = Edits(self.segmentation, self.reference, self.values, loaded.label, self._write, loaded.counts)
        self.edits.began.connect(partial(self.changed.emit, ""))
        self.edits.changed.connect(self._on_edited)
        self.edits.recorded.connect(self.changed.emit)

    def save(self, comment: str = "") -> Generator[None, None, CaseRecord]:
        """Save the labels as the case's newest version; what was journalled before is in it.

        Raises
        ------
        InputError, MedSegEffNetError
            It could not be written: the edits stay in the scene and in the journal.
        """
        edits = self.edits
        labels = yield from edits.settle()
        revision = edits.revision
        yield from steps.in_thread(self._save, labels, comment)
        self.unsaved = edits.pending or edits.revision != revision
        self.changed.emit("")
        return self.record

    def _save(self, edited: np.ndarray, comment: str) -> None:
        self._step_aside()
        labels = edited.copy()
        record, model = self.record, self.record.label.model if self.record.label else ""
        self.record = save_label(
            self.dataset, record.id, self.label_map(labels),
            author=self.author, origin="corrected" if model else "manual", base=record.current,
            model=model, comment=comment, minutes=round(self._minutes, 2),
        )  # fmt: skip
        self._minutes = 0.0
        with self._writing:
            if self._journal is not None:
                self._journal.close()
            self._journal = None
            beside = self.record.current != self.record.labels[-1].number  # another one was saved meanwhile
            changed = beside or not np.array_equal(edited, labels)  # or this one was edited
            self._journal = self._new_journal(edited if changed else None)

    def _new_journal(self, edited: np.ndarray | None) -> Journal:
        return Journal(self._path, Start(base_of(self.record), self._loaded.label.shape), edited)

    def _step_aside(self) -> bool:
        """Whether the case is still ours. If another program has taken it over (this computer slept, say), that one writes
        the case's journal now: ours goes beside it, whole.
        """
        if self._lock.held():
            return True
        with self._writing:
            if self._path.name == JOURNAL:
                if self._journal is not None:
                    self._journal.close()
                self._path = self._path.with_name(aside_name())
                self._journal = self._new_journal(self.edits.labels)
        return False

    def _write(self, box: Box, voxels: np.ndarray) -> None:
        with self._writing:
            if self._journal is None:  # it could not be begun anew
                self._journal = self._new_journal(self.edits.labels)
            self._journal.append(box, voxels)

    def keep_selection(self, selection: Selection) -> None:
        """Write the annotator's selection into the case's folder, if the case is still ours; for a thread."""
        if self._lock.held():
            save_selection(self._path.with_name(SELECTION), selection)

    def kept_selection(self, shape: tuple[int, int, int]) -> Selection | None:
        """The selection that was kept, of a volume of ``shape`` (K, J, I); for a thread."""
        return load_selection(self._path.with_name(SELECTION), shape)

    def close(self) -> None:
        """Take the nodes out of the scene and give the case back. Unsaved edits stay in the journal for the next time."""
        self._refreshing.stop()
        if self.segmentation is not None:
            self.edits.close()
            self._step_aside()
        for node in (self.segmentation, *self.volumes.values()):
            if node is not None and node.GetScene() is slicer.mrmlScene:
                slicer.mrmlScene.RemoveNode(node)
        with self._writing:
            if self._journal is not None and self.unsaved:
                self._journal.close()
            elif self._journal is not None:
                self._journal.discard()
        self._lock.release()

    def discard(self) -> None:
        """Forget the edits that are not saved; :meth:`close` then leaves no journal."""
        self.unsaved = False

    def _on_edited(self) -> None:
        now = time.monotonic()
        self._minutes += min(now - self._last, _LONGEST_PAUSE) / 60
        self._last = now
        self.unsaved = True

    def _refresh(self) -> None:
        steps.run(steps.in_thread(self._keep), done=self._on_refreshed, failed=self._on_lost)

    def _keep(self) -> bool:
        return self._lock.refresh() or self._step_aside()

    def _on_refreshed(self, held: bool) -> None:
        if not held:
            text = _("Another program has taken this case over. Save: your labels are kept beside the other's.")
            self.changed.emit(text)

    def _on_lost(self, error: Exception) -> None:
        self.changed.emit(str(error))


def open_case(
    dataset: Dataset, case_id: str, author: str, loaded: Loaded | None = None
) -> Generator[None, None, CaseSession]:
    """Open a case: ``loaded`` is what :func:`read_case` gave, if it was read ahead and is still what the case holds.

    Raises
    ------
    InputError
        Somebody else has it open (the message names who), or a file is missing or was changed.
    """
    lock = yield from steps.in_thread(dataset.open_case, case_id, author)
    session = None
    try:
        if loaded is None or loaded.record != dataset.read(case_id):
            loaded = yield from steps.in_thread(read_case, dataset, case_id)
        loaded = yield from steps.in_thread(_recovered, dataset, loaded)
        journal = yield from steps.in_thread(_begin_journal, dataset, loaded)
        session = CaseSession(dataset, author, lock, loaded, journal)
        yield from session.put_in_scene()
    except BaseException:
        if session is not None:
            session.close()
        else:
            lock.release()
        raise
    return session
