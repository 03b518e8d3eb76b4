"""Pictures of values at each voxel, and of the borders of layers."""

import numpy as np
import pytest

from MedSegEffNetLib.image import Image
from MedSegEffNetLib.measures import Map
from MedSegEffNetLib.report import write_segmentation_report
from MedSegEffNetLib.reporting import maps, pictures
from MedSegEffNetLib.task import get_segmentation_task

LABELS = get_segmentation_task("skin-layers").labels
# Rows of the file run to the left, to posterior and upward: the picture shows them as they are.
AS_SEEN = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture
def layers():
    """A picture of 60 × 40 pixels with four level layers, a value for the two in the middle, and their scene."""
    array = np.zeros((60, 40, 1), dtype=np.uint8)
    for value, start in enumerate((5, 13, 21, 29), start=1):
        array[:, start:] = value
    label_map = Image(array, AS_SEEN)
    values = np.select([array == 2, array == 3], [1.0, 2.0], np.nan).astype(np.float32)
    image = label_map.with_array((100 + 10 * array + np.arange(60)[:, None, None] % 7).astype(np.float32))
    return image, label_map, Map("thickness", values, "mm")


def test_borders_are_drawn_between_labels_and_nowhere_else(layers):
    image, label_map, one = layers
    scene = pictures.make_scene({"T2": image}, {"labels": label_map})
    view, index, _ = maps.slice_of(scene, label_map, one)
    plain = np.asarray(pictures.draw(scene, "T2", view, index, size=600)).astype(int)
    drawn = np.asarray(maps.draw_borders(scene, "T2", view, index, size=600)).astype(int)
    rows = np.flatnonzero((drawn != plain).any(axis=2).mean(axis=1) > 0.5)
    assert np.ptp(np.split(rows, np.flatnonzero(np.diff(rows) > 20) + 1)[0]) < 3
    assert rows / 10 == pytest.approx(np.repeat((5, 13, 21, 29), len(rows) // 4), abs=0.4)


def test_a_map_is_drawn_in_color_where_it_has_values_with_its_scale_below(layers):
    image, label_map, one = layers
    scene = pictures.make_scene({"T2": image}, {"labels": label_map})
    view, index, values = maps.slice_of(scene, label_map, one)
    plain = np.asarray(pictures.draw(scene, "T2", view, index, size=600)).astype(int)
    drawn = np.asarray(maps.draw_map(scene, "T2", view, index, values, "mm", size=600)).astype(int)
    assert drawn.shape[0] > plain.shape[0]
    changed = (drawn[: len(plain)] != plain).any(axis=2)
    assert changed[150:280, 100:500].all()
    assert not changed[310:380, 100:500].any()
    thin, thick = drawn[170, 300], drawn[250, 300]
    assert thin[2] > thin[0]
    assert thick[0] > thick[2]


def test_a_report_shows_borders_and_map_and_none_where_nothing_was_measured(tmp_path, layers):
    image, label_map, one = layers
    for name, found in (("with", one), ("without", Map("thickness", np.full(label_map.shape, np.nan), "mm"))):
        write_segmentation_report(
            tmp_path / f"{name}.html", title=name, channels={"T2": image}, label_map=label_map, labels=LABELS,
            volumes_ml=dict.fromkeys([label.name for label in LABELS], 1.0), maps=[found],
        )  # fmt: skip
    assert "Thickness in mm" in (tmp_path / "with.html").read_text(encoding="utf-8")
    assert {path.name for path in (tmp_path / "with_pictures").glob("*thickness*")} == {
        "borders-thickness.png",
        "map-thickness.png",
    }
    assert "Thickness in mm" not in (tmp_path / "without.html").read_text(encoding="utf-8")
