"""What a press on Make image asks for, and the words of the command that does it. No Qt, no scene."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from MedSegEffNetLib.task import Channel
from MedSegEffNetPanel.segmenting.request import REPORT, Options, Source, input_path

MADE = "synthesised.nrrd"  # with the word in its name, that the library would add
DIFFERENCE = "difference_synthesised.nrrd"


@dataclass(frozen=True)
class Request:
    """One image that is to be made of nodes.

    Attributes
    ----------
    model : the bundle's folder. target : the channel to make, called ``title``. sources : inputs by channel name.
    reference_id : volume that gives the grid. case_name : what the case is called; may be empty.
    real : the target as a scanner took it, which the model does not see; None: there is none.
    mark : whether it is written into the corner of the image that a network made it.
    """

    model: Path
    model_name: str
    target: str
    title: str
    sources: Mapping[str, Source]
    reference_id: str
    case_name: str = ""
    real: Source | None = None
    mark: bool = False
    options: Options = field(default_factory=Options)

    @property
    def volumes(self) -> dict[str, Source]:
        """All volumes that are written for the job, by channel name."""
        return {**self.sources, **({self.target: self.real} if self.real else {})}


def synthesize_words(request: Request, folder: Path) -> list[str]:
    """The command; all files are in ``folder``."""
    words = ["synthesize", str(request.model), "--input"]
    words += [f"{channel}={input_path(folder, channel)}" for channel in request.sources]
    words += ["--target", request.target, "--output", str(folder / MADE), "--report", str(folder / REPORT)]
    if request.real is not None:
        words += ["--real", str(input_path(folder, request.target)), "--difference", str(folder / DIFFERENCE)]
    words += ["--mark"] if request.mark else []
    return words + replace(request.options, ensemble="", flips=False).words()


def case_of(name: str, channel: Channel) -> str:
    """A volume's name without the words that say which channel it is: ``patient_7_FLAIR`` → ``patient_7``."""
    spellings = {spelling.lower() for spelling in (channel.name, channel.title, *channel.aliases)}
    parts = re.split(r"([\s_.-]+)", name)  # words, and what stands between them
    kept = [
        (word, gap) for word, gap in zip(parts[::2], [*parts[1::2], ""], strict=True) if word.lower() not in spellings
    ]
    return "".join(word + gap for word, gap in kept).strip(" _.-")
