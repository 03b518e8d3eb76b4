"""The tools of one open case: editor, selection, locks and wand, made and put away together."""

from __future__ import annotations

from typing import Any

from MedSegEffNetPanel import steps
from MedSegEffNetPanel.correcting.editor_view import EditorView
from MedSegEffNetPanel.correcting.kept_selection import KeptSelection
from MedSegEffNetPanel.correcting.locks import Locks
from MedSegEffNetPanel.correcting.sandbox import SELECTION, Sandbox
from MedSegEffNetPanel.correcting.session import CaseSession
from MedSegEffNetPanel.correcting.wand import Wand, limits_of
from MedSegEffNetPanel.signals import Signal


class Bench:
    """Tools for the case of a session.

    Attributes
    ----------
    session, sandbox, kept, locks : of the case. volume : the image that the tools look at.
    wand : for that image; None: it is being looked at. label : segment id of the label that + - = work on.
    changed : emitted when a tool has begun or ended, or the image or the label is another one.
    """

    def __init__(self, session: CaseSession, view: EditorView) -> None:
        self.session, self._view = session, view
        view.open(session.segmentation, session.reference)
        self.volume: Any = session.reference
        self.wand: Wand | None = None
        self.label = next(iter(session.values))
        self.changed = Signal()
        self._looking: steps.Steps | None = None
        self.sandbox = Sandbox(view.editor)
        self.sandbox.open()
        self.kept = KeptSelection(session, self.sandbox)
        self.locks = Locks(view.editor)
        self.locks.refresh()
        self._look()

    @property
    def editor(self) -> Any:
        """The segment editor."""
        return self._view.editor

    @property
    def busy(self) -> bool:
        """Whether a tool is at work."""
        return self.sandbox.busy

    @property
    def settled(self) -> bool:
        """Whether no tool is at work, and the selection is on disk as it is."""
        return not (self.busy or self.kept.pending)

    def choose(self, label: str) -> None:
        """Let + - = work on another label."""
        self.label = label
        self.changed.emit()

    def draw_into(self, segment_id: str) -> bool:
        """Let Slicer's tools draw into a label or the selection; False: it is locked, they draw into the selection."""
        free = segment_id not in self.locks.locked()
        self.sandbox.select(segment_id if free else SELECTION)
        return free

    def show(self, volume: Any) -> None:
        """Look at another image of the case."""
        if volume is not self.volume:
            self.volume = volume
            self._view.show(volume)
            self._look()

    def close(self) -> None:
        """The case is put away."""
        self._forget()
        self.kept.close()
        self.sandbox.close()
        self.locks.close()
        self._view.close()

    def _look(self) -> None:
        self._forget()
        self._looking = steps.run(limits_of(self.volume), done=self._on_limits, failed=lambda error: None)
        self.changed.emit()

    def _forget(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        if self.wand is not None:
            self.wand.close()
        self.wand = None

    def _on_limits(self, limits: tuple[float, float]) -> None:
        self.wand = Wand(self.sandbox, self.volume, limits)
        self.changed.emit()
