"""Where a volume's voxels lie."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

TOLERANCE = 0.1  # voxel; the library's commands take the same for one grid, see MedSegEffNetLib.image.GRID_TOLERANCE


@dataclass(frozen=True, eq=False)
class Grid:
    """Voxels in space.

    Parameters
    ----------
    shape : number of voxels along i, j, k.
    affine : (4, 4) float64, voxel index to mm in the world, RAS+: transforms are applied.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighboring voxels along the three axes in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in mL."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def same(self, other: Grid, tolerance: float = TOLERANCE) -> bool:
        """Whether ``other`` has as many voxels at the same places.

        Each corner voxel may lie ``tolerance`` times the smallest spacing off, the library's rule.
        """
        if self.shape != other.shape:
            return False
        corners = np.array([(*corner, 1) for corner in itertools.product(*((0, n - 1) for n in self.shape))]).T
        distances = np.linalg.norm(((self.affine - other.affine) @ corners)[:3], axis=0)
        return bool(distances.max() <= tolerance * min(self.spacing))

    def text(self) -> str:
        """Size and spacing for the user."""
        size = " × ".join(map(str, self.shape))
        return f"{size} voxels of {' × '.join(f'{length:.3g}' for length in self.spacing)} mm"
