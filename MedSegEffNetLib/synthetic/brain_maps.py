"""Tissue maps of synthetic patients: the anatomy of real ones without their tumor, warped, with a new tumor in it."""

from __future__ import annotations

import numpy as np

from MedSegEffNetLib.synthetic.brain_tumors import SEQUENCES, TISSUES, add_mimics, blur, grow_tumor, warp

_BACKGROUND, _FLUID, _GREY, _WHITE = (TISSUES.index(name) for name in ("background", "csf", "grey", "white"))
_BY_BRIGHTNESS = {  # from dark to bright
    "t1": (_FLUID, _GREY, _WHITE),
    "t1ce": (_FLUID, _GREY, _WHITE),
    "t2": (_WHITE, _GREY, _FLUID),
    "flair": (_FLUID, _WHITE, _GREY),
}
_TUMORS = (0.1, 0.8, 0.1)  # how often a patient has none, one and two
_MARGIN = 3  # voxels around the brain
_ROOM = 16  # voxels on each side, into which warping may move it


def anatomy(image: np.ndarray, tumor: np.ndarray, sequence: str, background: float) -> np.ndarray:
    """Tissues of a skull-stripped brain as it may have been before its tumor; uint8.

    Healthy tissue is told apart by brightness (k-means of three classes). In place of the tumor stands the tissue of the
    other hemisphere, or white matter where there is none.

    Parameters
    ----------
    image : ``(X, Y, Z)`` of about 1 mm, x from right to left, the brain in its middle.
    tumor : boolean mask of the same shape.
    sequence : one of :data:`MedSegEffNetLib.synthetic.brain_tumors.SEQUENCES`.
    background : the value outside of the brain.
    """
    if sequence not in SEQUENCES:
        raise ValueError(f"sequence is '{sequence}', not one of {', '.join(SEQUENCES)}")
    brain = image != background
    healthy = brain & ~tumor
    if not healthy.any():
        raise ValueError("the image holds no healthy brain")
    smooth = blur(np.where(brain, image, image[healthy].mean()).astype(np.float32), (0.7, 0.7, 0.7))
    centers = _three_means(smooth[healthy])
    borders = (centers[1:] + centers[:-1]) / 2
    tissues = np.array(_BY_BRIGHTNESS[sequence], dtype=np.uint8)[np.digitize(smooth, borders)]
    tissues[~brain] = _BACKGROUND
    mirrored = np.where(healthy, tissues, _WHITE)[::-1]
    tissues[tumor] = mirrored[tumor]
    return tissues


def patient(tissues: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A new patient with the anatomy ``tissues``: mirrored or not, warped, with mimics of a tumor and up to two tumors.

    The map is cut to the brain with a margin of 3 voxels, and runs fastest along x, as images do.
    """
    changed = warp(np.pad(tissues, _ROOM, constant_values=_BACKGROUND), draw)
    if draw.random() < 0.5:
        changed = changed[::-1]
    inside = np.argwhere(changed != _BACKGROUND)
    low, high = inside.min(axis=0), inside.max(axis=0) + 1
    box = tuple(slice(start, stop) for start, stop in zip(low, high, strict=True))
    changed = np.asfortranarray(np.pad(changed[box], _MARGIN, constant_values=_BACKGROUND))
    changed = add_mimics(changed, draw)
    for _ in range(int(draw.choice(len(_TUMORS), p=_TUMORS))):
        changed = grow_tumor(changed, draw)
    return np.asfortranarray(changed)


def _three_means(values: np.ndarray) -> np.ndarray:
    """Centers of three clusters of numbers, ascending (Lloyd's algorithm on at most 100 000 of them)."""
    values = np.sort(values[:: max(1, values.size // 100_000)])
    darkest, brightest = np.percentile(values, (1, 99))
    centers = np.linspace(darkest, brightest, 3)
    for _ in range(20):
        parts = np.split(values, np.searchsorted(values, (centers[1:] + centers[:-1]) / 2))
        centers = np.array([part.mean() if part.size else old for part, old in zip(parts, centers, strict=True)])
    return centers
