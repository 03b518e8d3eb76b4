"""What a press on Apply asks for, and the words of the command that does it. No Qt, no scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from MedSegEffNetPanel.run_folders import INPUTS

OUTPUTS = "out"  # of a sequence: a folder for each time point
LABEL_MAP = "label_map.nii"  # uncompressed: it is mapped into memory, not read
UNCERTAINTY = "uncertainty.nii"
REPORT = "report.html"
PROBABILITIES = "probabilities"


@dataclass(frozen=True)
class Options:
    """How to compute. ``threads`` 0 and ``ensemble`` "" leave the choice to the library."""

    device: str = "auto"
    engine: str = "auto"
    ensemble: str = ""
    flips: bool = False
    threads: int = 0
    probabilities: bool = False

    def words(self) -> list[str]:
        """The options of ``segment``; what is left at its default is left out."""
        words = []
        for name, default in (("device", "auto"), ("engine", "auto"), ("ensemble", "")):
            value = getattr(self, name)
            if value != default:
                words += [f"--{name}", value]
        if self.flips:
            words.append("--flips")
        if self.threads:
            words += ["--threads", str(self.threads)]
        return words


@dataclass(frozen=True)
class Source:
    """A channel's volume: a node, and for a color volume which of its components."""

    node_id: str
    component: int | None = None


@dataclass(frozen=True)
class Request:
    """One segmentation of nodes.

    Attributes
    ----------
    model : the bundle's folder. sources : by channel name.
    reference_id : volume that gives the grid. case_name : what the report calls the case.
    output_id : node that takes the result; empty: a new one.
    frames : time points of the sequence that the volume ``sequence_id`` shows; 0: only what is shown now.
    """

    model: Path
    model_name: str
    sources: Mapping[str, Source]
    reference_id: str
    case_name: str = ""
    output_id: str = ""
    options: Options = field(default_factory=Options)
    frames: int = 0
    sequence_id: str = ""


def input_path(folder: Path, channel: str, frame: int | None = None) -> Path:
    """Where the volume of ``channel`` (at the time point ``frame``) is written for the job in ``folder``."""
    case = folder / INPUTS if frame is None else folder / INPUTS / _case(frame)
    return case / f"{channel}.nrrd"


def label_maps(request: Request, folder: Path) -> list[Path]:
    """The label map, or those of all time points."""
    frames = [_case(frame) for frame in range(request.frames)]
    return [folder / OUTPUTS / name / f"{name}.seg.nrrd" for name in frames] or [folder / LABEL_MAP]


def _case(frame: int) -> str:
    return f"{frame:04d}"


def segment_words(request: Request, folder: Path) -> list[str]:
    """The command for one case or for all time points of a sequence; all files are in ``folder``."""
    if request.frames:
        return batch_words(request.model, folder / INPUTS, folder / OUTPUTS, request.options)
    words = ["segment", str(request.model), "--input"]
    words += [f"{channel}={input_path(folder, channel)}" for channel in request.sources]
    words += ["--output", str(folder / LABEL_MAP), "--report", str(folder / REPORT)]
    words += ["--name", request.case_name] if request.case_name else []
    words += ["--uncertainty", str(folder / UNCERTAINTY)]
    if request.options.probabilities:
        words += ["--probabilities", str(folder / PROBABILITIES)]
    return words + request.options.words()


def batch_words(model: Path, cases: Path, output: Path, options: Options) -> list[str]:
    """The command for every case folder in ``cases``."""
    words = ["segment", str(model), "--batch", str(cases), "--output", str(output), "--report", REPORT]
    words += ["--probabilities", PROBABILITIES] if options.probabilities else []
    return words + options.words()


def join_reasons(reasons: Sequence[str]) -> str:
    """The reasons as a list for a tooltip; empty if there are none."""
    return "\n".join(f"• {reason}" for reason in reasons)
