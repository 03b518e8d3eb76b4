"""The whole way of a 3D model on the command line: BraTS folders, a training with synthetic patients, a label map."""

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.job import read_events
from MedSegEffNetLib.models.bundle import Bundle

pytest.importorskip("torch")

TINY = [
    "epochs=2", "patch_size=[64,32,16]", "samples_per_epoch=2", "synthetic_share=0.5", "channels=t1ce,flair",
    "network.encoder_weights=none", "network.strides=[2,2]", "network.widths=[8,16]",
    "network.decoder_channels=[8,8,8,8]",
]  # fmt: skip


def write_case(folder, number, channels=("t1", "t1ce", "t2", "flair"), labelled=True):
    """A ball of a brain with a tumor in it, named as in BraTS 2020."""
    case = folder / f"BraTS20_Training_{number:03d}"
    case.mkdir(parents=True)
    axes = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in (36, 40, 30)], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    distance = np.sqrt((axes[0] - 5) ** 2 + (axes[1] + number) ** 2 + axes[2] ** 2)
    label = np.select([distance < 2, distance < 4, distance < 6], [1, 4, 2], 0).astype(np.uint8)
    brain = np.select([radius < 4, radius < 10, radius < 13], [40.0, 100.0, 80.0], 0.0) + 15.0 * label
    draw = np.random.default_rng(number)
    for name in channels:
        array = np.where(brain > 0, brain + draw.normal(0, 4, brain.shape), 0).astype(np.float32)
        image.write(case / f"{case.name}_{name}.nii.gz", Image(array, np.eye(4)))
    if labelled:
        image.write(case / f"{case.name}_seg.nii.gz", Image(label, np.eye(4)))
    return case


@pytest.mark.slow
def test_brats_folders_become_a_model_that_segments_with_a_channel_missing(command, tmp_path):
    data, run = tmp_path / "BraTS2020", tmp_path / "runs" / "brats"
    for number in range(3):
        write_case(data, number)
    code, _, error = command("train", "brain-tumor", "--data", data, "--run", run, "--set", *TINY)
    assert code == 0, error
    bundle = Bundle.open(run / "model")
    bundle.verify()
    assert [entry["channels"] for entry in bundle.info["networks"]] == [["t1ce"], ["flair"]]
    epochs = [event["network"] for event in read_events(run)[0] if event["event"] == "epoch"]
    assert epochs == ["t1ce", "t1ce", "flair", "flair"]
    assert list((run / "synthetic").glob("*.npz"))
    case, output = write_case(tmp_path / "new", 7, ("flair",), labelled=False), tmp_path / "new.nii.gz"
    code, _, error = command("segment", run / "model", "--case", case, "--output", output)
    assert code == 0, error
    result = image.read(output)
    assert result.shape == (36, 40, 30)
    assert set(np.unique(result.array)) <= {0, 1, 2, 4}
