"""The data set that the sections work on, and who works on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from MedSegEffNetLib.dataset.author import keep_author, known_author
from MedSegEffNetLib.dataset.index import CaseSummary
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.settings import Settings
from MedSegEffNetPanel.signals import Signal

_FOLDER = "dataset_folder"


class Curation:
    """A curated data set, shared by the sections.

    Attributes
    ----------
    dataset : the open data set, or None. cases : its table, as it was when it was last read.
    opened : emitted when another data set was opened, or none is. changed : when ``cases`` was read anew.
    author_changed : when somebody else works here.
    guards : asked before another data set is opened; one that is not ready (unsaved edits) returns False.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reading: steps.Steps | None = None
        self.dataset: Dataset | None = None
        self.cases: list[CaseSummary] = []
        self.opened, self.changed, self.author_changed = Signal(), Signal(), Signal()
        self.guards: list[Callable[[], bool]] = []

    @property
    def author(self) -> str:
        """Who works here; empty: it was not asked yet."""
        return known_author()

    @author.setter
    def author(self, name: str) -> None:
        keep_author(name)
        self.author_changed.emit()

    @property
    def last_folder(self) -> Path | None:
        """The folder of the data set that was open last."""
        return self._settings.path(_FOLDER)

    def may_leave(self) -> bool:
        """Whether every section is ready to leave the open data set (one with unsaved edits asks the user)."""
        return all(guard() for guard in self.guards)

    def open(self, folder: Path) -> None:
        """Open the data set in ``folder``; an :class:`InputError` if there is none, and the one before stays open."""
        dataset = Dataset.open(folder)
        if not self.may_leave():
            return
        self._settings.keep(_FOLDER, folder)
        self.dataset, self.cases = dataset, []
        self.opened.emit()
        self.refresh()

    def close(self) -> None:
        """Work on no data set."""
        if self._reading is not None:
            self._reading.cancel()
        if self.dataset is not None and self.may_leave():
            self.dataset, self.cases = None, []
            self.opened.emit()

    def refresh(self) -> None:
        """Read the table of cases again, in a thread."""
        if self._reading is not None:
            self._reading.cancel()
        if self.dataset is not None:
            work = steps.in_thread(self.dataset.list)
            self._reading = steps.run(work, done=self._on_read, failed=self._on_failed)

    def _on_read(self, cases: list[CaseSummary]) -> None:
        self.cases = cases
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self.cases = []  # a folder that is gone: the disk was taken away
        self.changed.emit()
