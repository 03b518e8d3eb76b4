"""The case on the annotator's desk: opened, saved, put away; edits are never dropped without asking."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.labels import choose
from MedSegEffNetLib.dataset.records import ACCEPTED
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.correcting.session import CaseSession, Loaded, open_case, read_case
from MedSegEffNetPanel.curation import Curation
from MedSegEffNetPanel.signals import Signal
from MedSegEffNetPanel.wording import told

Work = Generator[None, None, Any]


class Desk:
    """Opens, saves and closes cases of the open data set.

    Attributes
    ----------
    session : the open case, or None. comment : of the next saved version.
    tools_busy : whether a tool is at work, whose result counts as an edit. opened : emitted when a case was opened.
    saved : when a version was saved. leaving : when the open one is about to be closed.
    changed : when something about the open case or the work under way is new. message : with a sentence for the user.
    """

    def __init__(self, curation: Curation, parent: Any) -> None:
        self._curation, self._parent = curation, parent
        self._work: steps.Steps | None = None
        self._reading: steps.Steps | None = None
        self._ahead: Loaded | None = None
        self.session: Any = None  # a CaseSession
        self.comment = ""
        self.tools_busy: Callable[[], bool] = lambda: False
        self.opened, self.saved, self.leaving = Signal(), Signal(), Signal()
        self.changed, self.message = Signal(), Signal()
        curation.guards.append(self.may_leave)

    @property
    def busy(self) -> bool:
        """Whether a case is being opened, saved or put away."""
        return self._work is not None and not self._work.over

    @property
    def case_id(self) -> str:
        """The open case; empty: none is open."""
        return self.session.record.id if self.session is not None else ""

    def open(self, case_id: str) -> None:
        """Open a case, when the one before may be put away."""
        self._start(self._switch(case_id))

    def save(self) -> None:
        """Save the labels as a new version."""
        self._start(self._save())

    def set_state(self, state: str, following: str = "") -> None:
        """Bring the open case into a state (its edits are saved before), and open the case ``following``."""
        self._start(self._conclude(state, following))

    def go_back(self, number: int) -> None:
        """Make version ``number`` the case's label, and show it; edits are saved or discarded before, as the user says."""
        self._start(self._go_back(number))

    def put_away(self) -> None:
        """Close the open case, if the user lets us."""
        self._start(self._ready())

    def run(self, work: Work, done: str = "") -> None:
        """Do other work with the open case: nothing else is begun meanwhile. ``done`` is said at the end."""
        self._start(work, done)

    def may_leave(self) -> bool:
        """Whether the data set may be left: no case is open any more. The window lives while a case is saved."""
        if self.busy:
            self.message.emit(_("A case is being opened or saved: wait a moment."))
            return False
        if self.session is None:
            return True
        self._start(self._ready())
        while self.busy:
            slicer.app.processEvents(qt.QEventLoop.ExcludeUserInputEvents)
        return self.session is None

    def read_ahead(self, case_id: str) -> None:
        """Read a case's files in the background, so that it opens faster."""
        if self._reading is not None:
            self._reading.cancel()
        self._ahead = None
        dataset = self._curation.dataset
        if case_id and dataset is not None:
            work = steps.in_thread(read_case, dataset, case_id)
            self._reading = steps.run(work, done=self._on_read, failed=lambda error: None)  # opening it tells why

    def end(self) -> None:
        """Let go of everything at once: the scene or the module goes. Edits stay in the journal."""
        for work in (self._work, self._reading):
            if work is not None:
                work.cancel()
        self._ahead = None
        if self.session is None:
            return
        try:
            steps.finish(self.session.edits.settle())
        except Exception as error:  # whatever it is, the case must be closed
            self.message.emit(told(error))
        self._close()

    def forget_data_set(self) -> None:
        """Another data set is open: what was read ahead is of the one before."""
        self.read_ahead("")

    def _start(self, work: Work, done: str = "") -> None:
        if self.busy:
            return
        self._work = steps.run(work, done=lambda result: self._on_done(done), failed=self._on_failed)
        self.message.emit("")
        self.changed.emit()

    def _on_done(self, text: str) -> None:
        if text:
            self.message.emit(text)
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self.message.emit(told(error))
        self._curation.refresh()  # another program may have changed the case
        self.changed.emit()

    def _on_read(self, loaded: Loaded) -> None:
        self._ahead = loaded

    def _switch(self, case_id: str) -> Work:
        if (yield from self._ready()):
            yield from self._open(case_id)

    def _open(self, case_id: str) -> Work:
        dataset: Any = self._curation.dataset
        ahead = self._ahead if self._ahead is not None and self._ahead.record.id == case_id else None
        self._ahead = None
        self.message.emit(_("Opening {case} …").format(case=case_id))
        session = yield from open_case(dataset, case_id, self._curation.author, ahead)
        self.session, self.comment = session, ""
        session.changed.connect(self._on_session)
        self.message.emit(_found(session))
        self.opened.emit()

    def _on_session(self, problem: str) -> None:
        if problem:
            self.message.emit(problem)
        self.changed.emit()

    def _save(self) -> Work:
        session = self.session
        yield from self._settle()
        yield from session.save(self.comment)
        self.comment = ""
        self._curation.refresh()
        both = _("Somebody else has saved this case meanwhile: both labels are kept. Choose one in Versions.")
        self.message.emit(both if session.record.conflicts else _("Saved."))
        self.saved.emit()

    def _conclude(self, state: str, following: str) -> Work:
        session = self.session
        yield from self._settle()
        if session.unsaved or (session.record.label is None and state == ACCEPTED):
            yield from self._save()
        dataset, case_id = session.dataset, session.record.id
        if session.record.state != state:
            session.record = yield from steps.in_thread(dataset.set_state, case_id, state, session.author)
        self._curation.refresh()
        if following:
            yield from self._switch(following)

    def _go_back(self, number: int) -> Work:
        session = self.session
        case_id = session.record.id
        if (yield from self._ready()):
            yield from steps.in_thread(choose, session.dataset, case_id, number, session.author)
            self._curation.refresh()
            yield from self._open(case_id)

    def _ready(self) -> Work:
        """Whether the open case is put away: saved, discarded, or nothing was edited."""
        session = self.session
        if session is None:
            return True
        yield from self._settle()
        if session.unsaved:
            answer = ask(self._parent, session.record.id)
            if answer == qt.QMessageBox.Save:
                yield from self._save()
            elif answer == qt.QMessageBox.Discard:
                session.discard()
            else:
                return False
        self._close()
        return True

    def _settle(self) -> Work:
        """Wait until every edit so far is known."""
        while self.tools_busy():
            yield
        yield from self.session.edits.settle()

    def _close(self) -> None:
        session = self.session
        if session is not None:
            self.leaving.emit()
            self.session = None
            session.changed.disconnect(self._on_session)
            session.close()
            self.changed.emit()


def ask(parent: Any, case_id: str) -> Any:
    """What to do with unsaved edits: the button Save, Discard or Cancel of a message box."""
    buttons = qt.QMessageBox.Save | qt.QMessageBox.Discard | qt.QMessageBox.Cancel
    text = _("The labels of {case} have edits that are not saved as a version. Save them, discard them, or stay?")
    return slicer.util.messageBox(
        text.format(case=case_id), parent, windowTitle=_("Unsaved edits"), icon=qt.QMessageBox.Question,
        standardButtons=buttons,
    )  # fmt: skip


def _found(session: CaseSession) -> str:
    """What there is to say of a case that was just opened."""
    if session.recovered:
        return _("Edits that were not saved the last time are here again: save or discard them.")
    if session.aside:
        text = _("Edits of an earlier session belong to another version of the labels; they are kept in {file}.")
        return text.format(file=session.aside)
    return ""
