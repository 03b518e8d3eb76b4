"""How numbers of a data set are told: counts, volumes, how unsure a model was."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from MedSegEffNetLib.dataset.records import CaseRecord, LabelVersion


def plural(count: int, noun: str) -> str:
    """``1 case``, ``2 cases``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def unsure_text(figures: Mapping[str, float]) -> str:
    """How unsure a model was of its label by the worst of ``uncertainty`` and 1 - ``agreement``: ``12 %``; empty: not told."""
    found = [figures["uncertainty"]] if "uncertainty" in figures else []
    found += [1 - figures["agreement"]] if "agreement" in figures else []
    return f"{100 * max(found):.0f} %" if found else ""


def volume_text(record: CaseRecord, label: LabelVersion) -> str:
    """``tumor 1.25 mL``; where the voxel size is not known, ``tumor 1250 voxels``."""
    if record.spacing_known:
        return ", ".join(f"{name} {volume:.2f} mL" for name, volume in label.volumes_ml.items())
    counts = voxel_counts(record, label)
    return ", ".join(f"{name} {plural(count, 'voxel')}" for name, count in counts.items())


def voxel_counts(record: CaseRecord, label: LabelVersion) -> dict[str, int]:
    """Voxels of each label by name, of the volumes in mL, which are kept with the voxel size that the record assumes."""
    affine = np.reshape(next(iter(record.images.values())).affine, (3, 4))
    voxel = float(np.linalg.norm(affine[:, :3], axis=0).prod()) / 1000
    return {name: round(volume / voxel) for name, volume in label.volumes_ml.items()}
