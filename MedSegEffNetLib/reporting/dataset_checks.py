"""The report of a data set's checks: a table of what looks wrong, and pictures of the cases it was found in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from MedSegEffNetLib import atomic
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.reporting import page, pictures
from MedSegEffNetLib.task import Label

Row = Mapping[str, str]


def write_check_report(
    path: str | Path,
    *,
    title: str,
    rows: Sequence[Row],
    figures: Iterable[str],
    labels: Sequence[Label],
    facts: Mapping[str, object],
) -> None:
    """Write one self-contained HTML page.

    Parameters
    ----------
    rows : findings as ``{"case", "check", "severity", "text"}``.
    figures : of :func:`case_figure`.
    labels : for the legend of the figures.

    :class:`MedSegEffNetError` when the file cannot be written.
    """
    counts = Counter((row["check"], row["severity"]) for row in rows)
    summary = [[check, severity, str(count)] for (check, severity), count in sorted(counts.items())]
    table = [[row["case"] or "(data set)", row["check"], row["severity"], row["text"]] for row in rows]
    shown = list(figures)
    legend = page.legend({label.name: label.color for label in labels})
    parts = [
        page.section("Summary", page.table(["Check", "Severity", "Findings"], summary) if rows else ""),
        page.section("Cases to look at", legend, page.figures(shown, "16rem")) if shown else "",
        page.section("Findings", page.table(["Case", "Check", "Severity", "What was found"], table) if rows else ""),
        page.section("How this was made", page.facts(facts)),
    ]
    subtitle = f"{len(rows)} findings" if rows else "Nothing looks wrong."
    atomic.write_text(path, page.document(title, subtitle, parts))


def case_figure(case: str, why: str, images: Mapping[str, Image], label: Image | None, labels: Sequence[Label]) -> str:
    """A picture of a case on the slice with the largest labelled area, as a part of the page.

    Parameters
    ----------
    images : (X, Y, Z[, C]) by channel on one grid; the one is shown in which the label stands out most.
    label : label map (X, Y, Z) on that grid, or None.
    """
    singles = {name: image.channels()[0] for name, image in images.items()}
    first = next(iter(singles.values()))
    shown = label if label is not None else first.with_array((first.array * 0).astype("uint8"))
    scene = pictures.make_scene(singles, {"label": shown})
    channel = pictures.clearest_channel(scene, "label")
    view = scene.main_view()
    index = pictures.largest_slice(scene.label_maps["label"], view)
    picture = pictures.draw(scene, channel, view, index, contours="label", labels=labels, size=320)
    where = f"{channel}, {scene.slice_name(view, index)}"
    return page.figure(pictures.png(picture), f"{case}: {where}", f"{case} · {where} · {why}")
