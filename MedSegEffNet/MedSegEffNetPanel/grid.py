"""Where a volume's voxels lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MedSegEffNetLib.geometry import same_place
from MedSegEffNetLib.image import GRID_TOLERANCE


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

    def same(self, other: Grid, tolerance: float = GRID_TOLERANCE) -> bool:
        """Whether ``other`` has as many voxels at the same places, by the library's rule."""
        return same_place(self.shape, self.affine, other.shape, other.affine, tolerance)

    def text(self) -> str:
        """Size and spacing for the user."""
        size = " × ".join(map(str, self.shape))
        return f"{size} voxels of {' × '.join(f'{length:.3g}' for length in self.spacing)} mm"
