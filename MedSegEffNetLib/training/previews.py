"""Pictures of a few validation cases, always the same slices, that show how a network gets better."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from torch import Tensor

from MedSegEffNetLib import atomic
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.reporting import pictures
from MedSegEffNetLib.task import Channel, SegmentationTask, reference_channel
from MedSegEffNetLib.training import distributed

FOLDER = Path("previews")
_PICTURES = 100  # of a case at most: a long training draws every few epochs
_SIZE = 320  # pixels of the longer side of each of the three parts
_CAPTION = 30  # pixels: the panel shows pictures at less than half of their size


@dataclass
class _Slice:
    """The slice of a case with the most of what is to be found: image ``(Y, X)``, masks ``(R, Y, X)``."""

    area: float
    image: np.ndarray
    truth: np.ndarray
    found: np.ndarray


@dataclass
class Previews:
    """Pictures of up to three validation cases: the worst, the median and the best one of the first epoch.

    Parameters
    ----------
    task : its labels give the colors.
    channels : that the network sees. context : neighboring slices on either side, each with these channels.
    epochs : of the training, at most.
    key : of the network, where a run trains several.
    cases : ids of the chosen cases; empty before the first epoch's end.
    """

    task: SegmentationTask
    channels: Sequence[Channel]
    context: int = 0
    epochs: int = 1
    key: str = ""
    cases: tuple[str, ...] = ()
    _largest: _Slice | None = None
    _seen: list[tuple[float, str, bytes]] = field(default_factory=list)

    def look(self, images: Tensor, targets: Tensor, found: Tensor) -> None:
        """A batch of the case that is validated now: slices ``(N, C, Y, X)``, or a volume ``(1, C, Z, Y, X)``.

        ``targets`` and ``found`` have a channel a region, and one in front for the background where they are exclusive.
        """
        if images.ndim == 5:
            images, targets, found = (part[0].movedim(1, 0) for part in (images, targets, found))
        first = int(self.task.activation == "softmax")
        truth = targets[:, first:] > 0.5
        areas = truth.any(1).sum((1, 2)).tolist()
        index = int(np.argmax(areas))
        if self._largest is None or areas[index] > self._largest.area:
            names = [channel.name for channel in self.channels]
            shown = self.context * len(names) + names.index(reference_channel(self.channels, names))
            masks = (part[index].cpu().numpy() for part in (truth, found[:, first:]))
            self._largest = _Slice(areas[index], images[index, shown].float().cpu().numpy(), *masks)

    def keep(self, case_id: str, dice: float | None) -> None:
        """The case that was looked at is done; None: it tells no region, and has no picture."""
        largest, self._largest = self._largest, None
        if largest is not None and dice is not None and (not self.cases or case_id in self.cases):
            self._seen.append((dice, case_id, self._draw(largest, dice)))

    def gather(self) -> None:
        """All that was looked at, by whichever process."""
        self._seen = distributed.gathered(self._seen)

    def write(self, epoch: int, run: Path, job: Job) -> None:
        """Write the pictures of the validation that has just ended to ``run``, and an event ``preview`` for each."""
        seen, self._seen = {case_id: (dice, picture) for dice, case_id, picture in self._seen}, []
        if not self.cases:
            ranked = sorted(seen, key=lambda case_id: (seen[case_id][0], case_id))
            chosen = [ranked[place] for place in (0, len(ranked) // 2, -1)] if ranked else []
            self.cases = tuple(dict.fromkeys(chosen))
        if distributed.rank() or (epoch > 1 and epoch % -(-self.epochs // _PICTURES) and epoch < self.epochs):
            return
        named = {"network": self.key} if self.key else {}
        for case_id in self.cases:
            if case_id in seen:
                path = FOLDER / _file_name(case_id) / f"{epoch}.png"
                atomic.write_bytes(run / path, seen[case_id][1])
                told = (Path(self.key) / path).as_posix()
                job.emit("preview", epoch=epoch, case=case_id, path=told, dice=seen[case_id][0], **named)

    def forget(self) -> None:
        """Let go of a validation that was interrupted."""
        self._largest, self._seen = None, []

    def _draw(self, found: _Slice, dice: float) -> bytes:
        array = found.image.T[..., np.newaxis]
        maps = {name: self._label_map(masks) for name, masks in (("truth", found.truth), ("prediction", found.found))}
        whole = (slice(0, array.shape[0]), slice(0, array.shape[1]), slice(0, 1))
        window = {"image": pictures.intensity_window(array)}
        scene = pictures.Scene({"image": array}, window, maps, (1.0, 1.0, 1.0), False, (False,) * 3, whole)
        captions = {"": "image", "truth": "truth", "prediction": f"prediction, Dice {dice:.2f}"}
        parts = [
            pictures.draw(scene, "image", "axial", 0, contours=name, labels=self.task.labels, size=_SIZE)
            for name in captions
        ]
        width, height = parts[0].size
        sheet = Pillow.new("RGB", (len(parts) * (width + 2) - 2, height + _CAPTION), (0, 0, 0))
        pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(22)
        for number, (part, caption) in enumerate(zip(parts, captions.values(), strict=True)):
            sheet.paste(part, (number * (width + 2), _CAPTION))
            pen.text((number * (width + 2) + 4, _CAPTION / 2), caption, font=font, fill=(255, 255, 255), anchor="lm")
        return pictures.png(sheet)

    def _label_map(self, masks: np.ndarray) -> np.ndarray:
        """Labels ``(X, Y, 1)`` of region masks ``(R, Y, X)``, inner regions over outer ones."""
        labels = np.zeros(masks.shape[:0:-1], dtype=np.uint8)
        for region, mask in zip(self.task.regions, masks, strict=True):
            labels[mask.T] = region.writes
        return labels[..., np.newaxis]


def _file_name(case_id: str) -> str:
    """``case_id`` as a folder's name on every system."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", case_id).strip(". ") or "case"
