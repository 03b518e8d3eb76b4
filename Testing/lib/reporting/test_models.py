"""The page of two models compared."""

import re

import numpy as np

from MedSegEffNetLib.image import Image
from MedSegEffNetLib.reporting.models import draw_loss, pairs
from MedSegEffNetLib.task import get_segmentation_task


def test_the_chart_has_a_row_a_case_and_says_who_lost():
    chart = pairs([("lost <1>", 0.9, 0.7), ("won", 0.5, 0.8)], "Dice")
    assert chart.count("<g>") == 2
    assert "lost &lt;1&gt;: 0.900 to 0.700 (-0.200)" in chart
    assert chart.count("--bad-line") == 2 + 1 + 2, "key, line and dot of the one that lost"
    assert "+0.300" in chart
    assert pairs([], "Dice") == ""


def test_many_cases_are_drawn_without_names_and_equal_values_do_not_matter():
    chart = pairs([(f"case-{n}", 0.5, 0.5) for n in range(100)], "Dice")
    assert "case-7:" in chart
    assert ">case-7<" not in chart
    assert "nan" not in chart


def test_the_slice_that_lost_most_is_drawn_thrice():
    task = get_segmentation_task("tumor-slices")
    true, old, new = (np.zeros((20, 20, 5), np.uint8) for _ in range(3))
    true[4:14, 4:14, 1] = old[4:14, 4:14, 1] = new[4:14, 4:14, 1] = 1
    true[6:9, 6:9, 3] = old[6:9, 6:9, 3] = 1
    affine = np.diag([-1.0, -1.0, 5.0, 1.0])
    image = Image(np.random.default_rng(0).random((20, 20, 5)).astype(np.float32), affine)
    maps = {name: Image(array, affine) for name, array in (("true", true), ("old", old), ("new", new))}
    loss = draw_loss("p1", "tumor", 0.9, 0.8, {"FLAIR": image}, maps, task)
    assert [picture.caption.split(" · ")[0] for picture in loss.pictures] == ["Truth", "Old model", "New model"]
    assert all(re.search("slice 4 of 5", picture.caption) for picture in loss.pictures)
    assert len({picture.data for picture in loss.pictures}) == 2, "truth and old are alike there"
