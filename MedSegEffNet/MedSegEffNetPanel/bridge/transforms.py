"""Transforms that nodes are under."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk


def array_of_matrix(matrix: Any) -> np.ndarray:
    """A vtkMatrix4x4 as (4, 4) float64."""
    numbers = np.empty(16)
    matrix.DeepCopy(numbers, matrix)  # into the array
    return numbers.reshape(4, 4)


def matrix_of_array(array: np.ndarray) -> Any:
    """A (4, 4) array as a vtkMatrix4x4."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, dtype=np.float64).ravel().tolist())
    return matrix


def to_world(node: Any) -> np.ndarray | None:
    """(4, 4) from the node's own space to the world; the identity without a transform, None if it is not linear."""
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        return None
    matrix = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(matrix)
    return array_of_matrix(matrix)


def index_to_index(source_ijk_to_ras: np.ndarray, source: Any, target_to_world: np.ndarray) -> Any:
    """vtkAbstractTransform from the voxel indices of a grid in the world to those of ``source``, a node.

    A linear chain is one matrix, which is much faster to apply.
    """
    from_ras = np.linalg.inv(source_ijk_to_ras)
    world = to_world(source)
    if world is not None:
        linear = vtk.vtkTransform()
        linear.SetMatrix(matrix_of_array(from_ras @ np.linalg.inv(world) @ target_to_world))
        return linear
    bent = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, source.GetParentTransformNode(), bent)
    chain = vtk.vtkGeneralTransform()
    chain.PostMultiply()
    chain.Concatenate(matrix_of_array(target_to_world))
    chain.Concatenate(bent)
    chain.Concatenate(matrix_of_array(from_ras))
    return chain
