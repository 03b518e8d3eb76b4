"""Label maps of all time points as a sequence of segmentations."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import slicer
from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import Label
from MedSegEffNetPanel.bridge.images import new_image
from MedSegEffNetPanel.bridge.label_maps import LabelMap
from MedSegEffNetPanel.bridge.made import fingerprints
from MedSegEffNetPanel.bridge.segments import fill, place_of
from MedSegEffNetPanel.bridge.sequences import browser_of, sequence_item, sequence_length, sequence_of
from MedSegEffNetPanel.bridge.transforms import to_world
from MedSegEffNetPanel.bridge.tree import check_in_scene, put_beside
from MedSegEffNetPanel.bridge.volumes import grid_of, picture


def put_segment_sequence(
    reference: Any, label_maps: Sequence[LabelMap], labels: Sequence[Label]
) -> Generator[None, None, Any]:
    """Make a sequence with a segmentation for each volume in the sequence of ``reference``; gives its node.

    It is called "<sequence> segmentation" and has the time points of the volumes. Where a browser shows these, it shows
    the segmentations in step with them. The scene is changed at the end: a canceled work leaves it as it was.

    Parameters
    ----------
    reference : volume node that shows a sequence, or the sequence. label_maps : one for each of its volumes, in order.

    Raises
    ------
    InputError
        There are not as many label maps as volumes, or ``reference`` was removed from the scene meanwhile.
    """
    volumes = sequence_of(reference)
    if len(label_maps) != sequence_length(volumes):
        raise InputError(
            _("there are {found} label maps").format(found=len(label_maps)),
            expected=_("{count}: one for each volume of the sequence").format(count=sequence_length(volumes)),
        )
    made = slicer.vtkMRMLSequenceNode()
    made.SetIndexName(volumes.GetIndexName())
    made.SetIndexUnit(volumes.GetIndexUnit())
    made.SetIndexType(volumes.GetIndexType())
    world = to_world(reference)
    values = [label.value for label in labels]
    for number, label_map in enumerate(label_maps):
        volume = sequence_item(volumes, number)
        place = place_of(label_map, grid_of(picture(volume), world))
        image = yield from new_image(label_map.values, place, label_map.first, slicer.vtkOrientedImageData)
        segmentation = slicer.vtkMRMLSegmentationNode()
        segmentation.SetName(_("{volume} segmentation").format(volume=volume.GetName()))
        fill(segmentation, image, volume, labels, (yield from fingerprints(label_map, values)))
        made.SetDataNodeAtValue(segmentation, volumes.GetNthIndexValue(number))
        yield
    check_in_scene(reference)
    return _shown(made, volumes, reference)


def _shown(made: Any, volumes: Any, reference: Any) -> Any:
    """Add the sequence to the scene and to the browser of the volumes."""
    made.SetName(slicer.mrmlScene.GenerateUniqueName(_("{volume} segmentation").format(volume=volumes.GetName())))
    slicer.mrmlScene.AddNode(made)
    browser = browser_of(reference)
    if browser is None:
        return made
    browser.AddSynchronizedSequenceNode(made)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    shown = browser.GetProxyNode(made)
    shown.SetName(slicer.mrmlScene.GenerateUniqueName(_("{volume} segmentation").format(volume=reference.GetName())))
    shown.CreateDefaultDisplayNodes()
    shown.SetNodeReferenceID(shown.GetReferenceImageGeometryReferenceRole(), reference.GetID())
    put_beside(shown, reference)
    return made
