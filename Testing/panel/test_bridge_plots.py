"""Curves in plot views: nodes that are rewritten in place, and a layout that comes and goes."""

import numpy as np
import pytest

BLUE, RED = (0.0, 0.3, 0.8), (0.8, 0.2, 0.1)


@pytest.fixture
def plots(scene):
    from MedSegEffNetPanel.bridge.plots import Look, Plots

    plots = Plots("Test", "Epoch", {"Loss": Look("Loss", "loss"), "Dice": Look("Dice", "Dice", (0.0, 1.0))})
    yield plots
    plots.leave()
    plots.remove()


def lines(count, *names, chart="Loss"):
    from MedSegEffNetPanel.bridge.plots import Line

    return [Line(chart, name, f"the {name}", np.arange(count) / 2, RED, dashed=name == "val") for name in names]


def draw(plots, count, *names):
    plots.draw(np.arange(count, dtype=float), [*lines(count, *names), *lines(count, "dice", chart="Dice")])


def kinds(scene):
    """How many tables, charts and series the scene has."""
    return [scene.GetNumberOfNodesByClass(f"vtkMRML{kind}Node") for kind in ("Table", "PlotChart", "PlotSeries")]


def test_curves_are_rewritten_in_place_and_the_scene_keeps_its_nodes(plots, scene):
    draw(plots, 1, "train", "val")
    before = [(node.GetID(), node.GetMTime()) for node in plots.nodes]
    assert kinds(scene) == [1, 2, 3]
    for count in range(2, 50):
        draw(plots, count, "train", "val")
    assert [node.GetID() for node in plots.nodes] == [name for name, _ in before]
    assert kinds(scene) == [1, 2, 3]
    table = plots.nodes[0]
    assert (table.GetNumberOfRows(), table.GetNumberOfColumns()) == (49, 4)
    assert table.GetTable().GetValueByName(48, "val").ToDouble() == 24.0


def test_nodes_are_hidden_from_editors_and_are_not_saved(plots, scene):
    draw(plots, 3, "train")
    assert all(node.GetHideFromEditors() and not node.GetSaveWithScene() for node in plots.nodes)


def test_other_curves_take_the_place_of_those_before(plots, scene):
    draw(plots, 3, "train", "val")
    draw(plots, 5, "val", "other")
    assert kinds(scene) == [1, 2, 3]
    loss = next(node for node in plots.nodes if node.GetName() == "Loss")
    assert [loss.GetNthPlotSeriesNode(n).GetName() for n in range(loss.GetNumberOfPlotSeriesNodes())] == [
        "the val",
        "the other",
    ]
    assert plots.nodes[0].GetNumberOfColumns() == 4
    plots.draw(np.zeros(0), [])
    assert kinds(scene) == [1, 2, 0]


def test_the_plot_views_show_what_was_drawn_last(plots, slicer_app):
    import slicer

    manager = slicer_app.layoutManager()
    before = manager.layout
    draw(plots, 3, "train")
    plots.show()
    plots.show()
    assert plots.shown
    assert manager.plotViewCount == 2
    charts = [manager.plotWidget(place).mrmlPlotViewNode().GetPlotChartNode().GetTitle() for place in range(2)]
    assert charts == ["Loss", "Dice"]
    view = manager.plotWidget(0).plotView()
    assert list(view.lines()) == ["the train"]
    assert view.lines()["the train"].shape == (3, 2)
    draw(plots, 7, "train")
    assert view.lines()["the train"].shape == (7, 2)
    plots.leave()
    assert manager.layout == before
    assert slicer.app.layoutManager().plotViewCount == 0


def test_a_layout_that_the_user_chose_meanwhile_stays(plots, slicer_app):
    import slicer

    manager = slicer_app.layoutManager()
    before = manager.layout
    plots.show()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    plots.leave()
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    manager.setLayout(before)


def test_nodes_that_somebody_deleted_are_made_again(plots, scene):
    from harness import mrml

    draw(plots, 3, "train")
    scene.RemoveNode(plots.nodes[-1])
    draw(plots, 4, "train")
    assert kinds(scene) == [1, 2, 2]
    mrml.clear(scene)
    assert plots.nodes == []
    draw(plots, 5, "train")
    assert kinds(scene) == [1, 2, 2]
    plots.remove()
    assert kinds(scene) == [0, 0, 0]


def test_a_view_that_is_open_shows_charts_that_are_made_later(plots, slicer_app):
    plots.show()
    draw(plots, 4, "train")
    assert list(slicer_app.layoutManager().plotWidget(1).plotView().lines()) == ["the dice"]


def test_values_that_are_missing_leave_a_gap(plots, slicer_app, rendering):
    from MedSegEffNetPanel.bridge.plots import Line

    values = np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    plots.draw(np.arange(5.0), [Line("Loss", "a", "A", values, BLUE)])
    plots.show()
    image = slicer_app.layoutManager().plotWidget(0).plotView().picture(300, 200)
    blue = sum(
        image.pixelColor(x, y).blue() > image.pixelColor(x, y).red() + 60 for x in range(300) for y in range(200)
    )
    assert 50 < blue < 3000


def test_ten_thousand_rows_are_written_at_once(plots, window_lives):
    draw(plots, 10_000, "train", "val")
    window_lives(lambda: draw(plots, 10_001, "train", "val"))
