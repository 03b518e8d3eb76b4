"""What a press on Apply asks for, and the words of the command that does it. No Qt, no scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

INPUTS = "in"
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
    output_id : node that takes the result; empty: a new one. reference_id : volume that gives the grid and the name.
    """

    model: Path
    model_name: str
    sources: Mapping[str, Source]
    reference_id: str
    output_id: str = ""
    options: Options = field(default_factory=Options)


def input_path(folder: Path, channel: str) -> Path:
    """Where the volume of ``channel`` is written for the job in ``folder``."""
    return folder / INPUTS / f"{channel}.nrrd"


def segment_words(request: Request, folder: Path) -> list[str]:
    """The command for one case; all of its files are in ``folder``."""
    words = ["segment", str(request.model), "--input"]
    words += [f"{channel}={input_path(folder, channel)}" for channel in request.sources]
    words += ["--output", str(folder / LABEL_MAP), "--report", str(folder / REPORT)]
    words += ["--uncertainty", str(folder / UNCERTAINTY)]
    if request.options.probabilities:
        words += ["--probabilities", str(folder / PROBABILITIES)]
    return words + request.options.words()


def batch_words(model: Path, cases: Path, output: Path, options: Options) -> list[str]:
    """The command for every case folder in ``cases``."""
    return ["segment", str(model), "--batch", str(cases), "--output", str(output), *options.words()]


def join_reasons(reasons: Sequence[str]) -> str:
    """The reasons as a list for a tooltip; empty if there are none."""
    return "\n".join(f"• {reason}" for reason in reasons)
