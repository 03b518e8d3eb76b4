"""What a segmentation writes: which files, checked before any work, written, and told to whoever follows the job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.commands._inputs import check_apart, check_output
from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:
    from MedSegEffNetLib.image import Image
    from MedSegEffNetLib.inference.predict import Result
    from MedSegEffNetLib.models.bundle import Bundle

LABEL_MAPS = (".seg.nrrd", ".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".npy", ".png")
VOLUMES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".npy")


@dataclass(frozen=True)
class Outputs:
    """The files of one case; None or empty: not asked for.

    Parameters
    ----------
    label_map : ends in one of :data:`LABEL_MAPS`.
    report : a page with pictures (.html).
    uncertainty : a volume, see :func:`MedSegEffNetLib.postprocessing.uncertainty`.
    probabilities : a volume a region, by the region's name.
    """

    label_map: Path
    report: Path | None = None
    uncertainty: Path | None = None
    probabilities: Mapping[str, Path] = field(default_factory=dict)

    def files(self) -> list[Path]:
        """All of them."""
        single = (self.label_map, self.report, self.uncertainty)
        return [path for path in (*single, *self.probabilities.values()) if path is not None]

    def check(self, inputs: Sequence[Path], run: Path | None) -> None:
        """Refuse files that cannot be written, or that would replace an input, each other or the files of the run."""
        from MedSegEffNetLib import job

        check_output(self.label_map, inputs, LABEL_MAPS)
        if self.report:
            check_output(self.report, inputs, (".html",))
        if self.uncertainty:
            check_output(self.uncertainty, inputs, VOLUMES)
        for path in self.probabilities.values():
            check_output(path, inputs)
        of_run = [run / name for name in (job.REQUEST, job.EVENTS, job.LOCK, job.STOP)] if run else []
        check_apart([*self.files(), *of_run])

    def check_marks(self, model: str) -> None:
        """Refuse formats that cannot hold the mark of what is made from images that ``model`` made (empty: none did)."""
        from MedSegEffNetLib.formats import WITHOUT_MARK, WRITERS, marks, suffix_of

        for path in self.files():
            if WRITERS.get(suffix_of(path, WRITERS)) in WITHOUT_MARK:
                marks.refuse_unmarked(path, model)

    def check_fits(self, grid: Image) -> None:
        """Refuse a picture as the label map of several slices."""
        if self.label_map.suffix.lower() == ".png" and grid.shape[2] != 1:
            raise InputError(
                f"output {self.label_map.name} is a picture and the case has {grid.shape[2]} slices",
                expected="a name that ends in " + ", ".join(VOLUMES),
            )

    def write(self, images: Mapping[str, Image], result: Result, bundle: Bundle, name: str) -> None:
        """Write every file, the report about the case ``name``; the label map, which the others explain, comes last."""
        from MedSegEffNetLib.image import write, write_label_map
        from MedSegEffNetLib.postprocessing import uncertainty

        for path, values in zip(self.probabilities.values(), result.probabilities, strict=False):
            write(path, result.label_map.with_array(values))
        if self.uncertainty:
            write(self.uncertainty, result.label_map.with_array(uncertainty(result.probabilities)))
        if self.report:
            write_report(self.report, name, images, result, bundle)
        write_label_map(self.label_map, result.label_map, bundle.labels)

    def told(self, result: Result) -> dict[str, Any]:
        """The fields that the events ``finished`` and ``case`` carry, see :mod:`MedSegEffNetLib.job`."""
        return {
            "label_map": self.label_map.resolve(),
            "report": self.report and self.report.resolve(),
            "uncertainty": self.uncertainty and self.uncertainty.resolve(),
            "probabilities": {name: path.resolve() for name, path in self.probabilities.items()},
            "volumes_ml": result.volumes_ml if result.label_map.spacing_known else dict.fromkeys(result.volumes_ml),
            "measurements": [row.as_mapping() for row in result.measurements],
            "warnings": result.warnings,
            "measured": result.measured,
            "quality": result.quality.as_mapping(),
            "synthesised": result.label_map.synthesised,
        }


def probability_files(folder: Path | None, bundle: Bundle) -> dict[str, Path]:
    """A file a region in ``folder``; none without a folder."""
    return {region.name: folder / f"{region.name}.nii.gz" for region in bundle.regions} if folder else {}


def write_report(path: Path, title: str, images: Mapping[str, Image], result: Result, bundle: Bundle) -> None:
    """The HTML report of one segmentation."""
    from MedSegEffNetLib.measures import map_all
    from MedSegEffNetLib.models.card import excerpt
    from MedSegEffNetLib.report import write_segmentation_report
    from MedSegEffNetLib.task import list_tasks

    task = list_tasks().get(bundle.task_id)
    titles = {channel.name: channel.title for channel in bundle.channels}
    write_segmentation_report(
        path,
        title=title,
        channels={titles[name]: image for name, image in images.items()},
        label_map=result.label_map,
        labels=bundle.labels,
        regions=bundle.regions,
        volumes_ml=result.volumes_ml,
        measurements={row.name: row.text for row in result.measurements},
        maps=map_all(getattr(task, "measures", ()), result.label_map, bundle.labels),
        model=f"{bundle.name} {bundle.version}",
        card=excerpt(bundle.card),
        warnings=[text for text in result.warnings if text not in result.quality.reasons],
        doubts=result.quality.reasons,
        shown_on=titles.get(getattr(task, "shown_on", ""), ""),
        shown_window=getattr(task, "shown_window", None),
        measured=result.measured,
    )


def volume_table(result: Result, bundle: Bundle) -> str:
    """The volume of each label, in mL, or in voxels where the spacing is not known."""
    from MedSegEffNetLib.image import count_values
    from MedSegEffNetLib.terminal import table

    counts = count_values(result.label_map.array)
    known = result.label_map.spacing_known
    rows = [
        [
            str(label.value),
            label.name,
            str(counts.get(label.value, 0)),
            f"{result.volumes_ml[label.name]:.2f}" if known else "unknown",
        ]
        for label in bundle.labels
    ]
    return table(rows, ["value", "label", "voxels", "mL"])
