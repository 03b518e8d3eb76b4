"""MedSegEffNet in 3D Slicer: the module, its panel and its self test."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

_CHECKOUT = Path(__file__).resolve().parents[1]
if (_CHECKOUT / "MedSegEffNetLib").is_dir() and str(_CHECKOUT) not in sys.path:
    sys.path.append(str(_CHECKOUT))  # a packaged extension has the library beside this file


class MedSegEffNet(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent) -> None:
        super().__init__(parent)
        parent.title = _("MedSegEffNet")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "Sequences", "SubjectHierarchy", "Volumes"]
        parent.contributors = ["MedSegEffNet developers"]
        parent.helpText = _(
            "Segments medical images with small, fast networks in the background. Research only: not for clinical use."
        )
        parent.acknowledgementText = _(
            "Built on EfficientNet (Tan and Le, 2019), U-Net (Ronneberger et al., 2015), OpenVINO and PyTorch. "
            "Each model's card names its data, their licence and the works to cite."
        )
        if hasattr(slicer.modules, "sampledata"):  # also where this module is added after the start
            register_sample_data()
        else:
            slicer.app.connect("startupCompleted()", register_sample_data)


class MedSegEffNetWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Hosts the panel and tells it of the module's and the scene's life."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.panel: Any = None  # a Panel, from setup on
        self.logic = MedSegEffNetLogic()  # slicer.util.getModuleLogic looks for it here

    def setup(self) -> None:
        """Build the panel; nothing heavy is imported or started."""
        ScriptedLoadableModuleWidget.setup(self)
        from MedSegEffNetPanel.panel import Panel

        self.panel = Panel(self.layout, Path(self.resourcePath("UI")).parent)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_closing)
        self.addObserver(scene, scene.EndCloseEvent, self._on_scene_closed)
        self.addObserver(scene, scene.EndImportEvent, self._on_scene_closed)

    def enter(self) -> None:
        """The user opens the module."""
        self.panel.enter()

    def exit(self) -> None:
        """The user opens another module."""
        self.panel.leave()

    def cleanup(self) -> None:
        """Slicer ends, or the module is reloaded."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.cleanup()

    def _on_scene_closing(self, caller, event) -> None:
        self.panel.scene_closing()

    def _on_scene_closed(self, caller, event) -> None:
        self.panel.scene_closed()


class MedSegEffNetLogic(ScriptedLoadableModuleLogic):
    """For scripts: segments volumes without the panel.

    ::

        logic = slicer.util.getModuleLogic("MedSegEffNet")
        segmentation = logic.segment("tumor-slices", {"flair": flair_node})
    """

    def segment(self, model: str, channels: dict, **options):
        """Segment ``channels`` (channel name to volume node) and wait; gives the segmentation node.

        See :func:`MedSegEffNetPanel.headless.segment` for the options and errors.
        """
        from MedSegEffNetPanel.headless import segment

        return segment(model, channels, **options)


class MedSegEffNetTest(ScriptedLoadableModuleTest):
    """The main scenario in a running Slicer: sample patient, Apply, segments on the patient's grid."""

    def setUp(self) -> None:
        """Begin with an empty scene; where nothing is installed that computes there is nothing to test."""
        from MedSegEffNetPanel.environment import Environment
        from MedSegEffNetPanel.settings import Settings

        status = Environment(Settings()).status()
        if not status.ready:
            self.skipTest(f"{status.text} {status.hint_elsewhere}")
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run all tests, as "Reload and Test" does."""
        for test in (self.test_a_script_segments_the_sample_patient, self.test_the_panel_segments_the_sample_patient):
            self.setUp()
            test()

    def test_a_script_segments_the_sample_patient(self) -> None:
        """The logic gives a segmentation that is not empty."""
        segmentation = MedSegEffNetLogic().segment("tumor-slices", load_sample_patient())
        self.check(segmentation)

    def test_the_panel_segments_the_sample_patient(self) -> None:
        """The panel fills in the channels by itself; one click segments."""
        load_sample_patient()
        slicer.util.selectModule("MedSegEffNet")
        section = slicer.modules.medsegeffnet.widgetRepresentation().self().panel.section("segment")
        section.models.choose_task("tumor-slices")
        section.inputs.fill()
        section.ui.applyButton.click()
        end = time.monotonic() + 120
        while not section.run.over and time.monotonic() < end:
            slicer.app.processEvents()
            time.sleep(0.01)
        self.assertIsNotNone(section.run.result, section.run.text)
        self.check(slicer.mrmlScene.GetNodeByID(section.run.result.segmentation_id))

    def check(self, segmentation) -> None:
        """The tumor of the sample patient was found."""
        names = segmentation.GetSegmentation().GetSegmentIDs()
        self.assertEqual(len(names), 1)
        voxels = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, names[0])
        self.assertGreater(int((voxels > 0).sum()), 500)


def load_sample_patient() -> dict:
    """Make the synthetic patient and load it; its volume nodes by channel name."""
    from MedSegEffNetPanel.sample_data import make_and_load

    return {node.GetName().rpartition("_")[2]: node for node in make_and_load()}


def register_sample_data() -> None:
    """Offer the synthetic patient in the module Sample Data."""
    from MedSegEffNetPanel.sample_data import register

    register()
