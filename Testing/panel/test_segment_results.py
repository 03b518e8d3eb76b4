"""The result's buttons and rows, clicked."""

from __future__ import annotations

import pytest

from cases import add_synthetic_patient, count, segmentations


@pytest.fixture
def done(section, apply):
    """The section after a segmentation of one volume."""
    add_synthetic_patient(["flair"])
    assert apply().result is not None, section.run.text
    return section


def test_show_3d_makes_a_surface_and_takes_it_away(done, scene, wait_until):
    segments = segmentations(scene)[0].GetSegmentation()
    done.ui.show3DButton.click()
    assert wait_until(lambda: segments.ContainsRepresentation("Closed surface"), 20)
    done.ui.show3DButton.click()
    assert not segments.ContainsRepresentation("Closed surface")


def test_contours_only_takes_the_filling_away(done, scene):
    display = segmentations(scene)[0].GetDisplayNode()
    done.ui.contourButton.click()
    assert not display.GetVisibility2DFill()
    assert display.GetVisibility2DOutline()
    done.ui.contourButton.click()
    assert display.GetVisibility2DFill()


def test_uncertainty_is_laid_over_the_slices_and_taken_away(done, scene, wait_until):
    view = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    volumes = count(scene, "vtkMRMLScalarVolumeNode")
    done.ui.uncertaintyButton.click()
    assert wait_until(lambda: view.GetForegroundVolumeID(), 20)
    shown = scene.GetNodeByID(view.GetForegroundVolumeID())
    assert shown.GetName().endswith("uncertainty")
    assert 0 < shown.GetImageData().GetScalarRange()[1] <= 1
    done.ui.uncertaintyButton.click()
    assert view.GetForegroundVolumeID() is None
    assert count(scene, "vtkMRMLScalarVolumeNode") == volumes


def test_the_report_is_opened_and_bears_the_volumes_name(done, monkeypatch):
    import qt

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    done.ui.reportButton.click()
    [path] = opened
    with open(path, encoding="utf-8") as page:
        assert "patient_flair" in page.read()


def test_a_click_on_a_row_goes_to_its_segment(done, scene, wait_until):
    node = scene.GetFirstNodeByClass("vtkMRMLSliceNode")
    wait_until(lambda: False, 0.3)
    place = node.GetSliceOffset()
    node.SetSliceOffset(place + 40)
    done.ui.resultTable.cellClicked(0, 1)
    assert wait_until(lambda: abs(node.GetSliceOffset() - place) < 1, 5)
