"""In place of the program: ``synthesize`` gives the first input back, darker, as an image that a network made. A script."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from MedSegEffNetLib.image import read, write
from MedSegEffNetLib.job import Job

MODEL = "fake@1.0.0"
CAUTION = {"t1ce": ["Contrast enhancement cannot be known from images without contrast agent: it is a guess."]}
FIGURES = {"nmae": 0.0412, "psnr": 24.31, "ssim": 0.873}


def value_of(option: str) -> str:
    """The word after an option; empty without it."""
    return sys.argv[sys.argv.index(option) + 1] if option in sys.argv else ""


def main(pause: float) -> None:
    """The files and events of ``synthesize``."""
    with Job.open(Path(value_of("--run")), {"command": "synthesize", "words": sys.argv[1:]}) as job:
        for part in range(4):
            job.progress("Synthesizing", part, 4)
            time.sleep(pause)
            job.check_stop()
        channel, _, path = value_of("--input").partition("=")
        image = read(Path(path))
        made = replace(image.with_array(image.array.astype("float32") * 0.8), synthesised=MODEL)
        write(Path(value_of("--output")), made)
        real = value_of("--real")
        if real:
            apart = made.with_array((made.array - read(Path(real)).array.astype("float32")) / 100)
            write(Path(value_of("--difference")), apart)
        Path(value_of("--report")).write_text("<p>made</p>", encoding="utf-8")
        job.finish(
            output=value_of("--output"),
            report=value_of("--report"),
            target=value_of("--target"),
            inputs=[channel],
            synthesised=MODEL,
            real=real or None,
            difference=value_of("--difference") or None,
            compared={"head": FIGURES} if real else None,
            warnings=["It was made by a network. It is no measurement.", *CAUTION.get(value_of("--target"), ())],
            measured={"seconds": 0.1},
        )


if __name__ == "__main__":
    main(float(sys.argv.pop(1)))
