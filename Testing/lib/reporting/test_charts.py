import math
import re

import pytest

from MedSegEffNetLib.reporting import charts


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, (0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (-0.7, 0.2, (-0.8, -0.6, -0.4, -0.2, 0.0, 0.2)),
        (0.0, 0.0, (0, 0.2, 0.4, 0.6, 0.8, 1.0)),
    ],
)
def test_ticks_are_round_and_enclose_the_values(low, high, ticks):
    assert charts.ticks_between(low, high) == pytest.approx(ticks)


def test_ticks_of_values_that_hardly_differ_are_not_finer_than_a_thousandth():
    ticks = charts.ticks_between(0.98343, 0.983431)
    assert ticks[0] <= 0.98343 < 0.983431 <= ticks[-1]
    assert ticks[-1] - ticks[0] >= 0.98e-3


def test_a_value_that_never_changes_is_shown_beside_zero_with_short_numbers():
    assert charts.ticks_between(0.001, 0.001) == pytest.approx((0, 0.0002, 0.0004, 0.0006, 0.0008, 0.001))
    assert charts.ticks_between(-2, -2)[-1] == 0
    assert charts.ticks_between(0, 0)[-1] == 1


def test_curves_break_at_gaps_and_lie_within_the_frame():
    curve = charts.Curve("validation", [(1, 0.1), (2, 0.5), (3, math.nan), (4, 0.2)])
    svg = charts.lines([curve, charts.Curve("training <x>", [(1, 1.0)], main=False)], "Loss", "Epoch", mark=(2, "best"))
    assert svg.count("<polyline") == 3
    assert svg.count("<circle") == 4
    assert "training &lt;x&gt;" in svg
    heights = [float(y) for points in re.findall(r'points="([^"]+)"', svg) for y in re.findall(r",([\d.]+)", points)]
    assert 44 <= min(heights) <= max(heights) <= 250
    assert "nan" not in svg


def test_powers_of_ten_are_as_far_apart_as_each_other():
    svg = charts.lines([charts.Curve("rate", [(1, 1e-2), (2, 1e-3), (3, 1e-4)])], "Rate", "Epoch", log=True)
    first, second, third = [float(y) for y in re.findall(r",([\d.]+)", re.search(r'points="([^"]+)"', svg)[1])]
    assert second - first == pytest.approx(third - second)


def test_nothing_to_draw_is_no_chart():
    assert charts.lines([charts.Curve("validation", [(1, math.nan)])], "Loss", "Epoch") == ""
    one = charts.lines([charts.Curve("validation", [(1, 0.5)])], "Loss", "Epoch")
    assert one.count("<circle") == 1
