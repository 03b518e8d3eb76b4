"""A made image beside the real one, where a scanner took that after all: figures and difference."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from MedSegEffNetLib.errors import InputError, MissingPackage
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference.checks import Checked, check_images
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.synthesis import metrics
from MedSegEffNetLib.synthesis.predict import Synthesis, Synthesizer


@dataclass(frozen=True)
class Comparison:
    """A made image compared with the real one, in normalized units, on the grid of the inputs.

    Parameters
    ----------
    real : ``(X, Y, Z)`` float32, the real image as the network would have to make it; 0 outside of the head.
    head : ``(X, Y, Z)`` boolean, the voxels that both images show.
    difference : float32, made less real; 0 outside of ``head``. It carries the mark of the made image.
    figures : ``nmae``, ``psnr`` (dB) and ``ssim`` inside of ``head``, see :mod:`MedSegEffNetLib.synthesis.metrics`; None
        where scikit-image, which SSIM needs, is not installed.
    warnings : sentences for the user.
    """

    real: np.ndarray
    head: np.ndarray
    difference: Image
    figures: dict[str, float | None]
    warnings: tuple[str, ...]

    def in_words(self) -> str:
        """The figures in a line."""
        words = [f"NMAE {self.figures['nmae']:.3f}", f"PSNR {self.figures['psnr']:.2f} dB"]
        return ", ".join(words if self.figures["ssim"] is None else [*words, f"SSIM {self.figures['ssim']:.3f}"])


def check_real(real: Image, checked: Checked, bundle: Bundle, target: str, *, resampled: bool) -> Checked:
    """The real image of the channel ``target`` on the grid of the inputs ``checked``, with what there is to say of it.

    Raises
    ------
    InputError
        A network made it, it is not fit to be compared, or it lies on another grid and may not be ``resampled``.
    """
    if real.synthesised:
        raise InputError(
            f"the real {target} is no image of a scanner: {real.synthesised} made it",
            expected="an image of a scanner to compare with",
            hint="name the original, or leave --real out",
        )
    inputs = [channel for channel in bundle.channels if channel.name in checked.images]
    own = [channel for channel in bundle.channels if channel.name == target]
    found = check_images({**checked.images, target: real}, [*inputs, *own], resampled=resampled)
    return Checked(
        {target: found.images[target]}, tuple(text for text in found.warnings if text not in checked.warnings)
    )


def compare(real: Image, made: Synthesis, synthesizer: Synthesizer, job: Job) -> Comparison:
    """``made`` compared with the ``real`` image, which lies on its grid.

    Raises
    ------
    InputError
        They have no head in common in which the real image has any contrast.
    """
    job.progress("Comparing", 0, 1)
    values, inside = synthesizer.normalized(real, made.target)
    head = inside & made.inside
    try:
        pair = metrics.scaled(values, made.normalized, head)
    except ValueError as error:
        raise InputError(
            f"the real {made.target} shows nothing where the other images show the head",
            expected="an image of the same head at the same place",
            hint="register the images first, or leave --real out",
        ) from error
    figures: dict[str, float | None] = {"nmae": metrics.nmae(*pair, head), "psnr": metrics.psnr(*pair, head)}
    warnings = []
    try:
        figures["ssim"] = metrics.ssim(*pair, head)
    except MissingPackage as error:
        figures["ssim"] = None
        warnings.append(f"SSIM is left out: {error.found}; {error.hint}.")
    job.progress("Comparing", 1, 1)
    difference = np.where(head, made.normalized - values, 0).astype(np.float32, copy=False)
    return Comparison(values, head, replace(made.image, array=difference), figures, tuple(warnings))
