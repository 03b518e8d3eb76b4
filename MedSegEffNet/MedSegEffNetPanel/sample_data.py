"""The synthetic patient: made on this computer by the command line, loaded into the scene."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetPanel import bridge, steps

if TYPE_CHECKING:
    from MedSegEffNetPanel.jobs import PanelJob
    from MedSegEffNetPanel.panel import Panel

NAME = "MedSegEffNetSyntheticBrain"


def load(panel: Panel, done: Callable[[str], None]) -> None:
    """Make and load the patient in the background; ``done`` gets the problem as a text, empty if there was none."""
    folder = panel.new_run("sample")
    job = panel.jobs.submit(_("Making the synthetic patient"), ["sample", "--output", str(folder / "images")], folder)

    def on_changed(job: PanelJob) -> None:
        if not job.state.over:
            return
        job.changed.disconnect(on_changed)
        if job.error is not None:
            done(f"{job.error.found} {job.error.hint}")
        elif job.result:
            files = [Path(path) for path in job.result["images"].values()]
            steps.run(_load_in_steps(files), done=lambda nothing: done(""), failed=lambda error: done(str(error)))

    job.changed.connect(on_changed)


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


def _load_in_steps(files: list[Path]) -> Iterator[None]:
    for path in files:
        yield from bridge.load_volume(path)


def _load_files(files: Any) -> list[Any]:
    return [slicer.util.loadVolume(str(path)) for path in files]
