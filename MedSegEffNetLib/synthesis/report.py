"""Pages about synthesised images: of one case, and of an evaluation with its tables beside the published figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from MedSegEffNetLib import atomic
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.card import excerpt
from MedSegEffNetLib.reporting import page, pictures
from MedSegEffNetLib.synthesis import metrics
from MedSegEffNetLib.synthesis.comparison import Comparison
from MedSegEffNetLib.synthesis.predict import Synthesis
from MedSegEffNetLib.task import SynthesisTask, list_tasks

_TITLES = {
    "nmae": "NMAE",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "vif": "VIF",
    "niqe": "NIQE",
    "niqe_real": "NIQE of the real image",
    "enhancement": "Share of the enhancement",
    "dice_real": "Dice, real image",
    "dice_missing": "Dice, without the image",
    "dice_synthesised": "Dice, synthesised image",
}
_DIGITS = {"psnr": 2, "niqe": 2, "niqe_real": 2}
_CONVENTIONS = (
    "Both images are compared in normalized units (after N4, clipping to the percentiles 1 and 99, and z-score), brought "
    "to 0..1 by the real image's range inside the head; outside of it both are 0. Image: the whole slices that show the "
    "head, with their black border, which flatters NMAE, PSNR and SSIM; head: the voxels inside, which are the brain alone "
    "where the images are skull-stripped; tumor: voxels of the label map. NMAE: mean absolute difference. SSIM: Gaussian "
    "window, sigma 1.5. VIF: in the pixel domain, of the box around the region. NIQE: on statistics of real training "
    "slices of this data; not comparable with published values. Its value for the real images is what a perfect network "
    "would reach. Share of the enhancement: mean brightening of the tumor's enhancing voxels against the T1, made by real. "
    "Dice: of a segmentation from the inputs and the real image, from the inputs alone, and from the inputs and the made "
    "image. SD is that of a sample."
)
_COMPARED = (
    "Both images after N4, clipping to the percentiles 1 and 99, and z-score: so they are compared, and so they are shown "
    "above. What is brighter than the percentile 99, as enhancement often is, counts as bright as that. NMAE: mean absolute "
    "difference by the real image's range inside the head. SSIM: Gaussian window, sigma 1.5."
)
_DIFFERENCE = (
    "Real and synthesised image are shown in one window. Difference: the synthesised image less the real one; colors are "
    "full from a quarter of the way from black to white."
)
_SIZE = 300
_ROWS = 4  # slices of a case
_WIDEST, _PAGE = 17.0, 62.0  # rem: of a picture, and of all in a row
_SHAPE = "shape"  # the label map that tells which slices are shown
_BRIGHT, _EQUAL, _DARK = (215, 48, 39), (255, 255, 255), (69, 117, 180)
_FULL = 4  # full color at a quarter
_BANNER = "Synthesised: a network made this image; no scanner took it"


@dataclass(frozen=True)
class Shown:
    """Pictures of a case: file name, PNG and caption each."""

    caption: str
    pictures: tuple[tuple[bytes, str], ...]


@dataclass(frozen=True)
class Evaluation:
    """A synthesis model measured on cases.

    Parameters
    ----------
    rows : one a case, choice of inputs and target (``task``: ``t1+flair → t1ce``) and region, with metrics.
    shown : cases to be shown.
    facts : names and values about how the evaluation was made.
    """

    title: str
    rows: Sequence[Mapping[str, Any]]
    task_id: str
    shown: tuple[Shown, ...] = ()
    card: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def draw(
    images: Mapping[str, Image], index_of: Image | None = None, difference: tuple[str, str] | None = None
) -> Shown:
    """The axial slice of each image (X, Y, Z; one grid), side by side in their order.

    Parameters
    ----------
    index_of : label map whose largest slice is shown; None: the middle of what the first image shows.
    difference : names of two of ``images`` that are shown in the same window, with their difference (second less first)
        in color as one more picture.
    """
    first = next(iter(images.values()))
    shape = index_of if index_of is not None and index_of.array.any() else _content(first)
    scene = _scene(images, shape, difference)
    return _side_by_side(scene, pictures.largest_slice(scene.label_maps[_SHAPE], scene.main_view()), difference)


def draw_rows(images: Mapping[str, Image], head: Image, difference: tuple[str, str] | None = None) -> list[Shown]:
    """As :func:`draw`, of a few slices that are evenly spread over the mask ``head``."""
    scene = _scene(images, head, difference)
    found = pictures.labeled_slices(scene.label_maps[_SHAPE], scene.main_view(), _ROWS + 2)
    return [_side_by_side(scene, index, difference) for index in found[1:-1] or found]


def write_report(
    path: Path,
    title: str,
    images: Mapping[str, Image],
    result: Synthesis,
    bundle: Bundle,
    warnings: Sequence[str],
    compared: Comparison | None = None,
) -> None:
    """The page of one synthesised image (X, Y, Z), beside the images by channel that it was made from.

    With a comparison the real image and the difference stand in the same rows.
    """
    titles = {channel.name: channel.title for channel in bundle.channels}
    target = titles[result.target]
    named = {titles[name]: image for name, image in images.items()}
    real, made = f"{target}, real", f"{target} (synthesised)"
    if compared is None:
        rows = draw_rows({**named, made: result.image}, _mask(result.image, result.inside))
    else:
        # Beside the head both are as dark as its darkest voxel, so that black is the same in both.
        darkest = compared.real[compared.head].min()
        pair = [np.where(compared.head, array, darkest) for array in (compared.real, result.normalized)]
        named |= {name: result.image.with_array(array) for name, array in zip((real, made), pair, strict=True)}
        rows = draw_rows(named, _mask(result.image, compared.head), (real, made))
    facts = {"model": f"{bundle.name} {bundle.version}", "target": target,
             "made from": [titles[name] for name in result.inputs], **result.measured}  # fmt: skip
    parts = [
        page.section("Images", _scale() if compared else "", *[_figures(row) for row in rows]),
        page.section("Compared with the real image", *_compared(compared.figures)) if compared else "",
        page.section("Model", page.markdown(excerpt(bundle.card))),
        page.section("How this was made", page.facts(facts)),
    ]
    banner = page.badge("doubtful", _BANNER, [f"Made by {result.image.synthesised}."])
    subtitle = " × ".join(map(str, result.image.shape)) + " voxels"
    atomic.write_text(path, page.document(title, subtitle, parts, list(warnings), banner))


def write_evaluation_page(path: Path, evaluation: Evaluation) -> None:
    """The page of an evaluation: tables of every task, figures beside the published ones, pictures."""
    summary = metrics.summarize(evaluation.rows)
    parts = [
        page.section("Beside the published figures", *_published(evaluation.task_id, summary)),
        *[page.section(task, *_tables(regions)) for task, regions in summary.items()],
        page.section("Pictures", _scale() if evaluation.shown else "", *[_figures(one) for one in evaluation.shown]),
        page.section("Conventions", page.paragraph(_CONVENTIONS, "note")),
        page.section("Model", page.markdown(evaluation.card)),
        page.section("How this was made", page.facts(evaluation.facts)),
    ]
    count = len({row["case"] for row in evaluation.rows})
    atomic.write_text(path, page.document(evaluation.title, f"{count} case{'s' * (count != 1)}", parts, []))


def summary_table(summary: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]) -> list[list[str]]:
    """A row a task, region and metric: mean, SD, median, n; for the terminal and for Markdown."""
    return [
        [task, region, _TITLES[metric], *_numbers(metric, values), f"{values['n']:.0f}"]
        for task, regions in summary.items()
        for region, columns in regions.items()
        for metric, values in columns.items()
    ]


def _tables(regions: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    parts = []
    for region, columns in regions.items():
        lines = [
            [_TITLES[metric], *_numbers(metric, values), f"{values['n']:.0f}"] for metric, values in columns.items()
        ]
        parts += [page.heading(region.capitalize()), page.table(["Metric", "Mean", "SD", "Median", "n"], lines)]
    return parts


def _published(task_id: str, summary: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]) -> list[str]:
    task = list_tasks().get(task_id)
    if not isinstance(task, SynthesisTask) or not task.published:
        return []
    lines = []
    for figure in task.published:
        ours = summary.get(figure.ensemble, {})
        cells = [ours.get(region, {}).get(figure.metric, {"mean": math.nan, "n": 0}) for region in ("image", "head")]
        count = max(values["n"] for values in cells)
        numbers = [page.number(values["mean"], _DIGITS.get(figure.metric, 3)) for values in cells]
        lines.append([figure.ensemble, _TITLES[figure.metric], f"{figure.mean:g}", *numbers, f"{count:.0f}"])
    sources = " · ".join(dict.fromkeys(f"{figure.system}, {figure.source}; {figure.data}" for figure in task.published))
    note = (
        f"Published: {sources}; means. The patients are others, and the publication does not say whether the black border "
        "counts, so that ours are given with it (image) and without it (head): the figures are not directly comparable. "
        "NIQE is not comparable at all."
    )
    header = ["Inputs → target", "Metric", "Published", "Ours, image", "Ours, head", "Our n"]
    return [page.table(header, lines), page.paragraph(note, "note")]


def _compared(figures: Mapping[str, float | None]) -> list[str]:
    lines = [
        [_TITLES[name], page.number(math.nan if value is None else value, _DIGITS.get(name, 3))]
        for name, value in figures.items()
    ]
    return [page.table(["Metric", "Inside the head"], lines), page.paragraph(_COMPARED, "note")]


def _figures(shown: Shown) -> str:
    items = [page.figure(data, f"{shown.caption}: {name}", name) for data, name in shown.pictures]
    least = min(_WIDEST, _PAGE / len(items))
    return page.heading(shown.caption[0].upper() + shown.caption[1:]) + page.figures(items, f"{least:.3g}rem")


def _scale() -> str:
    """What the colors of a difference say."""
    return page.paragraph(_DIFFERENCE, "note") + page.legend(
        {"too dark": _DARK, "equal": _EQUAL, "too bright": _BRIGHT}
    )


def _numbers(metric: str, values: Mapping[str, float]) -> list[str]:
    return [page.number(values[name], _DIGITS.get(metric, 3)) for name in ("mean", "std", "median")]


def _scene(images: Mapping[str, Image], shape: Image, difference: tuple[str, str] | None) -> pictures.Scene:
    """``images`` with the label map ``shape``; both of a difference in the window of its first."""
    scene = pictures.make_scene(images, {_SHAPE: shape})
    if not difference:
        return scene
    return replace(scene, windows={**scene.windows, difference[1]: scene.windows[difference[0]]})


def _side_by_side(scene: pictures.Scene, index: int, difference: tuple[str, str] | None) -> Shown:
    """Slice ``index`` of every image, and the difference."""
    view = scene.main_view()
    found = [(pictures.png(pictures.draw(scene, name, view, index, size=_SIZE)), name) for name in scene.channels]
    if difference:
        low, high = scene.windows[difference[0]]
        one, other = (
            np.clip((pictures.plane_of(scene, scene.channels[name], view, index) - low) / (high - low), 0, 1)
            for name in difference
        )
        found.append((pictures.png(_colored(other - one, scene.height_scale(view))), "Difference"))
    return Shown(scene.slice_name(view, index), tuple(found))


def _content(image: Image) -> Image:
    """A mask of the middle slice along the last axis, to be shown where there is no label map."""
    array = np.zeros(image.shape, dtype=bool)
    shown = np.flatnonzero((image.array != image.array.min()).any(axis=(0, 1)))
    array[..., int(shown[len(shown) // 2]) if shown.size else image.shape[2] // 2] = True
    return _mask(image, array)


def _mask(grid: Image, array: np.ndarray) -> Image:
    return grid.with_array(array.astype(np.uint8))


def _colored(difference: np.ndarray, height_scale: float) -> Pillow.Image:
    """Differences (rows, columns) from -1 to 1 as red and blue on white."""
    strength = np.clip(np.abs(difference) * _FULL, 0, 1)[..., None]
    color = np.where(difference[..., None] > 0, np.array(_BRIGHT, float), np.array(_DARK, float))
    picture = Pillow.fromarray((255 + (color - 255) * strength).astype(np.uint8))
    height, width = difference.shape[0] * height_scale, difference.shape[1]
    scale = _SIZE / max(height, width)
    return picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), Pillow.Resampling.BICUBIC)
