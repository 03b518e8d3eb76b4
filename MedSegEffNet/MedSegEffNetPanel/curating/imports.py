"""Take over a folder of cases: its layout is found out and shown before, the rest is a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.readers import list_readers, read_folder
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import SegmentationTask
from MedSegEffNetPanel import steps
from MedSegEffNetPanel.curating.looks import narrow, prepare
from MedSegEffNetPanel.segmenting.request import join_reasons
from MedSegEffNetPanel.wording import sentences, tip, told

_PAUSE = 400  # ms after the last letter of a path


@dataclass(frozen=True)
class Found:
    """What a folder holds: the layout's name and title, how many cases, how many of them with a label."""

    layout: str
    title: str
    cases: int
    labelled: int


def look(folder: Path, task: SegmentationTask) -> Found:
    """Find out the layout of ``folder``; reads names and lists, no images. Errors as in ``read_folder``."""
    for name, reader in list_readers().items():
        if folder.is_dir() and reader.detect(folder, task):
            cases = read_folder(folder, task, False, name)
            return Found(name, reader.LAYOUT.partition(":")[0], len(cases), sum(case.labelled for case in cases))
    read_folder(folder, task, False)
    raise InputError(_("{folder} holds no cases").format(folder=folder), hint=_("choose another folder"))


class ImportView:
    """The box *Import a folder of cases*."""

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._section = ui, section
        self._found: Found | None = None
        self._problem = ""
        self._looking: Any = None
        self._pause = qt.QTimer()
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE)
        self._pause.connect("timeout()", self._look)
        ui.sourceFolder.filters = ctk.ctkPathLineEdit.Dirs
        ui.imagesBox.addItem(_("copy into the data set"), "")
        ui.imagesBox.addItem(_("leave where they are"), "--reference")
        ui.imagesBox.setToolTip(_("Images that stay where they are must stay there; path and hash are kept."))
        narrow(ui.imagesBox)
        table = ui.failedTable
        prepare(table, [_("Not taken"), _("Why")])
        table.visible = False
        ui.sourceFolder.connect("currentPathChanged(QString)", self._on_path)
        ui.imagesBox.connect("currentIndexChanged(int)", section.refresh)
        ui.pseudonymBox.connect("toggled(bool)", section.refresh)
        ui.importButton.connect("clicked()", self._on_import)

    def dataset_opened(self) -> None:
        """Another task may read the folder otherwise."""
        self._ui.failedTable.visible = False
        self._on_path()

    def stop(self) -> None:
        """Let go of a folder that is being looked at."""
        self._pause.stop()
        if self._looking is not None:
            self._looking.cancel()

    def refresh(self) -> None:
        """Enable the button, or say why not."""
        ui = self._ui
        reasons = self._section.reasons()
        if not ui.sourceFolder.currentPath:
            reasons.append(_("Choose a folder of cases."))
        elif self._found is None:
            reasons.append(self._problem or _("The folder is being looked at."))
        if ui.pseudonymBox.checked and ui.imagesBox.currentData:
            reasons.append(_("Images that stay where they are keep their names: copy them to pseudonymize."))
        ui.importButton.enabled = not reasons
        ui.importButton.toolTip = join_reasons(reasons) or _("Take the cases over; those that are known are passed by.")

    def _on_path(self, changed: object = None) -> None:
        self.stop()
        self._found, self._problem = None, ""
        typed = bool(self._ui.sourceFolder.currentPath) and self._section.panel.curation.dataset is not None
        self._ui.layoutText.text = _("Looking …") if typed else ""
        if typed:
            self._pause.start()
        self._section.refresh()

    def _look(self) -> None:
        dataset = self._section.panel.curation.dataset
        folder = Path(self._ui.sourceFolder.currentPath)
        work = steps.in_thread(lambda: look(folder, dataset.task))
        self._looking = steps.run(work, done=self._on_found, failed=self._on_not_found)

    def _on_found(self, found: Found) -> None:
        self._found = found
        text = _("{title}, {cases} cases, {labelled} with a label")
        if found.labelled:
            text += _(" (imported labels count as accepted)")
        self._ui.layoutText.text = sentences(text.format(title=found.title, cases=found.cases, labelled=found.labelled))
        self._section.refresh()

    def _on_not_found(self, error: Exception) -> None:
        self._problem = told(error)
        self._ui.layoutText.text = self._problem
        self._ui.layoutText.toolTip = tip(str(error)).replace("\n", "<br>")
        self._section.refresh()

    def _on_import(self) -> None:
        ui, curation, work = self._ui, self._section.panel.curation, self._section.work
        folder, source = work.new_folder(), Path(ui.sourceFolder.currentPath)
        if folder is None or self._found is None:
            return
        words = ["import", str(curation.dataset.folder), str(source), "--author", curation.author]
        words += ["--format", self._found.layout, *([ui.imagesBox.currentData] if ui.imagesBox.currentData else [])]
        words += ["--site", ui.siteEdit.text.strip()] if ui.siteEdit.text.strip() else []
        words += ["--pseudonymize"] if ui.pseudonymBox.checked else []
        work.command(_("Importing {name}").format(name=source.name), folder, words, self._on_imported)

    def _on_imported(self, result: Mapping[str, Any]) -> None:
        failed, table = result["failed"], self._ui.failedTable
        text = _("{added} cases added, {relabelled} with a new label, {known} known already.")
        counts = {name: len(result[name]) for name in ("added", "relabelled", "known")}
        more = _("{count} could not be taken: see Import.").format(count=len(failed)) if failed else ""
        self._section.work.say(" ".join(filter(None, [text.format(**counts), more])))
        table.visible = bool(failed)
        table.setRowCount(len(failed))
        for row, (name, why) in enumerate(failed.items()):
            for column, shown in enumerate((name, why.replace("\n", " "))):
                item = qt.QTableWidgetItem(shown)
                item.setToolTip(tip(why))
                table.setItem(row, column, item)
