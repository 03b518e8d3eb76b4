"""The volumes of the scene as a new case."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.dataset.records import check_id, id_from
from MedSegEffNetLib.errors import InputError
from MedSegEffNetPanel import bridge
from MedSegEffNetPanel.run_folders import INPUTS
from MedSegEffNetPanel.segmenting.inputs import Inputs
from MedSegEffNetPanel.segmenting.request import Source, join_reasons
from MedSegEffNetPanel.wording import told


class _Choices:
    """Keeps which volume is which channel apart from what the section Segment keeps in the scene."""

    def __init__(self) -> None:
        self._nodes: dict[str, Any] = {}

    def channel(self, name: str) -> Any:
        """The volume that was chosen, unless it has left the scene."""
        node = self._nodes.get(name)
        return node if node is not None and node.GetScene() is not None else None

    def set_channel(self, name: str, node: Any) -> None:
        """Choose ``node`` (None: no volume)."""
        self._nodes[name] = node


class SceneCase:
    """The box *Add the volumes of the scene*."""

    def __init__(self, ui: Any, section: Any) -> None:
        self._ui, self._section = ui, section
        self.inputs = Inputs(ui, SimpleNamespace(parameters=_Choices()))
        self._proposed = ""  # the case's name, made of a volume's
        self.inputs.changed.connect(self._on_inputs)
        self.inputs.problem.connect(section.work.say)
        ui.idEdit.connect("textChanged(QString)", section.refresh)
        ui.sceneBox.connect("toggled(bool)", self._on_toggled)
        ui.addButton.connect("clicked()", self._on_add)

    def dataset_opened(self) -> None:
        """Show the channels of the data set's task."""
        dataset = self._section.panel.curation.dataset
        self.inputs.show_model(dataset.task.channels if dataset is not None else ())

    def enter(self) -> None:
        """Watch the scene while the box is open."""
        if not self._ui.sceneBox.collapsed:
            self.inputs.enter()

    def refresh(self) -> None:
        """Enable the button, or say why not."""
        reasons = [*self._section.reasons(), *self._case_reasons()]
        if self._section.panel.curation.dataset is not None:
            reasons += self.inputs.reasons() or ([] if self.inputs.sources() else [_("Choose a volume.")])
        self._ui.addButton.enabled = not reasons
        self._ui.addButton.toolTip = join_reasons(reasons) or "\n".join(
            [_("Copy these volumes into the data set."), *self.inputs.remarks()]
        )

    def _case_reasons(self) -> list[str]:
        name = self._ui.idEdit.text.strip()
        if not name:
            return [_("Name the case.")]
        if any(row.id == name for row in self._section.panel.curation.cases):
            return [_("There is a case {case} already: name this one otherwise.").format(case=name)]
        try:
            check_id(name)
        except InputError as error:
            return [told(error)]
        return []

    def _on_toggled(self, on: bool) -> None:
        if on:
            self.inputs.enter()
        else:
            self.inputs.leave()

    def _on_inputs(self) -> None:
        reference = self.inputs.reference()
        name = id_from(reference.GetName()) if reference is not None else ""
        if self._ui.idEdit.text in ("", self._proposed):
            self._ui.idEdit.text = name
        self._proposed = name
        self._section.refresh()

    def _on_add(self) -> None:
        folder = self._section.work.new_folder()
        if folder is None:
            return
        sources, case_id = self.inputs.sources(), self._ui.idEdit.text.strip()
        nodes = {name: (slicer.mrmlScene.GetNodeByID(source.node_id), source) for name, source in sources.items()}
        title = _("Adding {case}").format(case=case_id)
        self._section.work.in_steps(
            title, _exported(nodes, folder / INPUTS), lambda files: self._add(case_id, folder, files)
        )

    def _add(self, case_id: str, folder: Path, files: Mapping[str, Path]) -> None:
        curation = self._section.panel.curation
        words = ["add", str(curation.dataset.folder), case_id, "--author", curation.author]
        words += [word for name, path in files.items() for word in ("--input", f"{name}={path}")]
        patient = self._ui.patientEdit.text.strip()
        words += ["--patient", patient] if patient else []
        title = _("Adding {case}").format(case=case_id)
        self._section.work.command(title, folder, words, self._on_added)

    def _on_added(self, result: Mapping[str, Any]) -> None:
        self._ui.idEdit.text = self._ui.patientEdit.text = ""
        self._proposed = ""
        self._section.work.say(_("{case} is in the data set.").format(case=result["case"]))


def _exported(nodes: Mapping[str, tuple[Any, Source]], folder: Path) -> Generator[None, None, dict[str, Path]]:
    """The volumes as files, by channel; without a whole set of them none stays."""
    files = {}
    try:
        for name, (node, source) in nodes.items():
            files[name] = folder / f"{name}.nrrd"
            yield from bridge.export_volume(node, files[name], source.component)
    except BaseException:  # also when it is canceled: they are a patient's images
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return files
