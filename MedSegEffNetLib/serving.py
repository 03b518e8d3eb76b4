"""A model within MONAI: what a bundle's ``inference.json`` names as preprocessing, inferer and postprocessing.

They work as MONAI's dictionary transforms and inferers do, so that a program which runs bundles (MONAI Label, say) segments
with a model as this library does. They are of this library: it must be installed where the bundle is run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference import slices, volumes
from MedSegEffNetLib.inference.checks import check_images
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.inference.predict import Regions
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.preprocessing import Pipeline, stack
from MedSegEffNetLib.task import reference_channel

if TYPE_CHECKING:
    from torch import Tensor

_WAY_BACK = "medsegeffnet_way_back"
_EVERYWHERE = (slice(None), slice(None), slice(None))

Data = Mapping[Hashable, Any]


class Prepare:
    """Preprocessing: a loaded image (C, X, Y[, Z]) becomes what the network sees, (C, x, y, z) float32.

    Parameters
    ----------
    bundle_root : the model's folder.
    image : key of the image, with the affine (RAS+) that MONAI's ``LoadImaged`` gives it. Its channels are those of the
        model in their order; a single one is the channel that the model cannot do without.
    """

    def __init__(self, bundle_root: str, image: str = "image") -> None:
        self.bundle, self.image = Bundle.open(Path(bundle_root)), image

    def __call__(self, data: Data) -> dict[Hashable, Any]:
        """``data`` with the prepared image, and with the way back to its grid."""
        import torch
        from monai.data import MetaTensor

        loaded = data[self.image]
        images = self._channels(np.asarray(loaded), getattr(loaded, "affine", None))
        checked = check_images(images, self.bundle.channels, resampled=False, dimensions=self.bundle.dimensions).images
        volume, undo = Pipeline.from_steps(self.bundle.preprocessing).apply(stack(checked, self.bundle.channels))
        grid = checked[reference_channel(self.bundle.channels, checked)]
        # The image keeps what was read about it: whoever writes the result looks there for shape and affine.
        prepared = MetaTensor(torch.from_numpy(np.ascontiguousarray(volume.array)), meta=getattr(loaded, "meta", None))
        return {**data, self.image: prepared, _WAY_BACK: (undo, grid, np.asarray(loaded).ndim)}

    def _channels(self, array: np.ndarray, affine: Any) -> dict[str, Image]:
        given = np.eye(4) if affine is None else np.asarray(affine, dtype=float)
        flat = array.ndim == 3
        if given.shape == (3, 3):  # of a picture
            given = np.block([[given[:2, :2], np.zeros((2, 1)), given[:2, 2:]], [np.zeros((2, 2)), np.eye(2)]])
        pieces = [Image(piece[..., None] if flat else piece, given, flat=flat) for piece in array]
        channels = self.bundle.channels
        if len(pieces) == len(channels):
            return {channel.name: piece for channel, piece in zip(channels, pieces, strict=True)}
        needed = [channel for channel in channels if channel.required] or channels[:1]
        if len(pieces) != 1 or len(needed) != 1:
            raise InputError(
                f"an image of {len(pieces)} channels",
                expected=f"{len(channels)} channels: {', '.join(channel.title for channel in channels)}",
                hint="put the images of a case into one file, as channels in this order",
            )
        return {needed[0].name: pieces[0]}


class Infer:
    """Inferer: the network slice by slice (with neighbors) or stack by stack, as the model was trained."""

    def __init__(self, bundle_root: str, batch_size: int = 4) -> None:
        self.bundle, self.batch_size = Bundle.open(Path(bundle_root)), batch_size

    def __call__(self, inputs: Tensor, network: Callable[[Tensor], Tensor], *_: Any, **__: Any) -> Tensor:
        """Probabilities (B, R, x, y, z) of inputs (B, C, x, y, z); where labels exclude each other the background is first."""
        import torch

        def run(batch: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                outputs: np.ndarray = network(torch.from_numpy(batch).to(inputs.device)).float().cpu().numpy()
            return outputs

        return torch.from_numpy(np.stack([self._one(np.asarray(volume.cpu()), run) for volume in inputs]))

    def _one(self, array: np.ndarray, run: slices.Network) -> np.ndarray:
        entry, exclusive = self.bundle.info["networks"][0], self.bundle.info["activation"] == "softmax"
        if entry.get("depth"):
            stacks = volumes.StackCutter(array, entry["depth"], entry["divisor"])
            return volumes.predict(run, stacks, exclusive, False, _tell_nobody)
        cutter = slices.SliceCutter(array, entry["context"], entry["divisor"])
        return slices.predict(run, cutter, self.batch_size, exclusive, False, _tell_nobody)


class Finish:
    """Postprocessing: probabilities become a label map (1, X, Y[, Z]) uint8 on the grid of the image that was read."""

    def __init__(self, bundle_root: str, pred: str = "pred") -> None:
        self.bundle, self.pred = Bundle.open(Path(bundle_root)), pred

    def __call__(self, data: Data) -> dict[Hashable, Any]:
        """``data`` with the label map in place of the probabilities."""
        import torch

        undo, grid, axes = data[_WAY_BACK]
        regions = Regions(self.bundle, grid, Options(probabilities=False))
        regions.add(np.asarray(data[self.pred].cpu()), undo, _EVERYWHERE)
        found = np.ascontiguousarray(regions.label_map())[None]
        return {**data, self.pred: torch.from_numpy(found[..., 0] if axes == 3 else found)}


def _tell_nobody(done: int, total: int) -> None:
    """Progress that nobody asked for."""
