"""Rendering without a screen."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from typing import Any

import vtk
from PySide6 import QtGui
from vtk.util.numpy_support import vtk_to_numpy

_KIND = "VTK_DEFAULT_OPENGL_WINDOW"  # the variable by which VTK chooses a window
_PROBE = """
import vtk
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(1)
window.AddRenderer(vtk.vtkRenderer())
window.Render()
print("rendered")
"""


@cache
def can_render() -> bool:
    """Whether a window can be rendered here. Tried in processes of their own: where it fails it ends the process."""
    kinds = ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow") if sys.platform == "linux" else ("",)
    for kind in kinds:
        variables = {**os.environ, **({_KIND: kind} if kind else {})}
        words = [sys.executable, "-c", _PROBE]
        probe = subprocess.run(words, capture_output=True, text=True, timeout=60, env=variables)
        if probe.returncode == 0 and "rendered" in probe.stdout:
            os.environ.update({_KIND: kind} if kind else {})
            return True
    return False


def grabbed(window: Any, width: int, height: int) -> QtGui.QImage:
    """What a window has rendered."""
    grabber = vtk.vtkWindowToImageFilter()
    grabber.SetInput(window)
    grabber.ReadFrontBufferOff()
    grabber.Update()
    pixels = vtk_to_numpy(grabber.GetOutput().GetPointData().GetScalars()).reshape(height, width, 3)[::-1]
    data = pixels.tobytes()
    return QtGui.QImage(data, width, height, 3 * width, QtGui.QImage.Format.Format_RGB888).copy()


def blank(width: int, height: int) -> QtGui.QImage:
    """What stands for a view where nothing can render."""
    image = QtGui.QImage(width, height, QtGui.QImage.Format.Format_RGB888)
    image.fill(QtGui.QColor(60, 60, 60))
    return image
