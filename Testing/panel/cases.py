"""Cases in the scene: the synthetic patient, a real one, and what stands beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SPACING = (1.0, 1.0, 5.0)
SHIPPED_MODEL = Path(__file__).resolve().parents[2] / "Resources" / "Models" / "tumor-slices-unet"
PATIENCE = 90  # s for one segmentation on a busy computer


def add_volume(name, array, ijk_to_ras=None):
    """A scalar volume node of (K, J, I) voxels."""
    import slicer
    import vtk

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, array)
    if ijk_to_ras is not None:
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy(np.asarray(ijk_to_ras, dtype=float).ravel().tolist())
        node.SetIJKToRASMatrix(matrix)
    node.CreateDefaultDisplayNodes()
    return node


def add_color_volume(name, array, ijk_to_ras):
    """A vector volume node of (K, J, I, component) voxels."""
    import slicer
    import vtk

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, array)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(ijk_to_ras, dtype=float).ravel().tolist())
    node.SetIJKToRASMatrix(matrix)
    return node


def synthetic_images():
    """The synthetic patient's images by channel, (K, J, I), and their matrix from voxels to RAS."""
    from MedSegEffNetLib.synthetic.brain_patient import make_patient

    images = make_patient().images
    arrays = {channel: np.ascontiguousarray(image.array.T) for channel, image in images.items()}
    return arrays, next(iter(images.values())).affine


def add_synthetic_patient(channels=("t1", "flair", "t1ce"), ijk_to_ras=None, names="patient_{}"):
    """Volume nodes of the synthetic patient by channel."""
    arrays, affine = synthetic_images()
    place = affine if ijk_to_ras is None else ijk_to_ras
    return {channel: add_volume(names.format(channel), arrays[channel], place) for channel in channels}


def real_patient(shared_data, number=0):
    """Images by channel and the mask of a patient of the validation set, all (K, J, I), and a matrix to RAS."""
    from MedSegEffNetLib.dataset.readers import slice_images
    from MedSegEffNetLib.task import list_tasks

    cases = slice_images.read(shared_data / "lgg", list_tasks()["tumor-slices"])
    images, mask = [case for case in cases if case.split == "val"][number].load()
    arrays = {channel: np.ascontiguousarray(image.array.T) for channel, image in images.items()}
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    return arrays, np.ascontiguousarray(mask.array.T), affine


def segment_array(segmentation, number=0, reference=None):
    """The voxels of a segment on the grid of a volume, (K, J, I)."""
    import slicer

    segment_id = segmentation.GetSegmentation().GetNthSegmentID(number)
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, reference)


def dice(one, other):
    """Overlap of two masks, 0 to 1."""
    one, other = one > 0, other > 0
    return 2 * np.count_nonzero(one & other) / max(1, np.count_nonzero(one) + np.count_nonzero(other))


def write_case(folder: Path, channels=("t1", "flair", "t1ce")) -> Path:
    """A case's folder with NIfTI files of the synthetic patient."""
    from MedSegEffNetLib.image import write
    from MedSegEffNetLib.synthetic.brain_patient import make_patient

    folder.mkdir(parents=True)
    images = make_patient().images
    for channel in channels:
        write(folder / f"{folder.name}_{channel}.nii.gz", images[channel])
    return folder


def count(scene, kind="vtkMRMLSegmentationNode"):
    """How many nodes of a class the scene has."""
    return scene.GetNumberOfNodesByClass(kind)


def segmentations(scene):
    """The segmentation nodes of the scene."""
    return [scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode") for n in range(count(scene))]


def is_running(run):
    """Whether the process of a run is still there."""
    from MedSegEffNetLib.job import running_process

    return running_process(run.folder) is not None
