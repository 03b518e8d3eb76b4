"""Milliseconds of the annotator's operations on a brain and on a chest-sized volume.

python Testing/benchmarks/bench_labelops.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from MedSegEffNetLib.labelops import (
    Selection,
    add,
    fill_holes,
    grow,
    interpolate,
    island_at,
    magic_wand,
    replace,
    shrink,
    smooth,
)

SHAPES = ((155, 240, 240), (300, 512, 512))  # slices, rows, columns
RUNS = 3


def blob(shape: tuple[int, int, int], share: float) -> np.ndarray:
    """An ellipsoid of ``share`` of each side, with holes."""
    axes = np.ogrid[tuple(slice(0, length) for length in shape)]
    radius = sum(((axis - length / 2) / (share * length / 2)) ** 2 for axis, length in zip(axes, shape, strict=True))
    mask: np.ndarray = np.asarray(radius) <= 1
    mask[:, 5::40, 7::40] = False
    return mask


def milliseconds(work: Callable[[], object]) -> float:
    """Median time of a few runs."""
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    return median(taken)


def measure(shape: tuple[int, int, int]) -> dict[str, dict[str, float]]:
    """Times of the operations on one slice and on the volume."""
    mask = blob(shape, 0.6)
    labels = mask.astype(np.uint8)
    labels[:, : shape[1] // 2] *= 2
    draw = np.random.default_rng(0)
    image = (mask * np.float32(100) + draw.normal(0, 5, shape).astype(np.float32)).astype(np.float32)
    middle = (shape[0] // 2, shape[1] // 2 + 3, shape[2] // 2 + 3)
    flat = np.zeros_like(mask)
    flat[middle[0]] = mask[middle[0]]
    one, three = Selection.of(flat), Selection.of(mask)
    drawn = np.zeros_like(mask)
    drawn[middle[0] - 10 : middle[0] + 11 : 5] = mask[middle[0]]
    every_fifth = Selection.of(drawn)
    found: dict[str, dict[str, float]] = {}
    for name, selection, axis in (("one slice", one, 0), ("3D", three, None)):
        found[name] = {
            "find the selection": milliseconds(lambda s=selection: Selection.of(flat if s is one else mask)),
            "add": milliseconds(lambda s=selection: add(labels, s, 3, {2})),
            "grow": milliseconds(lambda s=selection, a=axis: grow(s, a)),
            "shrink": milliseconds(lambda s=selection, a=axis: shrink(s, a)),
            "smooth": milliseconds(lambda s=selection, a=axis: smooth(s, a)),
            "fill holes": milliseconds(lambda s=selection, a=axis: fill_holes(s, a)),
            "island": milliseconds(lambda s=selection, a=axis: island_at(s, middle, a)),
            "magic wand": milliseconds(lambda a=axis: magic_wand(image, middle, 80, 120, axis=a, labels=labels)),
        }
    found["3D"]["replace"] = milliseconds(lambda: replace(labels, three, 1))
    found["3D"]["fill holes, slice by slice"] = milliseconds(lambda: fill_holes(three, 0))
    found["one slice"]["interpolate a gap of 4"] = milliseconds(lambda: interpolate(every_fifth, 0)) / 4
    return found


if __name__ == "__main__":
    for shape in SHAPES:
        for scope, times in measure(shape).items():
            print(f"{' × '.join(map(str, shape[::-1]))}, {scope}")
            for name, taken in times.items():
                print(f"  {name:28}{taken:8.1f} ms")
