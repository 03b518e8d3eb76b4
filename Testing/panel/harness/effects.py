"""The effects of the segment editor: their parameters, and some of what they do, on the real logic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from harness.generated import behaves, class_of, generated


def array_of(image: Any) -> Any:
    """The voxels of an image (K, J, I), not copied."""
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


@behaves
class qSlicerSegmentEditorAbstractEffect(generated("qSlicerSegmentEditorAbstractEffect")):  # type: ignore[misc]
    """What all effects have: parameters in the editor's node, and images from the editor's logic.

    A parameter that is not there, or that is no number, is an error here; Slicer only prints a message.
    """

    _default_perSegment = True
    _default_requireSegments = True

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._editor: Any = None
        self._is_active = False
        self._defaults: dict[str, str] = {}

    def belong(self, editor: Any, known: Known) -> None:
        """Become the effect ``known`` of a segment editor."""
        self._editor, self._defaults = editor, known.defaults
        self.setProperty("name", known.name)
        self.setProperty("title", known.name)
        self.setProperty("perSegment", known.per_segment)

    def activate(self) -> None:
        """Begin."""
        self._is_active = True

    def deactivate(self) -> None:
        """End."""
        self._is_active = False

    def active(self) -> bool:
        """Whether it is the editor's active effect."""
        return self._is_active

    # parameters

    def parameterSetNode(self) -> Any:
        """The node of the editor."""
        return self._node

    def setParameterSetNode(self, node: Any) -> None:
        """Keep the parameters in another node; those that it does not have get their defaults."""
        self._node = node
        for name, value in self._defaults.items():
            self.setParameterDefault(name, value)

    def parameter(self, name: str) -> str:
        """A parameter of the effect, or else one that effects share."""
        if self._node is None:
            return ""
        value = self._node.GetAttribute(f"{self.name}.{name}") or self._node.GetAttribute(name)
        if value is None:
            raise ValueError(f"the effect {self.name} has no parameter {name!r}")
        return value

    def integerParameter(self, name: str) -> int:
        """A parameter as a whole number."""
        return int(self.parameter(name) or 0)

    def doubleParameter(self, name: str) -> float:
        """A parameter as a number."""
        return float(self.parameter(name) or 0)

    def setParameter(self, name: str, value: Any) -> None:
        """Set a parameter of the effect."""
        self.setCommonParameter(f"{self.name}.{name}", value)

    def setCommonParameter(self, name: str, value: Any) -> None:
        """Set a parameter that effects share."""
        if self._node is None:
            raise RuntimeError(f"the effect {self.name} has no node for its parameter {name!r}")
        text = _text(value)
        if self._node.GetAttribute(name) != text:
            self._node.SetAttribute(name, text)
            self._node.InvokeCustomModifiedEvent(self._node.EffectParameterModified)

    def setParameterDefault(self, name: str, value: Any) -> None:
        """Set a parameter of the effect that is not set."""
        if not self.parameterDefined(name):
            self.setParameter(name, value)

    def setCommonParameterDefault(self, name: str, value: Any) -> None:
        """Set a parameter that effects share and that is not set."""
        if not self.commonParameterDefined(name):
            self.setCommonParameter(name, value)

    def parameterDefined(self, name: str) -> bool:
        """Whether a parameter of the effect is set."""
        return self.commonParameterDefined(f"{self.name}.{name}")

    def commonParameterDefined(self, name: str) -> bool:
        """Whether a parameter that effects share is set."""
        return self._node is not None and self._node.GetAttribute(name) is not None

    # images

    def scene(self) -> Any:
        """The scene of the node."""
        return self._node.GetScene()

    def defaultModifierLabelmap(self) -> Any:
        """An empty image to paint into, on the voxels of the segmentation."""
        logic = self._editor.editor_logic()
        return logic.GetModifierLabelmap() if logic.ResetModifierLabelmapToDefault() else None

    def modifierLabelmap(self) -> Any:
        """The image to paint into, as it is."""
        return self._editor.editor_logic().GetModifierLabelmap()

    def sourceVolumeImageData(self) -> Any:
        """The source volume on the voxels of the segmentation."""
        logic = self._editor.editor_logic()
        return logic.GetAlignedSourceVolume() if logic.UpdateAlignedSourceVolume() else None

    masterVolumeImageData = sourceVolumeImageData

    def selectedSegmentLabelmap(self) -> Any:
        """The current segment."""
        logic = self._editor.editor_logic()
        return logic.GetSelectedSegmentLabelmap() if logic.UpdateSelectedSegmentLabelmap() else None

    def maskLabelmap(self) -> Any:
        """Where other segments forbid to edit."""
        logic = self._editor.editor_logic()
        return logic.GetMaskLabelmap() if logic.UpdateMaskLabelmap() else None

    def referenceGeometryImage(self) -> Any:
        """The voxels of the segmentation, without values."""
        logic = self._editor.editor_logic()
        return logic.GetReferenceGeometryImage() if logic.UpdateReferenceGeometryImage() else None

    # changes

    def saveStateForUndo(self) -> None:
        """Let the editor remember the segmentation."""
        self._editor.saveStateForUndo()

    def selectEffect(self, name: str) -> None:
        """Activate another effect, or none."""
        self._editor.setActiveEffectByName(name)

    def modifySelectedSegmentByLabelmap(self, labelmap: Any, mode: Any, *options: Any) -> None:
        """Change the current segment; ``options``: the extent, whether to ignore the masks."""
        node = self._node.GetSegmentationNode()
        self.modifySegmentByLabelmap(node, self._node.GetSelectedSegmentID(), labelmap, mode, *options)

    def modifySegmentByLabelmap(self, node: Any, segment_id: str, labelmap: Any, mode: Any, *options: Any) -> None:
        """Change a segment as the masks and the overwrite mode of the editor allow."""
        extent = next((list(one) for one in options if not isinstance(one, bool)), None)
        bypass = any(one for one in options if isinstance(one, bool))
        logic = self._editor.editor_logic()
        given = (labelmap, getattr(logic, mode.name), *([extent] if extent else []), self.perSegment, bypass)
        logic.ModifySegmentByLabelmap(node, segment_id, *given)


def _text(value: Any) -> str:
    """As ``QString::number`` writes numbers."""
    return f"{value:g}" if isinstance(value, float) else str(int(value)) if isinstance(value, bool) else str(value)


class _Scripted:
    """The part of an effect that is written in Python: what ``effect.self()`` gives."""

    def __init__(self, effect: Any) -> None:
        self.scriptedEffect = effect

    def onApply(self) -> None:
        """Do what the effect does, as one step of the undo."""
        effect = self.scriptedEffect
        if effect.name not in _APPLY:
            raise NotImplementedError(f"the segment editor of the tests cannot apply the effect {effect.name}")
        effect.saveStateForUndo()
        _APPLY[effect.name](effect)


class _WithSelf:
    def self(self) -> Any:
        """The part in Python."""
        if not hasattr(self, "_python"):
            self._python = _Scripted(self)
        return self._python


@behaves
class qSlicerSegmentEditorScriptedEffect(_WithSelf, generated("qSlicerSegmentEditorScriptedEffect")):  # type: ignore[misc]
    """An effect written in Python."""


@behaves
class qSlicerSegmentEditorScriptedLabelEffect(_WithSelf, generated("qSlicerSegmentEditorScriptedLabelEffect")):  # type: ignore[misc]
    """An effect written in Python that draws."""


@behaves
class qSlicerSegmentEditorScissorsEffect(generated("qSlicerSegmentEditorScissorsEffect")):  # type: ignore[misc]
    """Scissors."""

    def deactivate(self) -> None:
        """End, as other effects do."""
        qSlicerSegmentEditorAbstractEffect.deactivate(self)


def _threshold(effect: Any) -> None:
    lowest, highest = effect.doubleParameter("MinimumThreshold"), effect.doubleParameter("MaximumThreshold")
    source, modifier = array_of(effect.sourceVolumeImageData()), effect.defaultModifierLabelmap()
    array_of(modifier)[:] = (source >= lowest) & (source <= highest)
    _replace(effect, modifier)
    effect.selectEffect("")


def _smooth(effect: Any) -> None:
    if effect.parameter("SmoothingMethod") != "MEDIAN":
        raise NotImplementedError(f"no smoothing {effect.parameter('SmoothingMethod')} in the tests, only MEDIAN")
    segment, size = effect.selectedSegmentLabelmap(), effect.doubleParameter("KernelSizeMm")
    median = vtk.vtkImageMedian3D()
    median.SetKernelSize(*(round((size / one + 1) / 2) * 2 - 1 for one in segment.GetSpacing()))
    _replace(effect, _filtered(segment, median))


def _islands(effect: Any) -> None:
    connected = vtk.vtkImageConnectivityFilter()
    connected.SetScalarRange(1, 255)
    operation = effect.parameter("Operation")
    if operation == "KEEP_LARGEST_ISLAND":
        connected.SetExtractionModeToLargestRegion()
    elif operation == "REMOVE_SMALL_ISLANDS":
        connected.SetExtractionModeToAllRegions()
        connected.SetSizeRange(effect.integerParameter("MinimumSize"), vtk.VTK_INT_MAX)
    else:
        raise NotImplementedError(f"no operation {operation} on islands in the tests")
    connected.SetLabelModeToConstantValue()
    connected.SetLabelConstantValue(1)
    _replace(effect, _filtered(effect.selectedSegmentLabelmap(), connected))


_APPLY: dict[str, Callable[[Any], None]] = {"Threshold": _threshold, "Smoothing": _smooth, "Islands": _islands}


def _replace(effect: Any, image: Any) -> None:
    image.Modified()
    effect.modifySelectedSegmentByLabelmap(image, effect.ModificationModeSet)


def _filtered(image: Any, step: Any) -> Any:
    """The result of a filter of VTK on an image's voxels; VTK knows nothing of how they lie in the world."""
    place = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(place)
    plain = slicer.vtkOrientedImageData()
    plain.ShallowCopy(image)
    plain.SetGeometryFromImageToWorldMatrix(vtk.vtkMatrix4x4())
    step.SetInputData(plain)
    step.Update()
    result = slicer.vtkOrientedImageData()
    result.DeepCopy(step.GetOutput())
    result.SetGeometryFromImageToWorldMatrix(place)
    return result


@dataclass(frozen=True)
class Known:
    """An effect of Slicer: its name, the class that makes it, and its parameters at first."""

    name: str
    kind: str = "ScriptedEffect"
    per_segment: bool = True
    defaults: dict[str, str] = field(default_factory=dict)


_BRUSH = {"DelayedPaint": "1"}
EFFECTS = (
    Known("Paint", "PaintEffect", defaults=_BRUSH),
    Known("Draw", "ScriptedLabelEffect"),
    Known("Erase", "EraseEffect", defaults={**_BRUSH, "EraseAllSegments": "0"}),
    Known("Level tracing", "ScriptedLabelEffect"),
    Known("Grow from seeds", per_segment=False),
    Known("Fill between slices", per_segment=False),
    Known("Threshold", defaults={"MinimumThreshold": "0.", "MaximumThreshold": "0"}),
    Known("Margin", defaults={"MarginSizeMm": "3"}),
    Known("Hollow", defaults={"ShellMode": "INSIDE_SURFACE", "ShellThicknessMm": "3.0"}),
    Known("Smoothing", defaults={"SmoothingMethod": "MEDIAN", "KernelSizeMm": "3"}),
    Known("Scissors", "ScissorsEffect", defaults={"Operation": "EraseInside", "Shape": "FreeForm"}),
    Known("Islands", defaults={"Operation": "KEEP_LARGEST_ISLAND", "MinimumSize": "1000"}),
    Known("Logical operators", defaults={"Operation": "COPY", "ModifierSegmentID": "", "BypassMasking": "1"}),
    Known("Mask volume", defaults={"Operation": "FILL_OUTSIDE", "FillValue": "0"}),
)


def made_for(editor: Any) -> list[Any]:
    """The effects of a segment editor."""
    made = []
    for known in EFFECTS:
        effect = class_of(f"qSlicerSegmentEditor{known.kind}")(editor)
        effect.belong(editor, known)
        made.append(effect)
    return made
