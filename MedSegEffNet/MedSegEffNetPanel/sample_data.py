"""The synthetic patient: made on this computer by the command line, loaded into the scene."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetPanel import bridge, steps
from MedSegEffNetPanel.wording import sentences

if TYPE_CHECKING:
    from MedSegEffNetPanel.jobs import PanelJob
    from MedSegEffNetPanel.panel import Panel

NAME = "MedSegEffNetSyntheticBrain"
TASK = "tumor-slices"  # what the patient was made for
_IMAGES = "images"  # of the patient, in the folder of the run that made them


def load(panel: Panel, done: Callable[[str, list[Any]], object]) -> None:
    """Make and load the patient in the background.

    ``done`` gets the problem as a text (empty if there was none) and the loaded volume nodes.
    """
    try:
        folder = panel.new_run("sample")
    except MedSegEffNetError as error:
        done(sentences(error.found, error.hint), [])
        return
    job = panel.jobs.submit(_("Making the synthetic patient"), ["sample", "--output", str(folder / _IMAGES)], folder)

    def on_changed(job: PanelJob) -> None:
        if not job.state.over:
            return
        job.changed.disconnect(on_changed)
        if job.error is not None:
            done(sentences(job.error.found, job.error.hint), [])
        elif job.result:
            files = [Path(path) for path in job.result["images"].values()]
            steps.run(_loaded(files, folder), done=lambda nodes: done("", nodes), failed=failed)
        else:
            done(_("The sample data were canceled."), [])

    def failed(error: Exception) -> None:
        if isinstance(error, MedSegEffNetError):
            done(sentences(error.found, error.hint), [])
        else:
            done(sentences(str(error) or type(error).__name__), [])

    job.changed.connect(on_changed)
    on_changed(job)  # one that could not even be started is over by now


def register() -> None:
    """Offer the patient in Slicer's module Sample Data."""
    import SampleData

    icon = Path(__file__).resolve().parents[1] / "Resources" / "Icons" / "MedSegEffNet.png"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="MedSegEffNet",
        sampleName=NAME,
        thumbnailFileName=str(icon),
        customDownloader=make_and_load,
    )


def make_and_load(source: Any = None) -> list[Any]:
    """Make the patient in a process, wait for it (Sample Data waits for its downloads as well) and load it.

    Gives the volume nodes ``synthetic_CHANNEL``.
    """
    from MedSegEffNetPanel.environment import Environment
    from MedSegEffNetPanel.settings import Settings

    python = Environment(Settings()).interpreter()
    with tempfile.TemporaryDirectory(dir=slicer.app.temporaryPath) as folder:
        words = [python.program, *python.prefix, "sample", "--output", folder]
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        subprocess.run(words, env=dict(python.variables), check=True, capture_output=True, creationflags=flags)
        return _load_files(sorted(Path(folder).glob("*.nii.gz")))


def _loaded(files: list[Path], folder: Path) -> Generator[None, None, list[Any]]:
    """Load the images of the run in ``folder``; their files are not needed any more then."""
    nodes = []
    try:
        for path in files:
            nodes.append((yield from bridge.load_volume(path)))
    finally:
        shutil.rmtree(folder / _IMAGES, ignore_errors=True)
    return nodes


def _load_files(files: Any) -> list[Any]:
    return [slicer.util.loadVolume(str(path)) for path in files]
