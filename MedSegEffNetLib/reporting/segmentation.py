"""The report of one segmented case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from MedSegEffNetLib import atomic
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.measures import Map
from MedSegEffNetLib.reporting import maps as map_pictures
from MedSegEffNetLib.reporting import page, pictures
from MedSegEffNetLib.reporting.pictures import Scene, View
from MedSegEffNetLib.task import Label, Region

_STRIP = 8  # slices shown across the segmented part
_UNPLACED = {
    "axial": "in the plane of the slices",
    "coronal": "across the slices, along the rows",
    "sagittal": "across the slices, along the columns",
}
_UNKNOWN = (
    "The files store no voxel size and no directions: which side is left is not known, and views across the slices "
    "are not to scale."
)
_PICTURE_NAMES = r"((axial|coronal|sagittal|channel|map|borders)-.+|slice-\d+)\.png"
Pictures = list[tuple[str, bytes, str, str]]  # file name, PNG, alternative text, caption


def write_segmentation_report(
    path: str | Path,
    *,
    title: str,
    channels: Mapping[str, Image],
    label_map: Image,
    labels: Sequence[Label],
    volumes_ml: Mapping[str, float],
    regions: Sequence[Region] = (),
    model: str = "",
    card: str = "",
    warnings: Sequence[str] = (),
    doubts: Sequence[str] | None = None,
    measurements: Mapping[str, str] | None = None,
    maps: Sequence[Map] = (),
    shown_on: str = "",
    shown_window: tuple[float, float] | None = None,
    measured: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write one self-contained HTML page about ``label_map``; its pictures are also in ``<name>_pictures`` beside it.

    Parameters
    ----------
    channels : images (X, Y, Z) by the name to be shown (with a word where a network made them), resampled to ``label_map``.
    label_map : integers (X, Y, Z) with the values of ``labels``. Where its spacing is not known, voxels are counted
        instead of mL, and no orientation letters are drawn.
    volumes_ml : volume of each label in mL, by its name.
    regions : sets of labels whose volumes are listed too, the outermost first.
    model : name and version. card : the part of the model card to show, Markdown.
    warnings : shown at the top. doubts : reasons why the result is doubtful; None: nobody looked for any.
    measurements : what was measured beyond volumes: names and values with their units, as texts.
    maps : values at each voxel of ``label_map``, each shown over the image beside the labels' borders.
    shown_on : the channel that comes first; empty, or not among the channels: where the labeled part stands out most.
    shown_window : see :func:`MedSegEffNetLib.reporting.pictures.make_scene`.
    measured, provenance : names and values, e.g. ``{"seconds": 3.1}``, ``{"created": "2026-01-31"}``.

    ``ValueError`` for a channel of several components; :class:`MedSegEffNetError` when a file cannot be written.
    """
    banner, shown_on, channels = _named(shown_on, channels, label_map)
    scene = pictures.make_scene(channels, {"labels": label_map}, shown_window)
    main = shown_on if shown_on in channels else pictures.clearest_channel(scene, "labels")
    present = [label for label in labels if np.any(label_map.array == label.value)]
    views = [item for name in sorted(channels, key=lambda name: name != main) for item in _views(scene, name, present)]
    others, strip = _channels(scene), _strip(scene, main, present)
    mapped = [item for one in maps for item in _mapped(scene, main, label_map, one)]
    how = {**({"model": model} if model else {}), **(provenance or {}), **(measured or {})}
    parts = [
        page.section("Segmentation", _legend(present), _figures(views, "20rem"), _unknown(scene)),
        page.section("Volumes", _volumes(label_map, labels, regions, volumes_ml)),
        page.section("Measurements", page.facts(measurements or {}), _figures(mapped, "20rem")),
        page.section("Slices through the segmented part" if present else "Slices", _figures(strip, "15rem")),
        page.section("Images without contours", _figures(others, "20rem")),
        page.section("Model", page.markdown(card)),
        page.section("How this was made", page.facts(how)),
    ]
    told = list(warnings) if present else ["Nothing was segmented: no voxel has a label.", *warnings]
    _write_pictures(Path(path).with_name(f"{Path(path).stem}_pictures"), [*views, *mapped, *strip, *others])
    subtitle, verdict = _subtitle(channels, label_map), banner + _verdict(doubts)
    atomic.write_text(Path(path), page.document(title, subtitle, parts, told, verdict))


def _named(shown_on: str, channels: Mapping[str, Image], label_map: Image) -> tuple[str, str, dict[str, Image]]:
    """A banner where a network made some of what is shown (empty: none did), and names under which all is shown."""
    made = [f"{name} was synthesised by {image.synthesised}." for name, image in channels.items() if image.synthesised]
    if label_map.synthesised and not made:
        made = [f"The segmentation was made from images synthesised by {label_map.synthesised}."]
    banner = (
        page.badge("doubtful", "Synthesised: not everything on this page was taken by a scanner", made) if made else ""
    )
    names = {name: f"{name} (synthesised)" if image.synthesised else name for name, image in channels.items()}
    return banner, names.get(shown_on, ""), {names[name]: image for name, image in channels.items()}


def _legend(labels: Sequence[Label]) -> str:
    return page.legend({label.name: label.color for label in labels}) if labels else ""


def _unknown(scene: Scene) -> str:
    return "" if scene.spacing_known else page.paragraph(_UNKNOWN, "note")


def _verdict(doubts: Sequence[str] | None) -> str:
    if doubts is None:
        return ""
    if doubts:
        return page.badge("doubtful", "Doubtful result: check it slice by slice before you use it", doubts)
    return page.badge("ok", "No automatic check speaks against this result", ["This does not prove it right."])


def view_title(scene: Scene, view: View) -> str:
    """How a view is called: by anatomy where directions are known."""
    return view.capitalize() if scene.spacing_known else _UNPLACED[view].capitalize()


def _views(scene: Scene, channel: str, labels: Sequence[Label]) -> Pictures:
    found = []
    for view in scene.views():
        index = pictures.largest_slice(scene.label_maps["labels"], view)
        data = pictures.png(pictures.draw(scene, channel, view, index, contours="labels", labels=labels, size=520))
        title, where = view_title(scene, view), scene.slice_name(view, index)
        alt = f"{channel}, {title.lower()}, {where}, with contours of {_names(labels)}"
        found.append((f"{view}-{_file_name(channel)}.png", data, alt, f"{title} · {channel} · {where}"))
    return found


def _mapped(scene: Scene, channel: str, label_map: Image, one: Map) -> Pictures:
    """The borders of the labels, and the map, in the slice in which it has most values; nothing if it has none."""
    if not np.isfinite(one.values).any():
        return []
    view, index, values = map_pictures.slice_of(scene, label_map, one)
    where, name = scene.slice_name(view, index), _file_name(one.name)
    borders = pictures.png(map_pictures.draw_borders(scene, channel, view, index))
    drawn = pictures.png(map_pictures.draw_map(scene, channel, view, index, values, one.unit))
    on = f"{channel} · {where}"
    return [
        (f"borders-{name}.png", borders, f"{on}, with the borders", f"Borders (Canny edges of the label map) · {on}"),
        (f"map-{name}.png", drawn, f"{on}, with the {one.name}", f"{one.name.capitalize()} in {one.unit} · {on}"),
    ]


def _channels(scene: Scene) -> Pictures:
    view = scene.main_view()
    index = pictures.largest_slice(scene.label_maps["labels"], view)
    found = []
    for channel in scene.channels:
        data = pictures.png(pictures.draw(scene, channel, view, index, size=400))
        where = scene.slice_name(view, index)
        found.append(
            (
                f"channel-{_file_name(channel)}.png",
                data,
                f"{channel}, {where}, without contours",
                f"{channel} · {where}",
            )
        )
    return found


def _strip(scene: Scene, channel: str, labels: Sequence[Label]) -> Pictures:
    view = scene.main_view()
    indices = pictures.labeled_slices(scene.label_maps["labels"], view, _STRIP)
    if len(indices) < 2:
        return []
    found = []
    for place, index in enumerate(indices, start=1):
        data = pictures.png(pictures.draw(scene, channel, view, index, contours="labels", labels=labels, size=360))
        where = scene.slice_name(view, index)
        found.append((f"slice-{place}.png", data, f"{channel}, {where}, with contours of {_names(labels)}", where))
    return found


def _write_pictures(folder: Path, items: Pictures) -> None:
    """Write the pictures to ``folder`` and remove those of an earlier report, which may be of another patient."""
    for name, data, _, _ in items:
        atomic.write_bytes(folder / name, data)
    for earlier in set(folder.glob("*.png")) - {folder / name for name, *_ in items}:
        if re.fullmatch(_PICTURE_NAMES, earlier.name):
            try:
                earlier.unlink()
            except OSError as error:
                raise atomic.write_error(earlier, error) from error


def _volumes(
    label_map: Image,
    labels: Sequence[Label],
    regions: Sequence[Region],
    volumes_ml: Mapping[str, float],
) -> str:
    """The tables of labels and, where one is more than a label, of regions, with their share of the outermost one."""
    voxels = {label.value: int(np.count_nonzero(label_map.array == label.value)) for label in labels}
    sizes = {label.value: volumes_ml[label.name] for label in labels}

    def cells(name: str, values: Sequence[int]) -> list[str]:
        size = page.number(sum(sizes[value] for value in values), 2) if label_map.spacing_known else "spacing unknown"
        return [name, size, f"{sum(voxels[value] for value in values):,}"]

    header = ["Structure", "Volume (mL)", "Voxels"]
    colors = {label.value: label.color for label in labels}
    of_labels = page.table(header, [cells(label.name, [label.value]) for label in labels], list(colors.values()))
    if all(len(region.labels) == 1 for region in regions):
        return of_labels
    outer = sum(voxels[value] for value in regions[0].labels)
    rows = []
    for region in regions:
        part = sum(voxels[value] for value in region.labels)
        share = f"{part / outer:.1%}" if outer and set(region.labels) <= set(regions[0].labels) else "–"
        rows.append([*cells(f"{region.title} ({region.name})", region.labels), share])
    swatches = [colors[region.labels[0]] if len(region.labels) == 1 else None for region in regions]
    of_regions = page.table(["Region", *header[1:], f"Share of {regions[0].title}"], rows, swatches)
    return of_regions + page.heading("Labels") + of_labels


def _figures(items: Pictures, least_width: str) -> str:
    return (
        page.figures([page.figure(data, alt, caption) for _, data, alt, caption in items], least_width) if items else ""
    )


def _names(labels: Sequence[Label]) -> str:
    return ", ".join(label.name for label in labels) or "nothing"


def _subtitle(channels: Iterable[str], image: Image) -> str:
    steps = " × ".join(f"{step:.3g}" for step in image.spacing)
    size = f" of {steps} mm" if image.spacing_known else ", size unknown"
    return f"{', '.join(channels)} · {' × '.join(map(str, image.shape))} voxels{size}"


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-") or "image"
