"""Tiny models, tiny cases, and the command line as a function."""

import numpy as np
import pytest

from MedSegEffNetLib import image
from MedSegEffNetLib.__main__ import main
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.task import Step, get_task

AFFINE = np.array([[-1.0, 0, 0, 30], [0, -1.0, 0, 30], [0, 0, 5.0, -10], [0, 0, 0, 1]])
SHAPE = (48, 40, 3)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """The folder of a model of tumor-slices with few, random weights."""
    torch = pytest.importorskip("torch")
    from MedSegEffNetLib import networks
    from MedSegEffNetLib.models.build import FinishedTraining, build_bundle

    arguments = {"channels": [2, 4], "in_channels": 3, "out_channels": 1}
    torch.manual_seed(0)
    training = FinishedTraining(
        task=get_task("tumor-slices"),
        network="unet_2d",
        arguments=arguments,
        weights={"network": networks.build("unet_2d", arguments).state_dict()},
        context=0,
        preprocessing=(Step("resize", {"size": [32, 32]}), Step("zscore")),
        provenance={"data": {"folder": "nowhere", "cases": {}}},
    )
    return build_bundle(tmp_path_factory.mktemp("models") / "tiny", training)


@pytest.fixture
def case(tmp_path):
    """A folder with the three channels of a case."""
    folder = tmp_path / "case"
    draw = np.random.default_rng(0)
    for channel in ("t1", "flair", "t1ce"):
        array = draw.integers(1, 255, SHAPE).astype(np.uint8)
        image.write(folder / f"p1_{channel}.nii.gz", Image(array, AFFINE))
    return folder


@pytest.fixture
def data(tmp_path):
    """A folder of labelled slices: two patients to train on, three to validate on."""
    from PIL import Image as Pillow

    draw = np.random.default_rng(1)
    for patient, split in (("a", "train"), ("b", "train"), ("c", "val"), ("d", "val"), ("e", "val")):
        folder = tmp_path / "data" / split / patient
        folder.mkdir(parents=True)
        for number in (1, 2):
            rows = draw.integers(0, 255, (32, 32, 3)).astype(np.uint8)
            mask = np.zeros((32, 32), np.uint8)
            mask[8:16, 8:20] = 255
            Pillow.fromarray(rows).save(folder / f"00{number}.png")
            Pillow.fromarray(mask).save(folder / f"00{number}_mask.png")
    return tmp_path / "data"


@pytest.fixture
def command(capsys):
    """Runs the command line; returns exit code, standard output and standard error."""

    def run(*words):
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        output, errors = capsys.readouterr()
        return code, output, errors

    return run


@pytest.fixture
def files(head, tmp_path):
    """A file a sequence, in a folder of its own."""
    for name, one in head.items():
        image.write(tmp_path / "case" / f"p1_{name}.nii.gz", one)
    return {name: tmp_path / "case" / f"p1_{name}.nii.gz" for name in head}


@pytest.fixture
def synthesize(command, maker):
    """Makes t1ce, unless another target is named, from the named files."""

    def run(files, *words, inputs=("t1", "flair"), target="t1ce"):
        return command(
            "synthesize", maker, "--input", *(f"{name}={files[name]}" for name in inputs), "--target", target, *words
        )

    return run
