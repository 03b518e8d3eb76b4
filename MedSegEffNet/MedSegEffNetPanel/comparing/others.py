"""What the labels of the open case are compared with: chosen in a list, read in the background."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.records import CaseRecord
from MedSegEffNetLib.errors import InputError
from MedSegEffNetPanel import bridge, steps
from MedSegEffNetPanel.bridge.copied_masks import copied_masks, has_masks
from MedSegEffNetPanel.bridge.label_maps import LabelMap, label_map_of
from MedSegEffNetPanel.bridge.named_masks import label_map_on, plain
from MedSegEffNetPanel.correcting.locks import EDITABLE
from MedSegEffNetPanel.correcting.sandbox import SELECTION
from MedSegEffNetPanel.grid import Grid
from MedSegEffNetPanel.signals import Signal

NO_LABELS = (SELECTION, EDITABLE)  # ids of segments that only help to edit


@dataclass(frozen=True)
class Choice:
    """A saved version (``number``), a proposal (``labels``, numbered from -1 downwards), or a segmentation of the scene (0)."""

    title: str
    number: int
    labels: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True, eq=False)
class Other:
    """The label map (K, J, I) uint8 that the case is compared with, cut to show it, and notices for the user."""

    labels: np.ndarray
    cut: LabelMap
    notices: tuple[str, ...] = ()


class OtherPicker:
    """A list of versions, proposals and "a segmentation of the scene", with the selector that belongs to the last.

    Attributes
    ----------
    chosen : emitted when the user chose another one, or it went away.
    """

    def __init__(self, box: Any, selector: Any) -> None:
        self._box, self._selector = box, selector
        self._session: Any = None
        self._choices: list[Choice] = []
        self._proposals: list[Choice] = []
        self.chosen = Signal()
        box.connect("currentIndexChanged(int)", self._on_chosen)
        selector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_node)

    def open(self, session: Any) -> None:
        """Offer what there is for a case, and choose the model's last version; None: no case is open."""
        self._session, self._proposals = session, []
        self._list(None)

    def add(self, labels: np.ndarray, model: str) -> None:
        """Offer a model's proposal, and choose it."""
        number = len(self._proposals) + 1
        title = _("Proposal {number} of {model}").format(number=number, model=model)
        self._proposals.append(Choice(title, -number, labels))
        self._list(self._proposals[-1])

    def refresh(self) -> None:
        """Versions may have been saved; what is chosen stays."""
        if self._offered() != self._choices:
            self._list(self._choice)

    def problem(self) -> str:
        """Why there is nothing to compare with; empty: there is."""
        choice, node = self._choice, self._selector.currentNode()
        if self._session is None or choice is None:
            return _("Open a case in Correct: then its labels are compared here.")
        if choice.number:
            return ""
        if node is None or node is self._session.segmentation:
            return _("Choose a segmentation of the scene, not the labels of the case themselves.")
        if not has_masks(node):
            text = _("{name} holds no masks of voxels, or is bent by a transform: convert it in Segmentations.")
            return text.format(name=node.GetName())
        return ""

    def read(self) -> Generator[None, None, Other]:
        """What is chosen; :class:`InputError` where it cannot be used."""
        choice, session = self._choice, self._session
        grid = _grid(session.reference)
        notices: tuple[str, ...] = ()
        if choice is not None and choice.labels is not None:
            labels = choice.labels
        elif choice is not None and choice.number:
            labels = yield from steps.in_thread(_version, session.dataset, session.record, choice.number)
        else:
            masks = yield from copied_masks(self._selector.currentNode(), NO_LABELS)
            values = {plain(label.name): label.value for label in session.dataset.task.labels}
            labels, resampled = yield from steps.in_thread(label_map_on, masks, grid, values)
            if resampled:
                text = _("{name} lies on other voxels: a copy was brought onto those of the case (nearest voxel).")
                notices = (text.format(name=masks.title),)
        cut = yield from steps.in_thread(label_map_of, labels, grid)
        return Other(labels, cut, notices)

    @property
    def _choice(self) -> Choice | None:
        number = self._box.currentIndex
        return self._choices[number] if 0 <= number < len(self._choices) else None

    def _offered(self) -> list[Choice]:
        if self._session is None:
            return []
        scene = Choice(_("A segmentation of the scene"), 0)
        return [*reversed(self._proposals), *versions_of(self._session.record), scene]

    def _list(self, wanted: Choice | None) -> None:
        """List anew, and choose ``wanted`` where it is there, else what is proposed."""
        self._choices = self._offered()
        place = self._choices.index(wanted) if wanted in self._choices else _proposed(self._choices, self._session)
        before = self._box.currentText
        was = self._box.blockSignals(True)
        self._box.clear()
        for choice in self._choices:
            self._box.addItem(choice.title)
        self._box.setCurrentIndex(place)
        self._box.blockSignals(was)
        if wanted is None or self._box.currentText != before:
            self._on_chosen()

    def _on_chosen(self, number: int = 0) -> None:
        self._selector.visible = self._choice is not None and self._choice.number == 0
        self.chosen.emit()

    def _on_node(self, node: Any) -> None:
        if self._choice is not None and self._choice.number == 0:
            self.chosen.emit()


def versions_of(record: CaseRecord) -> list[Choice]:
    """The saved versions whose files are there, newest first."""
    origins = {
        "manual": _("drawn by {name}"), "model": _("of the model {name}"), "corrected": _("corrected by {name}"),
        "imported": _("imported by {name}"), "consensus": _("consensus"), "recovered": _("recovered"),
    }  # fmt: skip
    choices = []
    for version in reversed(record.labels):
        if not version.pruned:
            name = version.model if version.origin == "model" else version.author
            made = origins[version.origin].format(name=name)
            text = _("Version {number}, {made}").format(number=version.number, made=made)
            choices.append(Choice(text, version.number))
    return choices


def _proposed(choices: Sequence[Choice], session: Any) -> int:
    """The place of a model's last version, else of the first choice."""
    if session is None:
        return -1
    models = {version.number for version in session.record.labels if version.origin == "model"}
    return next((place for place, choice in enumerate(choices) if choice.number in models), 0)


def _grid(volume: Any) -> Grid:
    found = bridge.grid(volume)
    if found is None:
        raise InputError(
            _("the image of the case holds no voxels any more"), hint=_("close the case and open it again")
        )
    return found


def _version(dataset: Any, record: CaseRecord, number: int) -> np.ndarray:
    return np.ascontiguousarray(dataset.load_label(record, number).array.T, dtype=np.uint8)
