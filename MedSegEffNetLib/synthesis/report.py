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
from MedSegEffNetLib.synthesis.predict import Synthesis
from MedSegEffNetLib.task import SynthesisTask, list_tasks

_TITLES = {
    "nmae": "NMAE",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "vif": "VIF",
    "niqe": "NIQE",
    "niqe_real": "NIQE of the real image",
    "dice_real": "Dice, real image",
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
    "would reach. SD is that of a sample."
)
_SIZE = 300
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
    scene = pictures.make_scene(images, {"labels": shape})
    if difference:
        scene = replace(scene, windows={**scene.windows, difference[1]: scene.windows[difference[0]]})
    view = scene.main_view()
    index = pictures.largest_slice(scene.label_maps["labels"], view)
    found = [(pictures.png(pictures.draw(scene, name, view, index, size=_SIZE)), name) for name in scene.channels]
    if difference:
        low, high = scene.windows[difference[0]]
        one, other = (
            np.clip((pictures.plane_of(scene, scene.channels[name], view, index) - low) / (high - low), 0, 1)
            for name in difference
        )
        picture = _colored(other - one, scene.height_scale(view))
        found.append(
            (pictures.png(picture), "Difference: red too bright, blue too dark; full color at a quarter of the range")
        )
    return Shown(scene.slice_name(view, index), tuple(found))


def write_report(
    path: Path, title: str, images: Mapping[str, Image], result: Synthesis, bundle: Bundle, warnings: Sequence[str]
) -> None:
    """The page of one synthesised image (X, Y, Z), beside the images by channel that it was made from."""
    titles = {channel.name: channel.title for channel in bundle.channels}
    named = {titles[name]: image for name, image in images.items()}
    shown = draw({**named, f"{titles[result.target]} (synthesised)": result.image})
    items = [
        page.figure(data, f"{name}, {shown.caption}", f"{name} · {shown.caption}") for data, name in shown.pictures
    ]
    facts = {"model": f"{bundle.name} {bundle.version}", "target": titles[result.target],
             "made from": [titles[name] for name in result.inputs], **result.measured}  # fmt: skip
    parts = [
        page.section("Images", page.figures(items, "16rem")),
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
        page.section("Pictures", *[_figures(shown) for shown in evaluation.shown]),
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
        numbers = [page.number(values["mean"], _DIGITS.get(figure.metric, 3)) for values in cells]
        lines.append([figure.ensemble, _TITLES[figure.metric], f"{figure.mean:g}", *numbers, f"{cells[0]['n']:.0f}"])
    sources = " · ".join(dict.fromkeys(f"{figure.system}, {figure.source}; {figure.data}" for figure in task.published))
    note = (
        f"Published: {sources}; means. The patients are others, and the publication does not say whether the black border "
        "counts, so that ours are given with it (image) and without it (head): the figures are not directly comparable. "
        "NIQE is not comparable at all."
    )
    header = ["Inputs → target", "Metric", "Published", "Ours, image", "Ours, head", "Our n"]
    return [page.table(header, lines), page.paragraph(note, "note")]


def _figures(shown: Shown) -> str:
    items = [page.figure(data, f"{shown.caption}: {name}", name) for data, name in shown.pictures]
    return page.heading(shown.caption) + page.figures(items, "14rem")


def _numbers(metric: str, values: Mapping[str, float]) -> list[str]:
    return [page.number(values[name], _DIGITS.get(metric, 3)) for name in ("mean", "std", "median")]


def _content(image: Image) -> Image:
    """A mask of the middle slice along the last axis, to be shown where there is no label map."""
    array = np.zeros(image.shape, dtype=np.uint8)
    shown = np.flatnonzero((image.array != image.array.min()).any(axis=(0, 1)))
    array[..., int(shown[len(shown) // 2]) if shown.size else image.shape[2] // 2] = 1
    return image.with_array(array)


def _colored(difference: np.ndarray, height_scale: float) -> Pillow.Image:
    """Differences (rows, columns) from -1 to 1 as red and blue on white."""
    strength = np.clip(np.abs(difference) * 4, 0, 1)[..., None]
    color = np.where(difference[..., None] > 0, [215.0, 48.0, 39.0], [69.0, 117.0, 180.0])
    picture = Pillow.fromarray((255 + (color - 255) * strength).astype(np.uint8))
    height, width = difference.shape[0] * height_scale, difference.shape[1]
    scale = _SIZE / max(height, width)
    return picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), Pillow.Resampling.BICUBIC)
