"""The Python that jobs run with, and its packages: what is there, and installing them into a folder of their own.

The only file of the panel that installs. The work is done by a background job
(:mod:`MedSegEffNetPanel.installing.installer`), so that Slicer never waits.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import slicer
from slicer.i18n import tr as _

import MedSegEffNetLib
from MedSegEffNetLib.errors import InputError
from MedSegEffNetPanel.far_side import check_version
from MedSegEffNetPanel.installing import folders, foreign
from MedSegEffNetPanel.installing.kit import Kit
from MedSegEffNetPanel.installing.process import Question
from MedSegEffNetPanel.installing.requirements import (
    BASE_MODULES,
    ENGINE_MODULES,
    GPU,
    LIGHT,
    NVIDIA_QUERY,
    REQUIREMENTS,
    SIZES,
    TRAINING,
    Cost,
    Graphics,
    cost,
    parse_graphics,
)
from MedSegEffNetPanel.jobs import Interpreter, JobQueue, PanelJob
from MedSegEffNetPanel.remote import Place, quoted
from MedSegEffNetPanel.run_folders import new_folder
from MedSegEffNetPanel.settings import Settings
from MedSegEffNetPanel.signals import Signal

__all__ = ["GPU", "LIGHT", "SIZES", "TRAINING", "Environment", "Status"]
_PLACE = ("remote_command", "remote_paths", "remote_folder")
_LIBRARY = Path(MedSegEffNetLib.__file__).resolve().parents[1]
_PANEL = Path(__file__).resolve().parents[1]
# Variables that could make a Python look for packages elsewhere, or pip install elsewhere.
_FOREIGN = ("PYTHON", "QT_", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "VIRTUAL_ENV", "CONDA_")
_OURS = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1"}


@dataclass(frozen=True)
class Status:
    """Whether jobs can run.

    ``size`` is what is installed (None: nothing, or another Python is used); ``text`` says it in a sentence and ``hint``
    what to do; with ``repair`` an installation is there that does not fit any more.
    """

    ready: bool
    size: str | None
    text: str
    hint: str = ""
    repair: bool = False

    @property
    def hint_elsewhere(self) -> str:
        """``hint`` for readers who are not in the section Environment, where it stands beside its buttons."""
        return _("In the section Environment: {hint}").format(hint=self.hint) if self.hint else ""


class Environment:
    """Knows, installs and removes what jobs need.

    Attributes
    ----------
    changed : emitted after an installation, a removal, or the choice of another Python.
    setup_jobs : the queue of installations and removals. check_jobs : of checks.
    graphics : the NVIDIA GPUs; None until :meth:`look_for_graphics` has an answer.
    """

    def __init__(self, settings: Settings) -> None:
        self.changed = Signal()
        self.graphics: list[Graphics] | None = None
        self._settings = settings
        self._questions: list[Question] = []
        self.setup_jobs = JobQueue(self._installer)
        self.check_jobs = JobQueue(self.interpreter)
        if folders.running_setup(self.folder) is None:
            folders.recover(self.folder)

    @property
    def folder(self) -> Path:
        """Where the own packages for this Slicer's Python lie, or will."""
        return folders.packages_folder()

    @property
    def python(self) -> Path | None:
        """The Python that the user named in place of Slicer's; None: Slicer's own."""
        return self._settings.path("python")

    @property
    def lacks_gpu(self) -> bool:
        """Whether this computer is known to have no GPU for PyTorch; a Mac's usual build computes on Apple's."""
        return self.graphics == [] and sys.platform != "darwin"

    def interpreter(self) -> Interpreter:
        """The command that runs jobs."""
        module = ("-m", "MedSegEffNetLib")
        if self.python:
            return Interpreter(str(self.python), module, clean_variables(_LIBRARY))
        return Interpreter(slicer_python(), module, clean_variables(_LIBRARY, self.folder))

    def place(self, arguments: Sequence[str]) -> Place | None:
        """Where a command runs: trainings on the other machine, if the user has named one; None: here."""
        if list(arguments[:1]) != ["train"] or not self._settings.flag("remote"):
            return None
        return Place.from_texts(*self.place_texts())

    def place_texts(self) -> list[str]:
        """What the user typed last of the other machine: command, shared folders, folder for copies."""
        return [self._settings.text(name) for name in _PLACE]

    def follower(self) -> Interpreter:
        """What follows a job on another machine; Slicer's own Python is enough for it."""
        return Interpreter(slicer_python(), ("-m", "MedSegEffNetPanel.follower"), clean_variables(_PANEL, _LIBRARY))

    def use_place(self, place: Place | None, answer: Callable[[str, str], None]) -> None:
        """Let trainings run at ``place`` from now on if that works; None: here again.

        ``answer`` is called with the problem (empty: none) and what to do about it, after a moment.
        """
        if place is None:
            self._settings.keep("remote", False)
            self.changed.emit()
            return

        def answered(code: int, output: str) -> None:
            problem, hint = "", ""
            try:
                check_version(output, place.command)
            except InputError as error:
                problem, hint = error.found, error.hint
            else:
                paths = "; ".join("=".join(pair) for pair in place.paths)
                for name, text in zip(_PLACE, (place.command, paths, place.folder), strict=True):
                    self._settings.keep(name, text)
                self._settings.keep("remote", True)
                self.changed.emit()
            answer(problem, hint)

        words = [*place.ssh, place.host, quoted(place.python)] if place.is_ssh else place.python
        words = [*words, "-m", "MedSegEffNetLib", "--version"]
        self._ask(Question(words[0], words[1:], clean_variables(), answered))

    def status(self) -> Status:
        """What jobs would run with now; reads one small file and starts nothing."""
        if self.python:
            return self._foreign_status(self.python)
        found = folders.installed(self.folder)
        if found.size:
            return _installed_status(found)
        engines = own_engines()
        if engines:
            text = _("Slicer's own Python has {engines}: nothing needs to be installed.")
            return Status(True, None, text.format(engines=", ".join(engines)))
        others = folders.other_pythons(self.folder)
        if others:
            text = _("Slicer's Python is now {new}; the packages are for Python {old}.")
            text = text.format(new=folders.python_version(), old=", ".join(others))
            return Status(False, None, text, _("Press Repair."), repair=True)
        hint = _("Choose a size and press Install: Light takes {megabytes} MB to download.")
        text = _("Nothing that computes is installed yet.")
        return Status(False, None, text, hint.format(megabytes=self.cost(LIGHT).download))

    def engines(self) -> set[str] | None:
        """The engines that jobs can use now, by name; None: not known, as the user named another Python."""
        if self.python:
            return None
        packages = folders.installed(self.folder).packages
        return {name for name in ENGINE_MODULES.values() if name in packages} | set(own_engines())

    def cost(self, size: str) -> Cost:
        """What ``size`` costs on this computer, as far as it is known."""
        has_gpu = size == GPU or bool(self.graphics)
        return cost(size, sys.platform, has_gpu)

    def install(self, size: str, kit: Path | None = None) -> PanelJob:
        """Install ``size`` (again), from an offline kit if one is given; the caller has asked the user.

        Raises
        ------
        InputError
            ``kit`` is no offline kit for this Slicer.
        """
        words = ["install", "--size", size]
        if kit is not None:
            Kit.open(kit).check_python(folders.python_version())
            words += ["--kit", str(kit)]
        return self._setup(_("Install"), words)

    def remove(self) -> PanelJob:
        """Delete the own packages."""
        return self._setup(_("Remove"), ["remove"])

    def tidy(self) -> PanelJob | None:
        """Delete what a killed installation left; None if there is nothing."""
        if folders.running_setup(self.folder) is not None or not folders.leftovers(self.folder):
            return None
        return self._setup(_("Tidy up"), ["tidy"])

    def running_setup(self) -> PanelJob | None:
        """The installation or removal that goes on, also one that another Slicer or a former one began."""
        mine = next((job for job in self.setup_jobs.jobs if not job.state.over), None)
        if mine is not None:
            return mine
        folder = folders.running_setup(self.folder)
        job = None if folder is None else self.setup_jobs.attach(folder)
        if job is None or job.state.over:  # its process is about to exit
            return None
        job.changed.connect(self._on_setup)
        return job

    def check(self) -> PanelJob:
        """Try what is installed with small computations; ``result["diagnosis"]`` will have the answer."""
        return self.check_jobs.submit(_("Check"), ["doctor"], new_folder(folders.root() / folders.SETUP, "check"))

    def use_python(self, path: Path | None, answer: Callable[[foreign.ForeignPython], None]) -> None:
        """Use the Python at ``path`` from now on if it has what is needed; None: Slicer's own again.

        ``answer`` is called with what was found, after a moment.
        """
        if path is None:
            self._settings.keep("python", "")
            self.changed.emit()
            return

        def answered(found: foreign.ForeignPython) -> None:
            if not found.problem:
                self._settings.keep("python", path)
                self._settings.keep("python_text", found.text)
                self.changed.emit()
            answer(found)

        self._ask(foreign.ask(path, clean_variables(_LIBRARY), answered))

    def look_for_graphics(self, known: Callable[[], None]) -> None:
        """Ask NVIDIA's driver for its GPUs; ``known`` is called when :attr:`graphics` has them."""
        program = shutil.which("nvidia-smi")
        if program is None:
            self.graphics = []
            known()
            return

        def answered(code: int, output: str) -> None:
            self.graphics = parse_graphics(output) if code == 0 else []
            known()

        self._ask(Question(program, NVIDIA_QUERY, clean_variables(_LIBRARY), answered))

    def cleanup(self) -> None:
        """The module ends: installations and checks are stopped; what was installed before stays."""
        for question in self._questions:
            question.forget()
        self.setup_jobs.cleanup()
        self.check_jobs.cleanup()

    def _ask(self, question: Question | None) -> None:
        if question is not None:
            self._questions.append(question)

    def _setup(self, title: str, words: list[str]) -> PanelJob:
        running = self.running_setup()
        if running is not None:
            return running
        arguments = [*words, "--target", str(self.folder)]
        job = self.setup_jobs.submit(title, arguments, new_folder(folders.root() / folders.SETUP, words[0]))
        job.changed.connect(self._on_setup)
        return job

    def _on_setup(self, job: PanelJob) -> None:
        if job.state.over:
            job.changed.disconnect(self._on_setup)
            self.changed.emit()

    def _installer(self) -> Interpreter:
        """Slicer's own Python without the own packages: what pip should see as installed is what Slicer has."""
        module = ("-m", "MedSegEffNetPanel.installing.installer")
        return Interpreter(slicer_python(), module, clean_variables(_PANEL, _LIBRARY))

    def _foreign_status(self, python: Path) -> Status:
        if not python.is_file():
            hint = _("Choose another one, or Slicer's own.")
            return Status(False, None, _("The Python {path} is no longer there.").format(path=python), hint)
        text = _("Jobs run with {path} ({found}).").format(path=python, found=self._settings.text("python_text"))
        return Status(True, None, text)


def slicer_python() -> str:
    """The program PythonSlicer; outside of Slicer the Python that runs this."""
    return shutil.which("PythonSlicer") or sys.executable


def clean_variables(*search: Path) -> dict[str, str]:
    """The variables for a Python: those Slicer was started with, without any that could mix packages.

    PythonSlicer adds Slicer's own by itself.

    Parameters
    ----------
    search : folders in which packages are looked for first (``PYTHONPATH``).
    """
    variables: Mapping[str, str] = slicer.util.startupEnvironment()
    kept = {name: value for name, value in variables.items() if not name.upper().startswith(_FOREIGN)}
    folders_once = dict.fromkeys(map(str, search))
    return {**kept, **_OURS, "PYTHONPATH": os.pathsep.join(folders_once)}


def own_engines() -> list[str]:
    """Engines that Slicer's own Python has (another extension may have installed them); empty if the rest is missing."""
    if any(importlib.util.find_spec(module) is None for module in BASE_MODULES):
        return []
    return [name for module, name in ENGINE_MODULES.items() if importlib.util.find_spec(module) is not None]


def _installed_status(found: folders.Installed) -> Status:
    engines = ", ".join(f"{name} {found.packages[name]}" for name in ENGINE_MODULES.values() if name in found.packages)
    hint = _("Press Repair.")
    if found.python != folders.python_version():
        text = _("The installed packages are for Python {old}; Slicer's Python is now {new}.")
        return Status(False, found.size, text.format(old=found.python, new=folders.python_version()), hint, repair=True)
    text = _("Installed: {engines} ({megabytes} MB).").format(
        engines=engines or _("nothing that Slicer does not have"), megabytes=found.megabytes
    )
    if found.requirements != REQUIREMENTS.get(found.size):
        return Status(True, found.size, text, _("Newer packages fit this version better: press Repair."), repair=True)
    return Status(True, found.size, text)
