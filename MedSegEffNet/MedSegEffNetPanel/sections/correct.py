"""Section Correct: the annotator's daily work, case after case."""

from __future__ import annotations

from functools import partial
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.records import ACCEPTED, REJECTED
from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel import bridge
from MedSegEffNetPanel.correcting.bench import Bench
from MedSegEffNetPanel.correcting.desk import Desk
from MedSegEffNetPanel.correcting.editor_view import EditorView
from MedSegEffNetPanel.correcting.keys import AMIRA, LABELS, MAPS, SLICER, Keyboard, keys_of
from MedSegEffNetPanel.correcting.label_table import LabelTable
from MedSegEffNetPanel.correcting.queue_view import QueueView
from MedSegEffNetPanel.correcting.sandbox import SELECTION
from MedSegEffNetPanel.correcting.saving import SavingView
from MedSegEffNetPanel.correcting.session import CaseSession
from MedSegEffNetPanel.correcting.tools import Tools
from MedSegEffNetPanel.sections import Section
from MedSegEffNetPanel.wording import told

_KEYS = "keys"
_QUEUE = ("open", "previous", "next", "accept", "reject", "skip")


class PanelSection(Section):
    """The queue of cases, the open case's labels and tools, and what is saved of it."""

    order = 20
    layout_file = "Correct.ui"

    @staticmethod
    def label() -> str:
        """The section's title."""
        return _("Correct")

    def setup(self) -> None:
        """Make the parts and let them know of each other."""
        ui, curation = self.ui, self.panel.curation
        self.bench: Bench | None = None
        self._entered = False
        self.desk = Desk(curation, self.widget)
        self.queue = QueueView(ui, curation)
        self.editor_view = EditorView(ui.segmentEditor)
        self.labels = LabelTable(ui)
        self.tools = Tools(ui)
        self.saving = SavingView(ui, self.desk, self.panel.settings)
        self.keyboard = Keyboard(ui.segmentEditor, self._actions())
        self.desk.tools_busy = lambda: self.bench is not None and not self.bench.settled
        self._tips = {name: getattr(ui, f"{name}Button").toolTip for name in _QUEUE}
        ui.keysBox.addItem(_("Slicer"), SLICER)
        ui.keysBox.addItem(_("Like Amira"), AMIRA)
        self._connect()
        ui.keysBox.currentIndex = MAPS.index(self._map)
        self._on_map()
        self._show_author()
        self._refresh()

    def _connect(self) -> None:
        ui, desk = self.ui, self.desk
        desk.opened.connect(self._on_opened)
        desk.leaving.connect(self._on_leaving)
        desk.changed.connect(self._refresh)
        for part in (desk, self.tools, self.labels):
            part.message.connect(self._tell)
        self.queue.chosen.connect(self.open)
        for name, act in (
            ("previous", self.previous), ("next", self.next), ("skip", self.skip),
            ("accept", self.accept), ("reject", self.reject),
        ):  # fmt: skip
            getattr(ui, f"{name}Button").connect("clicked()", act)
        ui.authorEdit.connect("returnPressed()", self._on_author)
        ui.imageBox.connect("currentIndexChanged(int)", self._on_image)
        ui.keysBox.connect("currentIndexChanged(int)", self._on_map)
        ui.segmentEditor.connect("currentSegmentIDChanged(QString)", self._on_segment)
        self.bar.connect("contentsCollapsed(bool)", self._show_keyboard)
        self.panel.curation.opened.connect(self._on_data_set)

    @property
    def bar(self) -> Any:
        """The bar that opens and closes the section."""
        return self.widget.parentWidget()

    def _actions(self) -> dict[str, Any]:
        """What the keys do."""
        editor = self.ui.segmentEditor
        labels = {f"label{number + 1}": partial(self.labels.choose, number) for number in range(LABELS)}
        return {
            **self.tools.actions, **labels, "undo": editor.undo, "redo": editor.redo,
            "paint": partial(editor.setActiveEffectByName, "Paint"), "no_tool": partial(editor.setActiveEffectByName, ""),
            "previous": self.previous, "next": self.next, "skip": self.skip, "accept": self.accept,
            "reject": self.reject, "save": self.saving.save,
        }  # fmt: skip

    def enter(self) -> None:
        """The keys work."""
        self._entered = True
        self._show_author()
        self._show_keyboard()

    def leave(self) -> None:
        """The keys are others' again; the tools draw no more."""
        self._entered = False
        self._show_keyboard()
        if self.bench is not None:
            self.bench.editor.setActiveEffect(None)

    def scene_closing(self) -> None:
        """The nodes vanish: the case is put away, its edits stay in the journal."""
        self.desk.end()

    def cleanup(self) -> None:
        """The module ends."""
        self.keyboard.remove()
        self.desk.end()
        self.queue.end()
        self.editor_view.end()
        self.panel.curation.guards.remove(self.desk.may_leave)
        self.panel.curation.opened.disconnect(self._on_data_set)

    def open(self, case_id: str) -> None:
        """Open a case; who works must be known before."""
        if not self.panel.curation.author:
            self._tell(_("Write your name first: every saved label keeps who made it."))
            self.ui.authorEdit.setFocus()
        elif case_id != self.desk.case_id:
            self.desk.open(case_id)

    def previous(self) -> None:
        """Open the case before."""
        self._go(-1)

    def next(self) -> None:
        """Open the next case."""
        self._go(1)

    def skip(self) -> None:
        """Open the next case, and come back to this one at the end."""
        before, after = self.desk.case_id, self.queue.neighbor(1)
        if before and after:
            self.queue.skip(before)
            self.open(after)

    def accept(self) -> None:
        """Save, accept, go on."""
        self._conclude(ACCEPTED)

    def reject(self) -> None:
        """Save, reject, go on."""
        self._conclude(REJECTED)

    def _go(self, step: int) -> None:
        case_id = self.queue.neighbor(step)
        if case_id:
            self.open(case_id)
        else:
            self._tell(_("There is no further case in this list."))

    def _conclude(self, state: str) -> None:
        if self.desk.session is not None:
            self.desk.comment = self.ui.commentEdit.text
            self.desk.set_state(state, self.queue.neighbor(1))

    def _on_opened(self) -> None:
        session = self.desk.session
        self.bench = Bench(session, self.editor_view)
        for part in (self.labels, self.tools):
            part.open(self.bench)
        self._offer_images(session)
        self.queue.mark(session.record.id)
        self.desk.read_ahead(self.queue.neighbor(1))
        bridge.show_volume(session.reference)
        bridge.jump_to(session.segmentation)

    def _on_leaving(self) -> None:
        bench, self.bench = self.bench, None
        for part in (self.labels, self.tools):
            part.close()
        if bench is not None:
            bench.close()
        self.queue.mark("")

    def _on_data_set(self) -> None:
        self.desk.forget_data_set()
        self._show_author()
        self._tell("")
        self._refresh()

    def _offer_images(self, session: CaseSession) -> None:
        box = self.ui.imageBox
        was = box.blockSignals(True)
        box.clear()
        for name, node in session.volumes.items():
            box.addItem(name, node.GetID())
        box.setCurrentIndex(list(session.volumes.values()).index(session.reference))
        box.blockSignals(was)

    def _on_image(self, place: int) -> None:
        if self.bench is not None and place >= 0:
            self.bench.show(self.bench.session.volumes[self.ui.imageBox.currentText])

    def _on_segment(self, segment_id: str) -> None:
        if self.bench is None or not segment_id:
            return
        if not self.bench.draw_into(segment_id):
            self._tell(_("This label is locked and cannot be drawn into: the tools draw into the selection."))
        elif segment_id != SELECTION:
            self.labels.choose_segment(segment_id)

    @property
    def _map(self) -> str:
        name = self.panel.settings.text(_KEYS, SLICER)
        return name if name in MAPS else SLICER

    def _on_map(self, place: int = 0) -> None:
        self.panel.settings.keep(_KEYS, self.ui.keysBox.currentData)
        self.tools.show_keys(self._map)
        self.labels.show_keys(self._map)
        for name, text in self._tips.items():
            keys = keys_of(name, self._map)
            getattr(self.ui, f"{name}Button").toolTip = f"{text} ({keys})" if keys else text
        self._show_keyboard()

    def _show_keyboard(self, collapsed: object = None) -> None:
        self.keyboard.remove()
        if self._entered and self.bench is not None and not self.bar.collapsed:
            self.keyboard.install(self._map)

    def _on_author(self) -> None:
        try:
            self.panel.curation.author = self.ui.authorEdit.text
        except MedSegEffNetError as error:
            self._tell(told(error))
        self._show_author()

    def _show_author(self) -> None:
        self.ui.authorFrame.visible = not self.panel.curation.author

    def _tell(self, text: str) -> None:
        self.ui.correctMessage.text = text
        self.ui.correctMessage.visible = bool(text)

    def _refresh(self) -> None:
        ui, session, busy = self.ui, self.desk.session, self.desk.busy
        opened = self.panel.curation.dataset is not None
        for name in ("open", "previous", "next"):
            getattr(ui, f"{name}Button").enabled = opened and not busy
        for name in ("accept", "reject", "skip"):
            getattr(ui, f"{name}Button").enabled = session is not None and not busy
        ui.workFrame.visible = session is not None
        ui.workFrame.enabled = not busy
        ui.caseLabel.text = _about(session)
        if (self.bench is not None and self._entered) != self.keyboard.installed:
            self._show_keyboard()


def _about(session: CaseSession | None) -> str:
    """The open case in a line."""
    if session is None:
        return ""
    record = session.record
    parts = [record.id, _(record.state)]
    parts += [_("version {number}").format(number=record.current)] if record.current else []
    parts += [record.comment] if record.comment else []
    return ", ".join(parts)
